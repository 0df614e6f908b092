using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.Control;

/// <summary>crosvm and kvmtool, whose sockets are spoken by their own programs.</summary>
internal sealed class ProgramControl(ControlSocket socket, long memoryMiB) : IVmControl
{
    private bool IsCrosvm => socket.Kind == ControlKind.Crosvm;

    /// <summary>kvmtool knows its VM by name; the socket is <c>NAME.sock</c>.</summary>
    private string Target => IsCrosvm ? socket.Path : Path.GetFileNameWithoutExtension(socket.Path);

    public void RequestShutdown()
    {
        // `lkvm stop` ends the VM: kvmtool has no power button.
        Run(IsCrosvm ? ["crosvm", "powerbtn", Target] : ["lkvm", "stop", "-n", Target]);
    }

    public bool Quit()
    {
        if (IsCrosvm)
        {
            Run(["crosvm", "stop", Target]);
        }
        return IsCrosvm;
    }

    public long? SetMemory(long mebibytes)
    {
        var taken = Balloon.Taken(memoryMiB, mebibytes);
        Run(IsCrosvm
            ? ["crosvm", "balloon", (taken * 1024 * 1024).ToString(CultureInfo.InvariantCulture), Target]
            : throw new ControlException("kvmtool changes its balloon in steps only (lkvm balloon -i/-d MIB); use that"));
        return null;
    }

    public bool WaitForEnd(TimeSpan limit)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < limit)
        {
            using var stream = UnixStream.Connect(socket.Path);
            if (stream is null)
            {
                return true;
            }
            Thread.Sleep(100);
        }
        return false;
    }

    public void Dispose()
    {
    }

    private static void Run(string[] words)
    {
        try
        {
            using var process = SearchPath.Start(new(words[0], words[1..]) { RedirectStandardError = true });
            var errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(UnixStream.AnswerLimit))
            {
                process.Kill();
                throw new ControlException($"'{string.Join(' ', words.Take(2))}' did not finish within {UnixStream.AnswerLimit.TotalSeconds:0} s");
            }
            if (process.ExitCode != 0)
            {
                throw new ControlException($"'{string.Join(' ', words.Take(2))}' failed: {Declaration.Printable.Of(errors.Result.Trim())}");
            }
        }
        catch (Win32Exception e)
        {
            throw new ControlException($"'{words[0]}' is needed to talk to this VM and can't be started: {e.Message}", e);
        }
    }
}
