using System.Net.Sockets;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>The control socket that a killed hypervisor left behind. crosvm and Firecracker do not start where one is.</summary>
internal static class StaleSocket
{
    /// <summary>Where a VM that takes commands has its socket.</summary>
    internal static string PathOf(ControlSocket control) =>
        control.Kind == ControlKind.Kvmtool ? OfKvmtool(System.IO.Path.GetFileNameWithoutExtension(control.Path)) : control.Path;

    /// <summary>The path that kvmtool chooses for a VM.</summary>
    internal static string OfKvmtool(string vm) => $"{Environment.GetEnvironmentVariable("HOME")}/.lkvm/{vm}.sock";

    /// <summary>Removes it where it is a socket of ours and nobody is behind it; whatever else is there stays. To be called as the user
    /// as whom the hypervisor runs.</summary>
    /// <returns>Whether it was removed.</returns>
    internal static bool Remove(string path)
    {
        // Not what a symbolic link leads to.
        if (FileStatus.Of(path) is not { IsSocket: true } there || there.User != PosixProcess.EffectiveUser || !IsRefused(path))
        {
            return false;
        }
        try
        {
            return HeldFolder.RemoveAt(path);
        }
        catch (LinuxException)
        {
            return false;
        }
    }

    /// <summary>Only one that nobody has open refuses: one of another type says so, and one that is busy would block.</summary>
    private static bool IsRefused(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return false;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused;
        }
        catch (ArgumentException)
        {
            // Longer than a socket's path can be.
            return false;
        }
    }
}
