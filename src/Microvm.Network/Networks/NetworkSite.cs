using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Networks;

/// <summary>One network on this host: what is wanted and what is there.</summary>
internal sealed class NetworkSite(RouteSocket route, DeclaredNetwork wanted, IReadOnlyList<Link> links, IReadOnlyList<LinkAddress> addresses, IReadOnlyList<Route> routes, int freeIndex)
{
    private const string Prefix = "microvm-network:";

    /// <summary>What stands in the bridge's IFLA_IFALIAS, and in the comments of what else has some.</summary>
    internal static string Mark(string network) => Prefix + network;

    /// <summary>The network whose link it is; null for any other link.</summary>
    internal static string? NetworkOf(Link link) => link.Alias?.StartsWith(Prefix, StringComparison.Ordinal) == true ? link.Alias[Prefix.Length..] : null;

    internal RouteSocket Route => route;
    internal DeclaredNetwork Wanted => wanted;
    internal string Name => wanted.Name;
    internal NetworkFolder Folder { get; } = new(wanted.Name);
    internal IReadOnlyList<Link> Links => links;

    /// <summary>The bridge's name as wanted.</summary>
    internal string BridgeName { get; } = DeclaredNetwork.BridgeOf(wanted.Name).Value;

    /// <summary>The network's own bridge, if it is there.</summary>
    internal Link? Bridge { get; } = links.FirstOrDefault(l => l.Alias == Mark(wanted.Name) && l.Kind == "bridge");

    /// <summary>The ifindex that the bridge has, or will have.</summary>
    internal int Index => Bridge?.Index ?? freeIndex;

    /// <summary>The addresses that the bridge has.</summary>
    internal IReadOnlyList<LinkAddress> Has => Bridge is null ? [] : [.. addresses.Where(a => a.Link == Bridge.Index)];

    /// <summary>The host's addresses in the network as they are to be; chosen where the declaration leaves that to us.</summary>
    internal IReadOnlyList<PrefixedAddress> Gateways { get; set; } = wanted.Addresses;

    /// <summary>Whether the host has addresses in the network.</summary>
    internal bool HasHost => wanted.Kind != NetworkKind.Internal;

    internal PrefixedAddress? V4 => Gateways.FirstOrDefault(g => !g.IsV6);
    internal PrefixedAddress? V6 => Gateways.FirstOrDefault(g => g.IsV6);

    /// <summary>All else on the host whose addresses would be shadowed: those of other links, and routes over them.</summary>
    internal IEnumerable<(PrefixedAddress Network, int Link)> Foreign =>
        addresses.Where(a => a.Link != Index && !a.Address.IsIPv6LinkLocal).Select(a => (new PrefixedAddress(a.Address, a.PrefixLength), a.Link))
        .Concat(routes.Where(r => !r.IsDefault && r.Link != Index && !r.Destination.BaseAddress.IsIPv6LinkLocal && !r.Destination.BaseAddress.IsIPv6Multicast)
            .Select(r => (new PrefixedAddress(r.Destination.BaseAddress, r.Destination.PrefixLength), r.Link)));

    /// <summary>The link by which packets of one family leave the host: the declared one, or that of the default route. Null where it is not there.</summary>
    internal Link? Uplink(bool v6) => wanted.Uplink is { } named ? links.FirstOrDefault(l => l.IsNamed(named.Value)) : routes.Where(r => r.IsDefault && r.Link != 0 && (r.Destination.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6) == v6)
        .OrderBy(r => r.Metric).Select(r => links.FirstOrDefault(l => l.Index == r.Link)).OfType<Link>().FirstOrDefault();

    /// <summary>The host's address on the way out, of a family.</summary>
    internal LinkAddress? UplinkAddress(bool v6) => Uplink(v6) is { } uplink
        ? addresses.FirstOrDefault(a => a.Link == uplink.Index && !a.Address.IsIPv6LinkLocal && a.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 == v6) : null;

    internal NetworkStep Step(StepKind kind, string name, string reason, Action<Applying.UndoLog>? work = null) => new(kind, Name, name, reason, work);
}
