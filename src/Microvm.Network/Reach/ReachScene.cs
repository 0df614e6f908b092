using System.Globalization;
using System.Net;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Networks;

namespace Microvm.Network.Reach;

/// <summary>What decides about ways: declarations, and the host as it is. Without the host, what is declared is taken for what will be.</summary>
internal sealed record ReachScene(IReadOnlyList<MicrovmConfig> Vms)
{
    private static readonly IPAddress[] s_none = [];

    /// <summary>Whether the host was looked at.</summary>
    internal bool IsLive { get; init; }

    internal IReadOnlyList<Link> Links { get; init; } = [];
    internal IReadOnlyList<LinkAddress> Addresses { get; init; } = [];
    internal IReadOnlyList<Route> Routes { get; init; } = [];

    /// <summary>The forwarding entries of bridges, by port.</summary>
    internal ILookup<int, ForwardingEntry> Entries { get; init; } = Array.Empty<ForwardingEntry>().ToLookup(e => e.Port);

    /// <summary>The firewall; null where it was not looked at, or may not be.</summary>
    internal Firewall? Firewall { get; init; }

    /// <summary>The addresses that the host's networks gave to guests, by MAC.</summary>
    internal IReadOnlyDictionary<string, IReadOnlyList<IPAddress>> Reserved { get; init; } = new Dictionary<string, IReadOnlyList<IPAddress>>();

    /// <summary>A file of /proc/sys or /sys that holds a number; null where there is none.</summary>
    internal Func<string, int?> Setting { get; init; } = _ => null;

    internal IReadOnlyList<DeclaredNetwork> Networks => field ??= DeclaredNetwork.Of(Vms);

    /// <summary>Looks at the network namespace of the calling thread.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell its links.</exception>
    internal static ReachScene Read(RouteSocket route, IReadOnlyList<MicrovmConfig> vms) => new(vms)
    {
        IsLive = true,
        Links = route.Links(statistics: false),
        Addresses = route.Addresses(),
        Routes = route.Routes(),
        Entries = ForwardingEntry.Read(route),
        Firewall = ReadFirewall(),
        Reserved = NetworkFolder.All().SelectMany(n => Reservation.All(new(n))).GroupBy(r => r.Mac).ToDictionary(g => g.Key, g => (IReadOnlyList<IPAddress>)[.. g.SelectMany(r => r.Addresses)]),
        // What /sys shows of links is of the namespace that it was mounted in.
        Setting = path => (NetworkNamespace.IsHosts || !path.StartsWith("/sys/", StringComparison.Ordinal)) && File.Exists(path) && int.TryParse(File.ReadAllText(path), NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) ? value : null,
    };

    private static Firewall? ReadFirewall()
    {
        try
        {
            return Privileges.Permitted.Has(Capability.NetAdmin) ? Firewall.Read() : null;
        }
        catch (Exception e) when (e is LinuxException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A link by any of its names; null where it is not there, or nobody looked.</summary>
    internal Link? Link(string name) => Links.FirstOrDefault(l => l.IsNamed(name));

    /// <summary>A link by its index.</summary>
    internal Link? Link(int? index) => index is null ? null : Links.FirstOrDefault(l => l.Index == index);

    /// <summary>The addresses that a guest is known to have.</summary>
    internal IReadOnlyList<IPAddress> AddressesOf(MicrovmConfig vm, NetworkInterface i) =>
        [.. i.Addresses.Concat(Reserved.TryGetValue(i.Mac.ToString(), out var given) ? given : s_none).Distinct()];

    /// <summary>Whether an address is the host's own.</summary>
    internal bool IsHosts(IPAddress address) => Addresses.Any(a => a.Address.Equals(address)) || Networks.Any(n => n.Addresses.Any(a => a.Address.Equals(address)));

    /// <summary>The addresses of one of the host's links that a neighbour there can use: no link-local ones.</summary>
    internal IReadOnlyList<LinkAddress> AddressesOn(Link? link) => link is null ? [] : [.. Addresses.Where(a => a.Link == link.Index && !a.Address.IsIPv6LinkLocal)];

    /// <summary>The link of the default route; null where there is none.</summary>
    internal Link? Uplink => Link(Routes.Where(r => r.IsDefault).MinBy(r => r.Metric)?.Link);
}
