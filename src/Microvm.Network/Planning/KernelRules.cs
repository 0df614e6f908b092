using Microvm.Linux;

namespace Microvm.Network.Planning;

/// <summary>What the kernel refuses of a lower device and of a bridge's port, known before it is asked. Pure.</summary>
/// <remarks>From macvlan_port_create(), macvlan_common_newlink(), macvlan_addr_busy() in drivers/net/macvlan.c, br_add_if() and find_portno() in
/// net/bridge/br_if.c, __netdev_upper_dev_link() in net/core/dev.c of Linux 6.18.</remarks>
internal sealed class KernelRules(IReadOnlyList<Link> links, IpTool ip)
{
    /// <summary>A bridge's ports: BR_MAX_PORTS, of which number 0 is given to none.</summary>
    internal const int MostPorts = 1023;

    /// <summary>Links on links: MAX_NEST_DEV.</summary>
    private const int MostLevels = 8;

    // Links of these kinds take their lower device's frames by its one rx_handler.
    private static readonly string[] s_takers = ["ipvlan", "ipvtap", "macsec"];

    // Who is attached to one of these has its rx_handler taken; a VRF and batman-adv leave it free.
    private static readonly string[] s_freeMasters = ["vrf", "batadv"];

    // Kinds whose IFLA_LINK names what they stand on; a veth's names its peer.
    private static readonly string[] s_stacked = ["macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "macsec"];

    private readonly Dictionary<int, Link> _byIndex = links.DistinctBy(l => l.Index).ToDictionary(l => l.Index);
    private readonly ILookup<int, Link> _on = links.Where(l => l.Lower is not null && l.Kind is { } kind && s_stacked.Contains(kind)).ToLookup(l => l.Lower!.Value);
    private ILookup<int, Link>? _above;
    private readonly ILookup<int, Link> _ports = links.Where(l => l.Master is not null).ToLookup(l => l.Master!.Value);

    /// <summary>Why no macvtap or macvlan can stand on a device, as the end of "'ID' needs the lower device 'NAME', ..."; null where one can.</summary>
    internal string? LowerDevice(Link device)
    {
        if (device.Loopback)
        {
            return "which is the loopback device; a macvtap needs an Ethernet device";
        }
        if (device.HardwareType is not (Link.Ethernet or 0))
        {
            return "which is no Ethernet device, and can carry no macvtap";
        }
        if (device.Kind == "vrf")
        {
            return "which is a VRF, and can carry no macvtap; name a device that is attached to it";
        }
        if (device.Master is { } master && _byIndex.GetValueOrDefault(master) is var above && !(above?.Kind is { } kind && s_freeMasters.Contains(kind)))
        {
            return above?.Kind == "bridge" ? $"which is a port of the bridge '{above.Name}'; use type \"tap\" with that bridge"
                : $"which is attached to '{above?.Name ?? $"link {master}"}'; name that one, or take it off: {ip.Command("link", "set", device.Name, "nomaster")}";
        }
        if (_on[device.Index].FirstOrDefault(l => s_takers.Contains(l.Kind)) is { } taker)
        {
            return $"whose frames go to '{taker.Name}', {Article(taker.Kind!)}; the kernel gives a device one of macvlan, ipvlan and macsec at a time";
        }
        return Level(device, MostLevels) >= MostLevels ? $"on which no further link can stand: it is the {MostLevels}th of links upon links" : null;
    }

    /// <summary>Who has the MAC on a lower device already, as the end of such a sentence; null for nobody. Those that are down do not count: the kernel looks when one is brought up.</summary>
    /// <param name="isOther">Whether a link is another than the wanted, and stays as it is.</param>
    internal string? Mac(string mac, Link device, Func<Link, bool> isOther) =>
        device.Address == mac ? "whose own MAC is the one that is declared; give the interface another: microvm mac"
        : _on[device.Index].FirstOrDefault(l => l.Macvlan is not null && l.Up && l.Address == mac && isOther(l)) is { } twin
            ? $"on which '{twin.Name}' has the MAC that is declared already; give the interface another: microvm mac" : null;

    /// <summary>Why a bridge takes no further port, as the end of "'ID' needs the bridge 'NAME', ..."; null where it does.</summary>
    internal string? Bridge(Link bridge) => Height(bridge, MostLevels) >= MostLevels
        ? $"to which nothing more can be attached: {MostLevels - 1} links stand upon each other on it, and the kernel allows {MostLevels} levels; take the uppermost away" : null;

    /// <summary>Whether the kernel knows locked ports: it tells so of every port; where there is none, its version does.</summary>
    internal static bool LocksPorts(IReadOnlyList<Link> links, Version kernel) => links.FirstOrDefault(l => l.CanLock is not null)?.CanLock ?? kernel >= s_lockedPorts;

    // The first with IFLA_BRPORT_LOCKED.
    private static readonly Version s_lockedPorts = new(5, 18);

    /// <summary>How many ports a bridge has.</summary>
    internal int Ports(int bridge) => _ports[bridge].Count();

    /// <summary>Why a link that is there can be attached to no bridge; null where it can.</summary>
    internal string? Port(Link link) => _on[link.Index].FirstOrDefault(l => l.Macvlan is not null || s_takers.Contains(l.Kind)) is { } above
        ? $"'{above.Name}', {Article(above.Kind!)}, is on top of it and takes its frames; delete that one first: {ip.Command("link", "delete", above.Name)}" : null;

    private int Level(Link link, int limit)
    {
        if (limit <= 1)
        {
            return 1;
        }
        var below = (link.Under ?? (link.Kind is { } kind && s_stacked.Contains(kind) ? link.Lower : null)) is { } lower && _byIndex.TryGetValue(lower, out var device) ? [device] : _ports[link.Index];
        return 1 + below.Select(l => Level(l, limit - 1)).DefaultIfEmpty(0).Max();
    }

    /// <summary>How many levels a link and what stands on it are (upper_level in struct net_device).</summary>
    private int Height(Link link, int limit)
    {
        if (limit <= 1)
        {
            return 1;
        }
        var above = Above[link.Index].Concat(link.Master is { } master && _byIndex.TryGetValue(master, out var upper) ? [upper] : []);
        return 1 + above.Select(l => Height(l, limit - 1)).DefaultIfEmpty(0).Max();
    }

    private ILookup<int, Link> Above => _above ??= links.Where(l => l.Under is not null || (l.Lower is not null && l.Kind is { } kind && s_stacked.Contains(kind))).ToLookup(l => l.Under ?? l.Lower!.Value);

    private static string Article(string kind) => $"{(kind[0] is 'a' or 'e' or 'i' or 'o' or 'u' ? "an" : "a")} {kind}";
}
