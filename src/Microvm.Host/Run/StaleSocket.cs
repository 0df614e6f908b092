using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>The sockets that a killed hypervisor left behind. crosvm and Firecracker do not start where one is.</summary>
internal static class StaleSocket
{
    /// <summary>The path that kvmtool chooses for a VM: below HOME, or below the working directory, which it is given where HOME can't be written.</summary>
    internal static string OfKvmtool(string vm) =>
        Path.Combine(PosixProcess.Variable("HOME") is { Length: > 0 } home && PosixProcess.MayWrite(home) ? home : Environment.CurrentDirectory, ".lkvm", $"{vm}.sock");

    /// <summary>Removes what an earlier run left of a VM's sockets. To be called as the user as whom the hypervisor runs.</summary>
    /// <returns>A sentence for each that was removed, and for each that has to stay.</returns>
    internal static IEnumerable<string> Clear(Invocation invocation)
    {
        foreach (var path in invocation.Sockets.Concat(invocation.Control is { Kind: ControlKind.Kvmtool } own ? [OfKvmtool(own.Path)] : []).Distinct())
        {
            if (Remove(path))
            {
                yield return $"removed the socket {Printable.Of(path, int.MaxValue)}, which an earlier run left behind";
            }
            else if (FileStatus.Of(path) is { IsSocket: true } there && there.User != PosixProcess.EffectiveUser && SocketFile.IsRefused(path))
            {
                yield return $"nobody listens at the socket {Printable.Of(path, int.MaxValue)}, and it stays, for it is user {there.User}'s; where the VM does not start for it: sudo rm {Shell.Quote(path)}";
            }
        }
    }

    /// <summary>Removes a socket where it is ours and nobody is behind it; whatever else is there stays.</summary>
    /// <returns>Whether it was removed.</returns>
    internal static bool Remove(string path)
    {
        // Not what a symbolic link leads to.
        if (FileStatus.Of(path) is not { IsSocket: true } there || there.User != PosixProcess.EffectiveUser || !SocketFile.IsRefused(path))
        {
            return false;
        }
        try
        {
            return SocketFile.Remove(path, there);
        }
        catch (LinuxException)
        {
            return false;
        }
    }
}
