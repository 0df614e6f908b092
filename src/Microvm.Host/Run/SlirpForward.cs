using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microvm.Declaration;

namespace Microvm.Host.Run;

/// <summary>A port of the host that slirp4netns forwards into the guest. In text it is one word of a command line.</summary>
internal sealed record SlirpForward(string Proto, string HostAddress, int HostPort, string GuestAddress, int GuestPort)
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);

    internal static SlirpForward Of(ForwardPort forward) => new(forward.Proto,
        forward.HostAddress ?? "0.0.0.0", forward.HostPort,
        forward.GuestAddress ?? "10.0.2.15", forward.GuestPort);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Proto},{HostAddress},{HostPort},{GuestAddress},{GuestPort}");

    /// <exception cref="FormatException">It is none.</exception>
    internal static SlirpForward Parse(string text) => text.Split(',') is [var proto, var host, var hostPort, var guest, var guestPort]
        ? new(proto, host, int.Parse(hostPort, CultureInfo.InvariantCulture), guest, int.Parse(guestPort, CultureInfo.InvariantCulture))
        : throw new FormatException($"'{text}' is no forward");

    /// <summary>Asks slirp4netns for it (slirp4netns(1), "API socket": one request in JSON and one answer a connection).</summary>
    /// <exception cref="IOException">It was refused.</exception>
    internal void Request(string apiSocket)
    {
        // The addresses were checked to be IPv4, so nothing here needs quoting.
        var request = string.Create(CultureInfo.InvariantCulture,
            $$"""{"execute":"add_hostfwd","arguments":{"proto":"{{Proto}}","host_addr":"{{HostAddress}}","host_port":{{HostPort}},"guest_addr":"{{GuestAddress}}","guest_port":{{GuestPort}} } }""");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
        {
            SendTimeout = (int)s_answer.TotalMilliseconds,
            ReceiveTimeout = (int)s_answer.TotalMilliseconds,
        };
        string text;
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(apiSocket));
            socket.Send(Encoding.ASCII.GetBytes(request));
            socket.Shutdown(SocketShutdown.Send);
            var answer = new byte[4096];
            text = Encoding.UTF8.GetString(answer, 0, socket.Receive(answer));
        }
        catch (SocketException e)
        {
            throw new IOException($"slirp4netns doesn't answer, asked to forward {Proto} port {HostPort} of the host: {e.Message}", e);
        }
        if (text.Contains("\"error\"", StringComparison.Ordinal))
        {
            throw new IOException($"slirp4netns can't forward {Proto} port {HostPort} of the host: {Printable.Of(text.Trim())}");
        }
    }
}
