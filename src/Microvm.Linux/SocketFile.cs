using System.Buffers.Binary;
using System.Net.Sockets;

namespace Microvm.Linux;

/// <summary>The file of a Unix socket. Nothing that is no socket is ever removed, nor a socket on which somebody listens.</summary>
internal static class SocketFile
{
    /// <summary>Removes a socket that its listener left behind when it was killed; does nothing where nothing is.</summary>
    /// <returns>Whether the place is free now; else somebody listens.</returns>
    /// <exception cref="IOException">Something else is there.</exception>
    public static bool RemoveStale(string path)
    {
        if (FileStatus.Of(path) is not { } there)
        {
            return true;
        }
        if (!there.IsSocket)
        {
            throw new IOException($"{path} is there and is no socket; move it away, or choose another path");
        }
        return IsRefused(path) && Remove(path, there);
    }

    /// <summary>Whether nobody has the socket at this path open. Where another answer comes, or none can be had, somebody may have it.</summary>
    public static bool IsRefused(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return false;
        }
        catch (SocketException e)
        {
            // One of another type says so, and one that is busy would block: only one that nobody has open refuses.
            return e.SocketErrorCode == SocketError.ConnectionRefused;
        }
        catch (ArgumentException)
        {
            // Longer than a socket's path can be.
            return false;
        }
    }

    /// <summary>The file of a socket that somebody else may have made, held open: <c>/proc/self/fd/N</c> leads to it and to nothing that takes its
    /// place. As root no symbolic link of another user's is followed to it, which could lead to another program's socket.</summary>
    /// <returns>Null where nothing is there.</returns>
    /// <exception cref="IOException">A link of another user's leads there, or somebody exchanges parts of the path.</exception>
    /// <exception cref="LinuxException">It can't be opened.</exception>
    public static FileDescriptor? Hold(string path)
    {
        const int tries = 5;
        var full = Path.GetFullPath(path);
        for (var n = 0; n < tries; n++)
        {
            if (HoldOnce(path, full, out var isGone) is var file && (file is not null || isGone))
            {
                return file;
            }
            // Its program made it anew in between, as a hypervisor does that is started again.
        }
        throw new IOException($"{path} was exchanged while it was opened");
    }

    /// <param name="isGone">Whether nothing is there, before or after.</param>
    /// <returns>Null where it is gone, or is another file now.</returns>
    private static FileDescriptor? HoldOnce(string path, string full, out bool isGone)
    {
        const int AT_FDCWD = -100, O_PATH = 0x200000, O_CLOEXEC = 0x80000;
        Refuse(full);
        var fd = Libc.openat(AT_FDCWD, full, O_PATH | O_CLOEXEC, 0);
        if (fd < 0)
        {
            var errno = System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
            isGone = true;
            return errno is Errno.ENOENT or Errno.ENOTDIR ? null : throw new LinuxException($"open {path}", errno);
        }
        var file = new FileDescriptor(fd);
        try
        {
            // Once more: who exchanged a part while it was opened has put it back, and then it is another file, or has not, and then it is a link.
            Refuse(full);
            var now = FileStatus.OfTarget(full);
            isGone = now is null;
            if (now is { } there && there.Is(FileStatus.Of(file)))
            {
                return file;
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }
        file.Dispose();
        return null;
    }

    private static void Refuse(string full)
    {
        for (var part = full; part is not null && Libc.geteuid() == 0; part = Path.GetDirectoryName(part))
        {
            if (FileStatus.Of(part) is { IsLink: true, IsTrusted: false } link)
            {
                throw new IOException($"{part} is a symbolic link of user {link.User}, which root does not follow to a socket: it could be another VM's");
            }
        }
    }

    /// <summary>The process that listens at the other end of a connection; 0 where it can't be told.</summary>
    public static int Listener(Socket connection) => Peer(connection).Process;

    /// <summary>The process and the user that listen at the other end of a connection (SO_PEERCRED of unix(7)), as they were when it began to listen;
    /// the process is 0 where this one can't see it.</summary>
    public static (int Process, uint User) Peer(Socket connection)
    {
        const int SOL_SOCKET = 1, SO_PEERCRED = 17;
        // struct ucred: process, user, group.
        var peer = new byte[12];
        return connection.GetRawSocketOption(SOL_SOCKET, SO_PEERCRED, peer) == peer.Length
            ? (BinaryPrimitives.ReadInt32LittleEndian(peer), BinaryPrimitives.ReadUInt32LittleEndian(peer.AsSpan(4))) : (0, uint.MaxValue);
    }

    /// <summary>Sets who may connect; what is no socket stays as it is.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void SetMode(string path, UnixFileMode mode)
    {
        const int AT_FDCWD = -100, O_PATH = 0x200000, O_CLOEXEC = 0x80000;
        using var file = new FileDescriptor((int)Libc.Check(Libc.openat(AT_FDCWD, path, O_PATH | Libc.O_NOFOLLOW | O_CLOEXEC, 0), $"open {path}"));
        if (FileStatus.Of(file).IsSocket)
        {
            Libc.Check(Libc.fchmodat(AT_FDCWD, $"/proc/self/fd/{file.Value}", (uint)mode, 0), $"set the mode of {path}");
        }
    }

    /// <summary>Removes the very socket that was there before, if it is still there.</summary>
    /// <returns>Whether it is gone.</returns>
    public static bool Remove(string path, FileStatus? made)
    {
        var full = Path.GetFullPath(path);
        if (made is not { IsSocket: true } socket || FileStatus.Of(full) is not { } there || !there.Is(socket))
        {
            return false;
        }
        using var folder = HeldFolder.Open(Path.GetDirectoryName(full)!);
        return folder.Look(Path.GetFileName(full)) is { } still && still.Is(socket) && folder.Remove(Path.GetFileName(full));
    }
}
