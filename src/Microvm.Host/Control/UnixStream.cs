using System.Net.Sockets;

namespace Microvm.Host.Control;

/// <summary>Connections to Unix sockets.</summary>
internal static class UnixStream
{
    /// <summary>How long a hypervisor may take to answer a request.</summary>
    internal static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(5);

    /// <summary>Connects, or returns null where there is no socket or nobody behind it.</summary>
    internal static NetworkStream? Connect(string path)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > 107)
        {
            throw new ControlException($"the socket's path is longer than the 107 bytes that Linux allows: {path}");
        }
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return new NetworkStream(socket, ownsSocket: true) { ReadTimeout = (int)AnswerLimit.TotalMilliseconds, WriteTimeout = (int)AnswerLimit.TotalMilliseconds };
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
