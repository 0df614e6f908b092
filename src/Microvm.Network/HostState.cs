using Microvm.Linux;

namespace Microvm.Network;

/// <summary>What the kernel was seen to have: the input of a plan.</summary>
/// <param name="Nodes">The character devices of macvtaps, by ifindex.</param>
/// <param name="Redirects">Where a link's frames are redirected, by ifindex.</param>
internal sealed record HostState(IReadOnlyList<Link> Links, IReadOnlyDictionary<int, MacvtapNode> Nodes, IReadOnlyDictionary<int, int> Redirects)
{
    /// <summary>Who has them open; null where nobody looked.</summary>
    public LinkHolders? Holders { get; init; }

    /// <summary>The forwarding entries of bridges' ports, by ifindex; none where nothing wanted asks for them.</summary>
    public ILookup<int, ForwardingEntry> Forwarding { get; init; } = s_noEntries;

    /// <summary>Which guests may send under which addresses; null where nobody looked.</summary>
    public Resources.GuardsSeen? Guards { get; init; }

    /// <summary>The addresses that networks give to guests, by MAC, as far as something wanted asks for them.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<System.Net.IPAddress>> Reserved { get; init; } = new Dictionary<string, IReadOnlyList<System.Net.IPAddress>>();

    private static readonly ILookup<int, ForwardingEntry> s_noEntries = Array.Empty<ForwardingEntry>().ToLookup(e => e.Port);

    /// <summary>The host's addresses, routes and neighbours on links; null where nobody looked.</summary>
    public Resources.HostSides? HostSides { get; init; }

    /// <summary>Links alone.</summary>
    public static HostState Of(IReadOnlyList<Link> links) => new(links, new Dictionary<int, MacvtapNode>(), new Dictionary<int, int>());

    /// <summary>The MTU of the link of that name, as its guest should have it; null where there is none.</summary>
    public uint? MtuOf(string name) => Links.FirstOrDefault(l => l.IsNamed(name))?.Mtu;

    /// <summary>Looks: one dump of the links, and more only where something wanted asks for it.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    /// <param name="vms">VMs of which nothing may be wanted any more.</param>
    /// <param name="hostSides">Whether to look for what the host has on taps.</param>
    public static HostState Read(RouteSocket route, IReadOnlyList<DesiredLink> wanted, bool statistics = false, IReadOnlyCollection<string>? vms = null, bool hostSides = true)
    {
        var links = route.Links(statistics);
        // A renamed link is known by its alias, one to be adopted by its name; what is to go has to be known in case it is put back.
        HashSet<string> names = [], owners = [.. vms ?? []];
        foreach (var want in wanted)
        {
            owners.Add(want.Vm);
            if (want.Kind != LinkKind.Tap || want.RedirectTo is not null)
            {
                names.Add(want.Name);
            }
        }
        return Complete(route, wanted, links, [.. links.Where(l => (l.Macvlan is not null || Ownership.IsPart(l.Alias))
            && (names.Contains(l.Name) || (Ownership.Vm(l.Alias) is { } vm && owners.Contains(vm))))]) with
        { HostSides = hostSides ? Resources.HostSides.Read(route, wanted, links) : null };
    }

    /// <summary>Looks at what is wanted and at every VM's links besides.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static HostState ReadAll(RouteSocket route, IReadOnlyList<DesiredLink> wanted, bool statistics = false)
    {
        var links = route.Links(statistics);
        var names = wanted.Select(w => w.Name).ToHashSet();
        return Complete(route, wanted, links, [.. links.Where(l => (l.Macvlan is not null && (names.Contains(l.Name) || Ownership.Vm(l.Alias) is not null)) || Ownership.IsPart(l.Alias))]) with
        { HostSides = Resources.HostSides.Read(route, wanted, links) };
    }

    private static HostState Complete(RouteSocket route, IReadOnlyList<DesiredLink> wanted, IReadOnlyList<Link> links, IReadOnlyList<Link> macvlans)
    {
        var forwarding = wanted.Any(w => w.AntiSpoof is not null) ? ForwardingEntry.Read(route) : s_noEntries;
        var guarded = wanted.Where(w => w.AntiSpoof == Declaration.AntiSpoof.Ip).ToList();
        var guards = Resources.GuardTable.Read(guarded.Count > 0);
        var reserved = Networks.Reservation.ByMac(guarded.Select(w => w.Network).OfType<string>().Distinct().SelectMany(n => Networks.Reservation.All(new(n))));
        var nodes = macvlans.Count == 0 ? new Dictionary<int, MacvtapNode>() : MacvtapDevice.Find(macvlans.Where(l => l.Kind == "macvtap").Select(l => (l.Name, l.Index)));
        var redirects = new Dictionary<int, int>();
        foreach (var link in macvlans.Where(l => l.Kind != "macvtap"))
        {
            if (route.RedirectTarget(link.Index) is { } target)
            {
                redirects[link.Index] = target;
            }
        }
        return new(links, nodes, redirects) { Forwarding = forwarding, Guards = guards, Reserved = reserved, Holders = new(links, nodes) };
    }
}
