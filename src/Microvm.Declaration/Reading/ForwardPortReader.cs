using System.Net;
using System.Net.Sockets;

namespace Microvm.Declaration;

/// <summary>The rules of one entry of <c>microvm.forwardPorts</c>.</summary>
internal sealed class ForwardPortReader(DiagnosticBag diagnostics)
{
    internal IEnumerable<ForwardPort> Read(ObjectNode it)
    {
        var from = it.Text("from") ?? "host";
        var proto = it.Text("proto") ?? "tcp";
        var isHostGood = Address(it, "host", out var hostAddress);
        var isGuestGood = Address(it, "guest", out var guestAddress);
        if (from == "guest" && isGuestGood && guestAddress is null)
        {
            diagnostics.Error(it.PositionOf("from"), "a forward from the guest needs the address that the guest connects to: guest.address = \"10.0.2.10\"");
        }
        if (from == "guest" && isHostGood && hostAddress is null)
        {
            diagnostics.Error(it.PositionOf("from"), "a forward from the guest needs the host's address to connect to: host.address = \"127.0.0.1\"");
        }
        if (!isHostGood || !isGuestGood || it.Set("host").Number("port") is not { } hostPort
            || it.Set("guest").Number("port") is not { } guestPort)
        {
            return [];
        }
        var count = it.Number("count") is { } n and > 0 and <= ushort.MaxValue ? n : 1;
        if (Math.Max(hostPort, guestPort) + count - 1 > ushort.MaxValue)
        {
            diagnostics.Error(it.PositionOf("count"), $"{count} ports from {Math.Max(hostPort, guestPort)} on end beyond {ushort.MaxValue}");
            return [];
        }
        return Enumerable.Range(0, count).Select(i => new ForwardPort
        {
            From = from,
            Proto = proto,
            HostAddress = hostAddress,
            HostPort = hostPort + i,
            GuestAddress = guestAddress,
            GuestPort = guestPort + i,
            At = it.At,
        });
    }

    /// <summary>An address, or null for none; false where what stands there is no address.</summary>
    private bool Address(ObjectNode it, string side, out string? address)
    {
        address = null;
        if (it.Set(side)?["address"] is not StringNode node || node.Value.Length == 0)
        {
            return true;
        }
        // IPAddress reads 10.1 and 0x7f000001 too; QEMU doesn't.
        if (IPAddress.TryParse(node.Value, out var ip) && ip.AddressFamily == AddressFamily.InterNetwork && ip.ToString() == node.Value)
        {
            address = node.Value;
            return true;
        }
        diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' is not an IPv4 address");
        return false;
    }
}
