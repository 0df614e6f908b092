using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Resources;

namespace Microvm.Network;

/// <summary>Why a VM could not open its links, told before the hypervisor's EINVAL does.</summary>
internal static class Preflight
{
    /// <summary>What is wrong with each link for this user, ending where the mending command is to be named.</summary>
    /// <param name="groups">The groups of that user.</param>
    public static IEnumerable<string> Faults(IEnumerable<DesiredLink> wanted, HostState state, uint user, IReadOnlySet<uint> groups)
    {
        var links = LinksByName.Of(state.Links);
        foreach (var want in wanted)
        {
            var link = links.GetValueOrDefault(want.Name);
            if (Ownership.Vm(link?.Alias) is { } other && other != want.Vm)
            {
                yield return $"the link '{want.Name}' belongs to the VM '{other}'; choose another id or take that one down, then";
            }
            else if ((want.Kind == LinkKind.Tap ? Tap(want, link, state, links, user, groups) : Macvlan(want, link, state, links, user)) is { } fault)
            {
                yield return fault;
            }
        }
    }

    private static string? Tap(DesiredLink wanted, Link? link, HostState state, IReadOnlyDictionary<string, Link> links, uint user, IReadOnlySet<uint> groups) =>
        link is null ? $"the tap '{wanted.Name}' is not there; make it with"
        : link.Tun is not { IsTap: true } tun ? $"the link '{wanted.Name}' is there but is no tap; delete it, then"
        : tun.MultiQueue != wanted.MultiQueue ? $"the tap '{wanted.Name}' {(wanted.MultiQueue ? "lacks multi_queue" : "is multi_queue")} and the VM has {(wanted.MultiQueue ? "more than one queue pair" : "one queue pair")}; {Mend(link)}"
        : tun.Owner is { } owner && owner != user ? $"the tap '{wanted.Name}' belongs to user {owner}, and the VM would run as user {user}; {Mend(link)}"
        : tun.Group is { } group && !groups.Contains(group) ? $"the tap '{wanted.Name}' is for group {group}, in which user {user} is not; {Mend(link)}"
        : Unjoined(wanted, link, state, links);

    private static string? Macvlan(DesiredLink wanted, Link? link, HostState state, IReadOnlyDictionary<string, Link> links, uint user)
    {
        var kind = wanted.Kind == LinkKind.Macvtap ? "macvtap" : "macvlan";
        if (link is null)
        {
            return $"the {kind} '{wanted.Name}' is not there; make it with";
        }
        if (link.Kind != kind)
        {
            return $"the link '{wanted.Name}' is there but is no {kind}; delete it, then";
        }
        if (wanted.Kind == LinkKind.Macvlan)
        {
            return Unjoined(wanted, link, state, links);
        }
        return state.Nodes.GetValueOrDefault(link.Index) is not { Present: true } node ? $"the macvtap '{wanted.Name}' has no node to open; fix it with"
            : user != 0 && node.User != user && (node.Mode & 0x12) == 0 ? $"{node.Path} of the macvtap '{wanted.Name}' belongs to user {node.User}, and the VM would run as user {user}; {Mend(link)}"
            : null;
    }

    /// <summary>The links that somebody has open already, and who. A second program would get the first one's packets, whether the kernel
    /// refuses it (a tap with one queue) or not (a tap with more, a macvtap).</summary>
    public static IEnumerable<(string Name, string Kind, string Holder)> Held(IEnumerable<DesiredLink> wanted, HostState state)
    {
        var links = LinksByName.Of(state.Links);
        return from want in wanted
               where want.Kind != LinkKind.Macvlan
               let link = links.GetValueOrDefault(want.Name)
               where link?.Alias is null || Ownership.Vm(link.Alias) is not { } vm || vm == want.Vm
               let holder = link is null ? null : state.Holders?.Of(link)
               where holder is not null
               select (want.Name, want.Kind == LinkKind.Tap ? "tap" : "macvtap", holder);
    }

    /// <summary>Whether every tap that is there belongs to this user, and one is there: a VM that runs as anybody else could open none.</summary>
    public static bool AllBelongTo(uint user, IEnumerable<DesiredLink> wanted, HostState state)
    {
        var names = wanted.Where(w => w.Kind == LinkKind.Tap).Select(w => w.Name).ToHashSet();
        var taps = state.Links.Where(l => l.Tun?.Owner is not null && names.Contains(l.Name)).ToList();
        return taps.Count > 0 && taps.TrueForAll(t => t.Tun!.Owner == user);
    }

    // 'up' leaves alone what somebody made by hand.
    private static string Mend(Link link) => Ownership.Vm(link.Alias) is null ? "it was not created by microvm, so delete it, then" : "fix it with";

    /// <summary>Links with which a VM starts and is not reached: those that are down, and those whose MAC is not the guest's, as they are when made by hand.</summary>
    /// <returns>The link, why, and the MAC that it should have, where that differs.</returns>
    public static IEnumerable<(string Name, string Why, MacAddress? Mac)> Unreached(IEnumerable<DesiredLink> wanted, HostState state)
    {
        var links = LinksByName.Of(state.Links);
        foreach (var want in wanted)
        {
            if (links.GetValueOrDefault(want.Name) is { } link)
            {
                var mac = want.Mac is { } guests && link.Address != guests.ToHex() ? want.Mac : null;
                if (mac is not null || !link.Up)
                {
                    yield return (want.Name, $"{(mac is null ? "" : "does not have the guest's MAC")}{(mac is null || link.Up ? "" : " and ")}{(link.Up ? "" : "is down")}", mac);
                }
            }
        }
    }

    private static string? Unjoined(DesiredLink wanted, Link link, HostState state, IReadOnlyDictionary<string, Link> links) =>
        wanted.RedirectTo is { } to && (!links.TryGetValue(to, out var target) || state.Redirects.GetValueOrDefault(link.Index) != target.Index)
            ? $"the link '{wanted.Name}' is not joined to '{to}'; fix it with" : null;
}
