using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Control;

/// <summary>The Unix socket at which cloud-hypervisor and Firecracker take connections to their guest's vsock ports: <c>CONNECT 22</c>, a line, is answered by
/// <c>OK</c> and a number, and from there on the connection is the guest's (Firecracker's docs/vsock.md).</summary>
internal static class VsockMultiplexer
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>Connects to a port of the guest.</summary>
    /// <exception cref="IOException">Nobody is behind the socket, or nobody listens at the guest's port.</exception>
    /// <exception cref="ControlException">Somebody is behind the socket who is none of the holders.</exception>
    internal static Socket Open(string path, int port, SocketHolders holders)
    {
        var shown = Printable.Of(path);
        if (Encoding.UTF8.GetByteCount(path) > 107)
        {
            throw new IOException($"the socket's path is longer than the 107 bytes that Linux allows: {shown}");
        }
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = (int)s_patience.TotalMilliseconds, SendTimeout = (int)s_patience.TotalMilliseconds };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            holders.Check(socket, path);
            socket.Send(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"CONNECT {port}\n")));
            var answer = Line(socket);
            if (answer.Length == 0)
            {
                throw new IOException($"nothing listens at vsock port {port} of the guest, or it has not come so far yet");
            }
            if (!answer.StartsWith("OK ", StringComparison.Ordinal))
            {
                throw new IOException($"what listens at {shown} is no vsock of a hypervisor: it answers '{Printable.Of(answer)}'");
            }
            socket.ReceiveTimeout = socket.SendTimeout = 0;
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException(e.SocketErrorCode switch
            {
                SocketError.AddressNotAvailable => $"there is no {shown}, so the VM does not run",
                SocketError.ConnectionRefused => $"nobody serves {shown}, so the VM does not run",
                SocketError.AccessDenied => $"user {PosixProcess.EffectiveUser} may not connect to {shown}; run it with sudo",
                SocketError.TimedOut or SocketError.WouldBlock => $"the hypervisor behind {shown} did not answer within {s_patience.TotalSeconds:0} s",
                _ => $"can't connect to {shown}: {e.Message}",
            }, e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The first line, and not a byte more: what follows is the guest's. Empty where the connection ended before.</summary>
    private static string Line(Socket socket)
    {
        const int Most = 64;
        Span<byte> one = stackalloc byte[1];
        var line = new StringBuilder();
        while (line.Length < Most)
        {
            if (socket.Receive(one) == 0)
            {
                return "";
            }
            if (one[0] == '\n')
            {
                break;
            }
            line.Append((char)one[0]);
        }
        return line.ToString();
    }
}
