using System.Net;
using System.Net.Sockets;

namespace Microvm.Declaration;

/// <summary>The rules of one entry of <c>microvm.forwardPorts</c>.</summary>
internal sealed class ForwardPortReader(DiagnosticBag diagnostics)
{
    internal ForwardPort? Read(ObjectNode it)
    {
        var from = it.Text("from") ?? "host";
        var proto = it.Text("proto") ?? "tcp";
        var hostAddress = Address(it, "host");
        var guestAddress = Address(it, "guest");
        if (from == "guest" && guestAddress is "")
        {
            diagnostics.Error(it.PositionOf("from"), "a forward from the guest needs the address that the guest connects to: guest.address = \"10.0.2.10\"");
        }
        if (from == "guest" && hostAddress is "")
        {
            diagnostics.Error(it.PositionOf("from"), "a forward from the guest needs the host's address to connect to: host.address = \"127.0.0.1\"");
        }
        return it.Set("host").Number("port") is { } hostPort && it.Set("guest").Number("port") is { } guestPort && hostAddress is not null && guestAddress is not null
            ? new(from, proto, hostAddress, hostPort, guestAddress, guestPort, it.At) : null;
    }

    private string? Address(ObjectNode it, string side)
    {
        if (it.Set(side)?["address"] is not StringNode node || node.Value.Length == 0)
        {
            return "";
        }
        // IPAddress reads 10.1 and 0x7f000001 too; QEMU doesn't.
        if (IPAddress.TryParse(node.Value, out var ip) && ip.AddressFamily == AddressFamily.InterNetwork && ip.ToString() == node.Value)
        {
            return node.Value;
        }
        diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' is not an IPv4 address");
        return null;
    }
}
