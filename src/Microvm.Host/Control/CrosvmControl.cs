using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.Control;

/// <summary>crosvm, whose socket (SOCK_SEQPACKET) is spoken by its own program.</summary>
internal sealed class CrosvmControl : IVmControl
{
    private const int ToldLines = 3, MostErrors = 1024 * 1024;
    private readonly string _program, _socket;
    private readonly long _memoryMiB;
    private readonly SocketHolders _holders;

    private CrosvmControl(string program, string socket, long memoryMiB, SocketHolders holders) => (_program, _socket, _memoryMiB, _holders) = (program, socket, memoryMiB, holders);

    /// <summary>Null where nobody listens.</summary>
    internal static CrosvmControl? Open(ControlSocket socket, long memoryMiB, SocketHolders holders) =>
        UnixStream.Listens(socket.Path, SocketType.Seqpacket, holders) ? new(socket.Program ?? "crosvm", socket.Path, memoryMiB, holders) : null;

    public void RequestShutdown() => Run("powerbtn", _socket);

    public bool Quit()
    {
        Run("stop", _socket);
        return true;
    }

    public long? SetMemory(long mebibytes)
    {
        Run("balloon", (Balloon.Taken(_memoryMiB, mebibytes) * 1024 * 1024).ToString(CultureInfo.InvariantCulture), _socket);
        return null;
    }

    public bool WaitForEnd(TimeSpan limit)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < limit; Thread.Sleep(100))
        {
            if (!UnixStream.Listens(_socket, SocketType.Seqpacket, _holders))
            {
                return true;
            }
        }
        return false;
    }

    public void Dispose()
    {
    }

    private void Run(params string[] words)
    {
        try
        {
            var (code, _, errors) = FinishedProgram.Run(new(_program, words) { RedirectStandardError = true }, UnixStream.AnswerLimit, MostErrors);
            if (code != 0)
            {
                // What it prints first is noise, like "syslog init failed" where there is no /dev/log.
                var lines = errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                throw new ControlException($"'crosvm {words[0]}' failed: {string.Join("; ", lines.TakeLast(ToldLines).Select(l => Printable.Of(l, int.MaxValue)))}");
            }
        }
        catch (IOException e)
        {
            throw new ControlException($"'crosvm {words[0]}' failed: {e.Message}", e);
        }
        catch (Win32Exception e)
        {
            throw new ControlException($"'{_program}' is needed to talk to this VM and can't be started: {e.Message}", e);
        }
    }
}
