using Microvm.Declaration;

namespace Microvm.Cli.Explain;

/// <summary>What an interface type is, in words.</summary>
internal sealed record TypeText(string What, string When, string WhenNot, string Needs, string Example)
{
    internal static TypeText Of(InterfaceType type) => type switch
    {
        InterfaceType.User => new(
            "The hypervisor, or slirp4netns next to it, is the guest's router: it unpacks the guest's packets and sends their contents through sockets of its own.",
            "The guest only needs to reach the outside, without any set-up or privileges on the host: on a laptop, in CI.",
            "Others need to reach the guest (except on single ports, with forwardPorts), or you need speed or protocols other than TCP and UDP.",
            "Nothing on the host. The guest gets 10.0.2.15 by DHCP; the host's loopback is 10.0.2.2.",
            """{ type = "user"; id = "vm-u1"; mac = "02:00:00:00:00:01"; }"""),
        InterfaceType.Tap => new(
            "A tap is like an Ethernet NIC of the host whose cable leads to the hypervisor: what the guest sends arrives on it, and what the host sends to it arrives in the guest.",
            "You run servers: a tap is fast, can be bridged, routed or NATed as you like, and can be filtered and measured like any other link.",
            "You can't get the privileges to create it, not even once.",
            "'microvm up' creates it (which requires CAP_NET_ADMIN); the hypervisor then opens it as an ordinary user. Attach it to a bridge with 'bridge', or give it an address and a route.",
            """{ type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; bridge = "br0"; }"""),
        InterfaceType.Macvtap => new(
            "A macvtap puts the guest on the network of one of the host's NICs, with its own MAC address and without a bridge.",
            "Guests should be hosts on the physical network and use its DHCP server, and you don't want to rebuild the host's network around a bridge.",
            "Guest and host need to communicate (they can't, through the same NIC), the NIC is wireless, or the switch allows only one MAC address per port.",
            "A lower device that is up and not a port of a bridge. 'microvm up' creates the macvtap and makes the user the owner of /dev/tapN.",
            """{ type = "macvtap"; id = "vm-m1"; mac = "02:00:00:00:00:01"; macvtap = { link = "eth0"; mode = "bridge"; }; }"""),
        _ => new(
            "When the hypervisor starts, qemu-bridge-helper creates a tap and attaches it to a bridge; the tap disappears with the VM.",
            "Ordinary users should be able to start VMs on a bridge that root allowed once, with nothing to prepare for each VM.",
            "The link should stay while the VM restarts, or 'microvm status' should show it beforehand: use type tap with 'bridge'.",
            "The bridge; qemu-bridge-helper with its privileges; 'allow BRIDGE' in /etc/qemu/bridge.conf. QEMU runs without its sandbox, because it must start the helper.",
            """{ type = "bridge"; id = "vm-b1"; mac = "02:00:00:00:00:01"; bridge = "br0"; }"""),
    };
}
