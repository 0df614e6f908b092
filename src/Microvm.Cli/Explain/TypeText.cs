using Microvm.Declaration;

namespace Microvm.Cli.Explain;

/// <summary>What an interface type is, in words.</summary>
internal sealed record TypeText(string What, string When, string WhenNot, string Needs, string Example)
{
    internal static TypeText Of(InterfaceType type) => type switch
    {
        InterfaceType.User => new(
            "The hypervisor, or slirp4netns beside it, is the guest's router: it takes the guest's packets apart and sends their contents from sockets of its own.",
            "You want the guest to reach out, with no set-up and no privileges on the host; on a laptop, in CI.",
            "Others must reach the guest (but for single ports, by forwardPorts), you need speed, or protocols other than TCP and UDP.",
            "Nothing on the host. The guest gets 10.0.2.15 by DHCP; the host's loopback is 10.0.2.2.",
            """{ type = "user"; id = "vm-u1"; mac = "02:00:00:00:00:01"; }"""),
        InterfaceType.Tap => new(
            "A tap is an Ethernet card of the host whose cable ends in the hypervisor: what the guest sends arrives on it, what the host sends to it arrives in the guest.",
            "The usual choice for servers: bridged, routed or NATed as you like, filtered and measured like any other link, fast.",
            "You have no privileges on the host to make it, even once.",
            "'microvm up' makes it (CAP_NET_ADMIN); the hypervisor then opens it as an ordinary user. Add it to a bridge with 'bridge', or give it an address and route.",
            """{ type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; bridge = "br0"; }"""),
        InterfaceType.Macvtap => new(
            "A macvtap puts the guest on the network of one of the host's cards, with a MAC of its own, without a bridge.",
            "Guests should be hosts of the physical network, by its DHCP, and you don't want to rebuild the host's network around a bridge.",
            "Guest and host must talk to each other (they can't, over the same card), the card is wireless, or the switch allows one MAC a port.",
            "The lower device, up, and not a port of a bridge. 'microvm up' makes the macvtap and gives /dev/tapN to the user.",
            """{ type = "macvtap"; id = "vm-m1"; mac = "02:00:00:00:00:01"; macvtap = { link = "eth0"; mode = "bridge"; }; }"""),
        _ => new(
            "The tap is made on the spot, by qemu-bridge-helper, when the hypervisor starts, and put onto a bridge; it is gone when the VM is.",
            "Ordinary users should start VMs on a bridge that root allowed once, with nothing prepared for each VM.",
            "You want the link to stay while the VM restarts, or to be seen by 'microvm status' before: take type tap with 'bridge'.",
            "The bridge; qemu-bridge-helper with its privileges; 'allow BRIDGE' in /etc/qemu/bridge.conf. QEMU runs with a laxer sandbox, since it must start the helper.",
            """{ type = "bridge"; id = "vm-b1"; mac = "02:00:00:00:00:01"; bridge = "br0"; }"""),
    };
}
