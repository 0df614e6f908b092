using System.Net.Sockets;
using Microvm.Linux;

namespace Microvm.Host.Control;

/// <summary>Connections to Unix sockets.</summary>
internal static class UnixStream
{
    /// <summary>How long a hypervisor may take to answer a request.</summary>
    internal static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(5);

    /// <summary>Whether somebody listens.</summary>
    /// <param name="type">Stream, or Seqpacket for crosvm's.</param>
    /// <exception cref="ControlException">It is none of them.</exception>
    internal static bool Listens(string path, SocketType type, SocketHolders holders)
    {
        using var socket = Open(path, type, holders);
        return socket is not null;
    }

    /// <summary>Reads what comes before a deadline for the whole exchange, however slowly it drips.</summary>
    /// <param name="until">By <see cref="Environment.TickCount64"/>.</param>
    /// <exception cref="IOException">Nothing came in time; the cause is a SocketException of TimedOut.</exception>
    internal static int Read(NetworkStream stream, Span<byte> buffer, long until)
    {
        var left = until - Environment.TickCount64;
        if (left <= 0)
        {
            throw new IOException("it took too long", new SocketException((int)SocketError.TimedOut));
        }
        stream.ReadTimeout = (int)Math.Min(int.MaxValue, left);
        return stream.Read(buffer);
    }

    /// <summary>When an exchange that begins now must be over.</summary>
    internal static long Deadline => Environment.TickCount64 + (long)AnswerLimit.TotalMilliseconds;

    /// <summary>Connects, or returns null where there is no socket or nobody behind it.</summary>
    /// <exception cref="ControlException">Somebody is behind it who is none of the holders, or it can't be connected to.</exception>
    internal static NetworkStream? Connect(string path, SocketHolders holders) => Open(path, SocketType.Stream, holders) is { } socket
        ? new(socket, ownsSocket: true) { ReadTimeout = (int)AnswerLimit.TotalMilliseconds, WriteTimeout = (int)AnswerLimit.TotalMilliseconds } : null;

    private static Socket? Open(string path, SocketType type, SocketHolders holders)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > 107)
        {
            throw new ControlException($"the socket's path is longer than the 107 bytes that Linux allows: {path}");
        }
        FileDescriptor? file;
        try
        {
            file = SocketFile.Hold(path);
        }
        catch (Exception e) when (e is IOException or LinuxException)
        {
            throw new ControlException($"can't connect to {Declaration.Printable.Of(path)}: {Declaration.Printable.Of(e.Message)}", e);
        }
        if (file is null)
        {
            return null;
        }
        using var held = file;
        var socket = new Socket(AddressFamily.Unix, type, ProtocolType.Unspecified);
        try
        {
            // A socket with a full queue would keep us; who serves one answers at once.
            socket.SendTimeout = (int)AnswerLimit.TotalMilliseconds;
            socket.Connect(new UnixDomainSocketEndPoint($"/proc/self/fd/{file.Value}"));
            holders.Check(socket, path);
            return socket;
        }
        catch (ControlException)
        {
            socket.Dispose();
            throw;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.AddressNotAvailable || !File.Exists(path))
        {
            socket.Dispose();
            return null;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new ControlException($"can't connect to {path}: {e.Message}", e);
        }
    }
}
