using System.Net;
using System.Net.Sockets;

namespace Microvm.Declaration;

/// <summary>The rules of <c>guest</c> of an interface, and the parameter of the guest's kernel that tells it.</summary>
internal sealed class GuestSideReader(DiagnosticBag diagnostics)
{
    internal GuestSide? Read(ObjectNode it, InterfaceType? type)
    {
        if (it["guest"] is not ObjectNode guest)
        {
            return null;
        }
        if (type is InterfaceType.User)
        {
            diagnostics.Error(guest.At, "'guest' goes with types tap, macvtap and bridge: in a user network the hypervisor decides the guest's address");
        }
        var gateway = guest["gateway"] is StringNode g ? V4(g, "a gateway") : null;
        var dns = guest.Items("dns").OfType<StringNode>().Select(n => V4(n, "a name server")).OfType<IPAddress>().ToList();
        if (dns.Count > 2)
        {
            diagnostics.Error(guest.PositionOf("dns"), $"the kernel's command line has room for two name servers, and there are {dns.Count}; keep two");
        }
        var nodes = guest.Items("addresses").OfType<StringNode>().ToList();
        if (nodes.Count == 0)
        {
            if (gateway is not null || dns.Count > 0)
            {
                diagnostics.Error(guest.At, "guest.gateway and guest.dns go with guest.addresses; without an address of its own the guest asks DHCP for all three");
            }
            return null;
        }
        if (nodes.Count > 1)
        {
            diagnostics.Error(nodes[1].At, "the kernel's command line tells a guest one address; keep one, and give the others in the guest");
        }
        var slash = nodes[0].Value.IndexOf('/');
        if (HostSideReader.Prefixed(nodes[0].Value) is not { } address)
        {
            var example = slash < 0 && NetworkReader.TryAddress(nodes[0].Value, out _) ? $"{nodes[0].Value}/24" : "10.20.0.20/24";
            diagnostics.Error(nodes[0].At, $"'{Printable.Of(nodes[0].Value)}' is not an address with its prefix; write it like \"{example}\"");
            return null;
        }
        if (address.IsV6)
        {
            diagnostics.Error(nodes[0].At, $"{address.Address} can't be told on the kernel's command line, which has IPv4 alone; in a 'network' router advertisements and DHCP give the guest its IPv6 address");
            return null;
        }
        if (gateway is not null && !address.Holds(gateway))
        {
            diagnostics.Error(guest.PositionOf("gateway"), $"the gateway {gateway} is not in {address.At(0)}/{address.PrefixLength}, so the guest would not find it; give guest.addresses a shorter prefix, or name a gateway in there");
        }
        return new(address, gateway, dns, guest.At);
    }

    /// <summary>Adds what the guest is told to its kernel's parameters; without <c>guest</c> they stay as they are.</summary>
    internal MicrovmConfig Tell(MicrovmConfig vm)
    {
        if (vm.Interfaces.FirstOrDefault(i => i.Guest is not null) is not { Guest: { } guest } it)
        {
            return vm;
        }
        if (vm.Interfaces.Count > 1)
        {
            diagnostics.Error(guest.At, $"'guest' is for a VM with one interface, and this one has {vm.Interfaces.Count}: on the kernel's command line it is not said which of them has the address. Configure them in the guest, or let a 'network' give addresses");
        }
        if (vm.KernelParams.Split(' ').FirstOrDefault(w => w.StartsWith("ip=", StringComparison.Ordinal)) is { } other)
        {
            diagnostics.Error(guest.At, $"kernelParams has '{Printable.Of(other)}' already, and 'guest' says the same; keep one of them");
        }
        var network = vm.Networks.FirstOrDefault(n => n.Name == it.Network);
        var hosts = (network?.Addresses ?? it.HostAddresses).Select(a => a.Address).FirstOrDefault(guest.Address.Holds);
        // Behind the host of an isolated network is nothing.
        var gateway = guest.Gateway ?? (network?.Kind is NetworkKind.Isolated or NetworkKind.Internal ? null : hosts);
        IReadOnlyList<IPAddress> dns = guest.Dns.Count > 0 || network is not { Dns: true } || hosts is null ? guest.Dns : [hosts];
        var mask = new IPAddress([.. Enumerable.Range(0, 4).Select(n => (byte)(uint.MaxValue << 32 - guest.Address.PrefixLength >> 24 - 8 * n))]);
        // Documentation/admin-guide/nfs/nfsroot.rst: client:server:gateway:netmask:hostname:device:autoconf:dns0:dns1. No device is the only one, by whatever name
        // the guest knows it; without a host name the kernel would call itself by the address.
        var told = $"ip={guest.Address.Address}::{gateway}:{mask}:{vm.Name}::off{string.Concat(dns.Select(d => $":{d}"))}";
        return vm with { KernelParams = $"{vm.KernelParams} {told}".TrimStart() };
    }

    private IPAddress? V4(StringNode node, string what)
    {
        if (NetworkReader.TryAddress(node.Value, out var address) && address.AddressFamily == AddressFamily.InterNetwork)
        {
            return address;
        }
        diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' is not the IPv4 address of {what}; write it like \"10.20.0.1\"");
        return null;
    }
}
