using Microvm.Linux;
using Microvm.Network.Resources;

namespace Microvm.Network.Applying;

/// <summary>A link to be made: from a declaration, or from what was seen before it was deleted.</summary>
/// <param name="Master">The ifindex of the link to be attached to; 0 for none.</param>
/// <param name="Lower">The ifindex of the lower device.</param>
/// <param name="Mtu">Its MTU; null leaves it to the kernel.</param>
internal sealed record NewLink(DesiredLink Want, uint LinkGroup, int Master, int Lower, bool Up = true, uint? Mtu = null)
{
    /// <summary>The MAC of a tap; null makes it the usual one.</summary>
    internal byte[]? Address { get; init; }

    /// <summary>Port settings to be given back; null for a new port's.</summary>
    internal BridgePort? Port { get; init; }

    /// <summary>VLANs to be given back; null for a new port's.</summary>
    internal PortVlans? Vlans { get; init; }

    /// <summary>Somebody turned IPv6 on, and it stays on.</summary>
    internal bool Ipv6On { get; init; }

    /// <summary>A link in the place of another keeps what the declaration says nothing of.</summary>
    internal static NewLink Of(Step step)
    {
        var made = new NewLink(step.Desired!, step.LinkGroup, step.Master, step.Lower, Mtu: step.Mtu) { Port = step.Port, Vlans = step.Vlans };
        return step is { Kind: StepKind.Replace, Observed: { } old } ? made with
        {
            Address = old.Tun is not null && old.Address is { Length: 12 } address ? Convert.FromHexString(address) : null,
            Ipv6On = step.Desired!.Ipv6Off && old is { Ipv6Disabled: false, Up: true },
        } : made;
    }

    /// <summary>Whether a link is the one that was made so, or has got half-way there.</summary>
    internal bool IsMadeAs(Link link) => link.Name == Want.Name && (link.Alias == Want.Alias || (link.Alias is null && link.Group == LinkGroup));

    /// <summary>What is needed to make a link as it was; the redirects of a pair are put back when both links are there.</summary>
    internal static NewLink Again(Link link, MacvtapNode? node) => new(new(
        link.Kind == "macvtap" ? LinkKind.Macvtap : link.Kind == "macvlan" ? LinkKind.Macvlan : LinkKind.Tap,
        Ownership.Vm(link.Alias) ?? "", Ownership.Id(link.Alias) ?? link.Name, link.Name, link.Tun?.Owner ?? node?.User, link.Tun?.Group ?? (node?.Group is 0 ? null : node?.Group))
    {
        Alias = link.Alias ?? "",
        MultiQueue = link.Tun?.MultiQueue ?? false,
        Mode = link.Macvlan?.Mode ?? MacvlanMode.Bridge,
        Mac = Mac(link.Address),
        Sources = [.. (link.Macvlan?.Sources ?? []).Select(Mac).OfType<Declaration.MacAddress>()],
        // The guest's end, without IPv6: what it is redirected to is not asked here.
        RedirectTo = Ownership.IsPart(link.Alias) ? "" : null,
    }, link.Group, TapResource.MasterOf(link), link.Lower ?? 0, link.Up, link.Mtu)
    {
        Address = link.Tun is not null && link.Address is { Length: 12 } address ? Convert.FromHexString(address) : null,
        Port = link.Port,
        Ipv6On = link.Ipv6Disabled == false,
    };

    private static Declaration.MacAddress? Mac(string? digits) =>
        digits is not null && Declaration.MacAddress.TryParse(string.Join(':', digits.Chunk(2).Select(c => new string(c))), out var mac, out _) ? mac : null;
}

/// <summary>Makes links, many at a time. Each is marked as ours before it can outlive us: a tap persists only once its alias
/// stands, a macvtap gets its alias in the system call that makes it. So wherever a process is killed, what is left carries our alias.</summary>
internal sealed class LinkMaker(RouteSocket route, Action checkpoint)
{
    /// <summary>Descriptors held at once; well below the usual limit of 1,024.</summary>
    internal const int Chunk = 200;

    private readonly RouteBatch _batch = new();

    /// <summary>Makes the links; each is told to <paramref name="made"/>, by ifindex, before it is begun.</summary>
    internal void Make(IReadOnlyList<NewLink> links, FreeIndexes free, Action<int, NewLink> made)
    {
        foreach (var chunk in links.Where(l => l.Want.Kind == LinkKind.Tap).Chunk(Chunk))
        {
            checkpoint();
            Taps(chunk, free, made);
        }
        var macvtaps = new List<(DesiredLink Want, int Index)>();
        foreach (var chunk in links.Where(l => l.Want.Kind != LinkKind.Tap).Chunk(Chunk))
        {
            checkpoint();
            Macvlans(chunk, free, (index, link) =>
            {
                made(index, link);
                if (link.Want.Kind == LinkKind.Macvtap)
                {
                    macvtaps.Add((link.Want, index));
                }
            });
        }
        if (macvtaps.Count > 0)
        {
            checkpoint();
            Grant(macvtaps);
        }
    }

    // All at once at the end: finding a macvtap's device means to list the devices of all.
    private static void Grant(List<(DesiredLink Want, int Index)> macvtaps)
    {
        var nodes = MacvtapDevice.Find(macvtaps.Select(m => (m.Want.Name, m.Index)));
        foreach (var (want, index) in macvtaps)
        {
            MacvtapDevice.Grant(nodes.GetValueOrDefault(index) ?? throw new LinuxException($"find the device of macvtap '{want.Name}' under /sys/dev/char", Errno.ENODEV), want.Owner, want.Group);
        }
    }

    private void Taps(NewLink[] links, FreeIndexes free, Action<int, NewLink> made)
    {
        var indexes = free.Take(links.Length);
        var taps = new TunDevice.Tap?[links.Length];
        try
        {
            for (var n = 0; n < links.Length; n++)
            {
                var (want, index) = (links[n].Want, indexes[n]);
                made(index, links[n]);
                taps[n] = TunDevice.Create(want.Name, want.MultiQueue, want.Owner, want.Group, index, links[n].Address ?? want.HostMac);
                _batch.NoQueue(index, want.Name).Mark(index, want.Name, want.Alias, links[n].LinkGroup, links[n].Master == 0 ? null : links[n].Master,
                    links[n].Mtu is { } mtu and not 1500 ? mtu : null);
                LinkResource.Of(want.Kind).Make(links[n], index, _batch);
            }
            route.Commit(_batch);
            foreach (var tap in taps)
            {
                tap!.Persist();
            }
        }
        finally
        {
            _batch.Clear();
            foreach (var tap in taps)
            {
                tap?.Dispose();
            }
        }
        // Up comes after close: a tap that nobody holds has no carrier, and without one IPv6 neither makes an address nor adds
        // its multicast route, whose cost grows with the square of the links.
        Finish(links, indexes);
    }

    private void Macvlans(NewLink[] links, FreeIndexes free, Action<int, NewLink> made)
    {
        var indexes = free.Take(links.Length);
        for (var n = 0; n < links.Length; n++)
        {
            var (want, index) = (links[n].Want, indexes[n]);
            made(index, links[n]);
            _batch.AddMacvlan(new(index, want.Name, want.Kind == LinkKind.Macvtap, links[n].Lower, want.Mac!.Value.ToBytes(), links[n].LinkGroup, want.Mode, [.. want.Sources.Select(s => s.ToBytes())]))
                .Mark(index, want.Name, want.Alias, links[n].LinkGroup);
            LinkResource.Of(want.Kind).Make(links[n], index, _batch);
            if (links[n].Mtu is { } mtu)
            {
                _batch.SetMtu(index, want.Name, mtu);
            }
        }
        route.Commit(_batch);
        Finish(links, indexes);
    }

    private void Finish(NewLink[] links, int[] indexes)
    {
        for (var n = 0; n < links.Length; n++)
        {
            if (links[n].Want.Ipv6Off && !links[n].Ipv6On)
            {
                LinkSetting.DisableIpv6(indexes[n], links[n].Want.Name, true);
            }
            if (links[n].Up)
            {
                _batch.SetUp(indexes[n], links[n].Want.Name, true);
            }
        }
        route.Commit(_batch);
    }
}

/// <summary>Gives out ifindexes that nobody has: choosing them saves looking each new link up, and keeps <c>/dev/tapN</c> unlike
/// in all network namespaces, which share one /dev.</summary>
internal sealed class FreeIndexes
{
    // The kernel counts its own numbers up from 1, and does not come here in the life of a host. A place at random besides:
    // a request that follows "make this link" in one batch must not meet somebody else's link under that number.
    private const int First = 1 << 24, Last = 1 << 30;
    private readonly HashSet<int> _used;
    private readonly IReadOnlySet<int> _nodes;
    private int _next = Random.Shared.Next(First, Last);

    internal FreeIndexes(IReadOnlyList<Link> links, bool macvtaps)
    {
        _nodes = macvtaps ? MacvtapDevice.UsedNumbers() : new HashSet<int>();
        _used = [.. links.Select(l => l.Index)];
    }

    internal int[] Take(int count)
    {
        var taken = new int[count];
        for (var n = 0; n < count; n++)
        {
            while (_nodes.Contains(_next) || _used.Contains(_next))
            {
                _next++;
            }
            taken[n] = _next++;
        }
        return taken;
    }
}
