using System.Net;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Resources;

/// <summary>What the host itself has on links: addresses, routes of the table main, and the MACs of stations that somebody set.</summary>
/// <param name="Addresses">By ifindex.</param>
/// <param name="Routes">By ifindex.</param>
/// <param name="Neighbours">By ifindex: the permanent ones.</param>
internal sealed record HostSides(ILookup<int, LinkAddress> Addresses, ILookup<int, Route> Routes, ILookup<int, LinkNeighbour> Neighbours)
{
    /// <summary>Looks where something is wanted, or may be left of what was; null where neither can be.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal static HostSides? Read(RouteSocket route, IReadOnlyList<DesiredLink> wanted, IReadOnlyList<Link> links)
    {
        if (!wanted.Any(w => w.HasHostSide))
        {
            // What is left of a declaration that has none any more is on a tap that is there.
            var taps = wanted.Where(w => w.Kind == LinkKind.Tap).Select(w => w.Alias).ToHashSet();
            if (taps.Count == 0 || !links.Any(l => l.Alias is { } alias && taps.Contains(alias)))
            {
                return null;
            }
            // A host may have a million routes of others.
            var (addresses, routes) = (route.Addresses(), route.Routes(Route.Ours));
            return addresses.Any(a => a.Origin == LinkAddress.Ours) || routes.Any(r => r.Protocol == Route.Ours) ? Read(route) : null;
        }
        return Read(route);
    }

    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal static HostSides Read(RouteSocket route) =>
        new(route.Addresses().ToLookup(a => a.Link), route.Routes().ToLookup(r => r.Link), route.Neighbours().Where(n => n.IsPermanent).ToLookup(n => n.Link));

    /// <summary>The route of something else to where a link's own is to lead; null where there is none.</summary>
    internal Route? InTheWay(DesiredLink want, int index) => want.HostRoutes.Select(r => Of(r, index))
        .Select(own => Routes.Where(g => g.Key != index).SelectMany(g => g).FirstOrDefault(r => r.Destination.Equals(own.Destination) && r.Metric == own.Metric)).FirstOrDefault(r => r is not null);

    /// <summary>What is to be set on a link, and what of ours is to go, in words and as requests.</summary>
    internal HostSideChange Change(DesiredLink want, int index) => new(
        [.. want.HostAddresses.Select(a => new LinkAddress(index, a.Address, a.PrefixLength, LinkAddress.Ours))],
        // A next hop may be reached by another of the routes.
        [.. want.HostRoutes.OrderBy(r => r.Via is not null).Select(r => Of(r, index))],
        [.. NeighboursOf(want, index)], this, index);

    /// <summary>The way back to what a link had, on the link that is there now.</summary>
    internal HostSideChange ChangeTo(HostSides had, int was, int index) => new([.. had.Addresses[was].Where(a => a.Origin == LinkAddress.Ours).Select(a => a with { Link = index })],
        [.. had.Routes[was].Where(r => r.Protocol == Route.Ours).OrderBy(r => r.Via is not null).Select(r => r with { Link = index })],
        [.. had.Neighbours[was].Where(n => n.Protocol == Route.Ours).Select(n => n with { Link = index })], this, index);

    /// <summary>Whether a link has something that microvm made.</summary>
    internal bool HasOurs(int index) => Addresses[index].Any(a => a.Origin == LinkAddress.Ours) || Routes[index].Any(r => r.Protocol == Route.Ours) || Neighbours[index].Any(n => n.Protocol == Route.Ours);

    private static Route Of(HostRoute r, int index) =>
        new(new(r.To.Address, r.To.PrefixLength), index, r.Metric ?? Route.UsualMetric(r.To.IsV6)) { Via = r.Via, Protocol = Route.Ours };

    /// <summary>Who has each address that leads to the guest itself.</summary>
    private static IEnumerable<LinkNeighbour> NeighboursOf(DesiredLink want, int index) =>
        want.HostRoutes.Select(r => r.Guest).OfType<IPAddress>().Distinct().Select(a => new LinkNeighbour(index, a, want.GuestMac.ToHex()) { IsPermanent = true, Protocol = Route.Ours });
}

/// <summary>The way from what the host has on a link to what it is to have. What others made is left alone, also where it is just what is wanted.</summary>
internal sealed class HostSideChange
{
    private readonly List<(string Text, Action<RouteBatch, string> Do)> _first = [], _missing = [], _surplus = [];

    internal HostSideChange(IReadOnlyList<LinkAddress> addresses, IReadOnlyList<Route> routes, IReadOnlyList<LinkNeighbour> neighbours, HostSides there, int index)
    {
        Addresses(addresses, [.. there.Addresses[index]]);
        foreach (var stale in there.Routes[index].Where(r => r.Protocol == Route.Ours && !routes.Any(w => Same(w, r))).Reverse())
        {
            _first.Add(($"the route to {Words(stale)}", (batch, name) => batch.DeleteRoute(name, stale)));
        }
        foreach (var route in routes.Where(w => !there.Routes[index].Any(r => Same(w, r))))
        {
            _missing.Add(($"the route to {Words(route)}", (batch, name) => batch.AddRoute(name, route)));
        }
        Neighbours(neighbours, [.. there.Neighbours[index]]);
    }

    /// <summary>Whether all is as wanted.</summary>
    internal bool IsNone => _missing.Count == 0 && _first.Count == 0 && _surplus.Count == 0;

    /// <summary>Whether an address goes beside which another one is in the same network: the kernel would take that one with it.</summary>
    internal bool TakesOthers { get; private set; }

    /// <summary>Whether the last IPv4 address goes: the kernel takes all IPv4 routes and neighbours of the link with it, whoever made them (fib_disable_ip()
    /// in net/ipv4/fib_frontend.c).</summary>
    internal bool TakesRoutes { get; private set; }

    /// <summary>What is not as wanted, as clauses about "it"; null where all is.</summary>
    internal string? Reason => IsNone ? null : string.Join(", ", _missing.Select(m => $"it lacks {m.Text}").Concat(_first.Concat(_surplus).Select(s => $"it has {s.Text}, which is no longer declared")));

    /// <summary>Adds the requests for what has to go before anything comes, on this link and on others.</summary>
    internal void Release(RouteBatch batch, string name) => _first.ForEach(s => s.Do(batch, name));

    /// <summary>Adds the requests for what comes, and then for the rest of what goes.</summary>
    internal void Set(RouteBatch batch, string name)
    {
        _missing.ForEach(m => m.Do(batch, name));
        _surplus.ForEach(s => s.Do(batch, name));
    }

    private void Addresses(IReadOnlyList<LinkAddress> wanted, IReadOnlyList<LinkAddress> there)
    {
        List<LinkAddress> stale = [.. there.Where(a => a.Origin == LinkAddress.Ours && !wanted.Any(w => Same(w, a)))];
        foreach (var gone in stale)
        {
            // An address of IPv6 is on a link once, whatever its prefix; of IPv4 the new one comes first, so that the routes stay.
            (gone.IsV6 ? _first : _surplus).Add(($"the address {gone}", (batch, name) => batch.DeleteAddress(name, gone)));
        }
        foreach (var address in wanted.Where(w => !there.Any(a => Same(w, a))))
        {
            _missing.Add(($"the address {address}", (batch, name) => batch.AddAddress(name, address)));
        }
        TakesOthers = stale.Exists(s => !s.IsV6 && s.PrefixLength < 32 && there.Except(stale).Concat(wanted).Any(o => o.Network.Equals(s.Network)));
        TakesRoutes = stale.Exists(s => !s.IsV6) && !there.Except(stale).Concat(wanted).Any(a => !a.IsV6);
    }

    private void Neighbours(IReadOnlyList<LinkNeighbour> wanted, IReadOnlyList<LinkNeighbour> there)
    {
        foreach (var stale in there.Where(n => n.Protocol == Route.Ours && !wanted.Any(w => w.Address.Equals(n.Address))))
        {
            _first.Add(($"the neighbour {stale.Address}", (batch, name) => batch.DeleteNeighbour(name, stale)));
        }
        foreach (var neighbour in wanted)
        {
            var now = there.FirstOrDefault(n => n.Address.Equals(neighbour.Address));
            // A MAC that somebody else set there is theirs.
            if (now is null || (now.Protocol == Route.Ours && now.Mac != neighbour.Mac))
            {
                _missing.Add(($"the neighbour {neighbour.Address}", (batch, name) => batch.AddNeighbour(name, neighbour)));
            }
        }
    }

    private static bool Same(LinkAddress one, LinkAddress other) => one.Address.Equals(other.Address) && one.PrefixLength == other.PrefixLength;

    private static bool Same(Route one, Route other) => one.Destination.Equals(other.Destination) && one.Metric == other.Metric && Equals(one.Via, other.Via);

    private static string Words(Route route) => $"{route.Destination}{(route.Via is null ? "" : $" via {route.Via}")}";
}
