using System.Net.Sockets;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Host.Run;

/// <summary>The control socket of a VM before a start: a second hypervisor would take its path over, and the first could not be asked for anything any more.</summary>
internal static class ControlSocketGuard
{
    /// <summary>Who serves the socket, or is about to, in words; null for nobody: also one that a killed hypervisor left has nobody behind it.</summary>
    /// <param name="path">As declared: relative to the working directory, or absolute.</param>
    public static string? Holder(string path) => Listener(path) is { } pid ? (pid > 0 ? LinkHolders.Words(pid) : "a process that can't be seen from here")
        : InheritedLock.Holder(LockFile(path)) is { } locked ? LinkHolders.Words(locked) : null;

    /// <summary>Whether a process listens at the socket, of whatever type it is; one that a killed hypervisor left has nobody behind it.</summary>
    public static bool IsServed(string path) => Listener(path) is not null;

    /// <summary>Takes the lock that says who has the socket: on a file beside it, which stays. The hypervisor is to inherit it.</summary>
    /// <returns>The lock; null where no file can be made there, which is for the hypervisor to tell.</returns>
    /// <exception cref="IOException">Somebody else has it.</exception>
    public static InheritedLock? Take(string path) => InheritedLock.TryTake(LockFile(path), create: true, out var taken) ? taken
        : throw new IOException($"the control socket {Printable.Of(path)} is {Holder(path) ?? "another process"}'s: the VM was started twice at the same time");

    private static string LockFile(string path) => path + ".lock";

    /// <summary>The process behind a socket of whatever type; 0 where it can't be told, null where there is none.</summary>
    private static int? Listener(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }
        foreach (var type in (SocketType[])[SocketType.Stream, SocketType.Seqpacket])
        {
            using var socket = new Socket(AddressFamily.Unix, type, ProtocolType.Unspecified) { Blocking = false };
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(path));
                return SocketFile.Listener(socket);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ProtocolType)
            {
                // Of another type, and somebody has it open.
            }
            catch (SocketException e)
            {
                // Nobody accepts (its queue is full): somebody is there all the same.
                return e.SocketErrorCode == SocketError.WouldBlock ? 0 : null;
            }
        }
        return 0;
    }
}
