using System.Diagnostics;
using System.Text;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>The process beside a VM whose user network is slirp4netns: it starts slirp4netns, tells the other side when it serves, and
/// stays. The two live and end together: a guest without its network is no VM that runs, and slirp4netns without a VM is of no use.</summary>
/// <param name="Vm">The process that becomes the hypervisor, and whose child this one is.</param>
/// <param name="Life">Its other end is the hypervisor's, and closes with it.</param>
/// <param name="Tell">Where the other side reads.</param>
public sealed record UserNetworkCompanion(int Vm, int Life, int Tell)
{
    /// <summary>What ends at the same time, by Ctrl-C on one terminal say, may end in any order.</summary>
    private static readonly TimeSpan s_together = TimeSpan.FromSeconds(1);

    /// <summary>Serves the VM until its end.</summary>
    /// <param name="name">The VM's name, for messages.</param>
    /// <param name="forwards">The ports to forward, each as one word.</param>
    /// <returns>The exit code.</returns>
    public int Run(string name, IReadOnlyList<string> forwards)
    {
        // slirp4netns is not to hold the pipe whose end the other side waits for.
        PosixProcess.CloseOnExec(Tell);
        var terminal = TerminalDevice.Remember(TerminalDevice.Input);
        using var slirp = Start(forwards);
        PosixProcess.Close(Tell);
        if (slirp is null)
        {
            return 1;
        }
        slirp.WaitForExit();
        if (PosixProcess.IsHungUp(Life, s_together) || PosixProcess.Parent != Vm)
        {
            return 0;
        }
        var how = slirp.ExitCode > 128 ? $"was ended by signal {slirp.ExitCode - 128}" : $"ended with exit code {slirp.ExitCode}";
        Console.Error.WriteLine($"microvm: '{Declaration.Printable.Of(name)}': slirp4netns {how}, and the guest's network with it; the VM is ended too, rather than left running without a network");
        // Not SIGTERM, after which some hypervisors end with exit code 0, as if the guest had shut down.
        PosixProcess.Kill(Vm);
        // It could not leave the terminal as it found it.
        terminal?.Dispose();
        return 1;
    }

    /// <summary>Starts slirp4netns and tells the other side; null where there is nothing to stay for.</summary>
    private Process? Start(IReadOnlyList<string> forwards)
    {
        // Only forwards are asked for over the API socket; it lies in a folder that is ours alone, and goes with it as soon as all are.
        string? folder = null;
        Process? slirp = null;
        try
        {
            if (!WaitForNamespace())
            {
                // unshare(1) has told why there is none.
                return null;
            }
            var (ready, write) = PosixProcess.OpenPipe();
            PosixProcess.CloseOnExec(ready);
            folder = forwards.Count > 0 ? Directory.CreateTempSubdirectory("microvm-user-").FullName : null;
            var socket = folder is null ? null : Path.Combine(folder, "api");
            slirp = SearchPath.Start(new("slirp4netns", ["--mtu=1500", $"--exit-fd={UserNetwork.Text(Life)}", $"--ready-fd={UserNetwork.Text(write)}",
                .. socket is null ? (string[])[] : [$"--api-socket={socket}"], UserNetwork.Text(Vm), UserNetwork.Device]));
            PosixProcess.Close(write);
            if (PosixProcess.Read(ready, UserNetwork.Patience) is not > 0)
            {
                throw new IOException("");
            }
            PosixProcess.Close(ready);
            foreach (var forward in forwards)
            {
                SlirpForward.Parse(forward).Request(socket!);
            }
            PosixProcess.Write(Tell, Encoding.UTF8.GetBytes(UserNetwork.Serves));
            return slirp;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or LinuxException or System.ComponentModel.Win32Exception)
        {
            PosixProcess.Write(Tell, Encoding.UTF8.GetBytes(e.Message));
            if (slirp is { HasExited: false })
            {
                slirp.Kill();
            }
            slirp?.Dispose();
            return null;
        }
        finally
        {
            if (folder is not null)
            {
                // Nothing but the socket is in it.
                HeldFolder.RemoveAt(folder);
            }
        }
    }

    private bool WaitForNamespace()
    {
        var ours = NetworkOf("self");
        var start = Stopwatch.GetTimestamp();
        while (NetworkOf(UserNetwork.Text(Vm)) is not { } theirs || theirs == ours)
        {
            if (Stopwatch.GetElapsedTime(start) > UserNetwork.Patience || PosixProcess.IsHungUp(Life, TimeSpan.FromMilliseconds(2)))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>A process's network namespace; null where it can't be told now. As root it can't for the moment in which the other
    /// is unshare(1) already, with all of root's capabilities, and has not yet left for a namespace that is ours to look into.</summary>
    private static string? NetworkOf(string process)
    {
        try
        {
            return File.ResolveLinkTarget($"/proc/{process}/ns/net", false)?.Name;
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            return null;
        }
    }
}
