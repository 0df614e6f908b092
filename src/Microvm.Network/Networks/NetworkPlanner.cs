using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Applying;

namespace Microvm.Network.Networks;

/// <summary>Makes the part of a plan that is about networks. Nothing is asked of the kernel where there is none.</summary>
internal static class NetworkPlanner
{
    /// <param name="vms">All VMs of the command.</param>
    internal static NetworkPlan ForUp(RouteSocket route, IReadOnlyList<DesiredNetwork> wanted, IReadOnlyList<Link> links, IReadOnlyCollection<string> vms)
    {
        var (addresses, routes) = (route.Addresses(), route.Routes());
        var indexes = new FreeIndexes(links, macvtaps: false).Take(wanted.Count);
        List<NetworkSite> sites = [.. wanted.Select((w, n) => new NetworkSite(route, w.Declared, links, addresses, routes, indexes[n]))];
        List<NetworkStep> steps = [];
        List<Refusal> refusals = [];
        List<Reservation> all = [];
        foreach (var (site, want) in sites.Zip(wanted))
        {
            refusals.AddRange([.. BridgeResource.Faults(site), .. AddressResource.Choose(site, sites.Where(s => s != site)), .. RulesetResource.Faults(site), .. ServiceResource.Faults(site)]);
            if (site.HasHost && site.Gateways.Count == 0)
            {
                continue;
            }
            var reservations = MemberResource.Reserve(site, want.Members);
            all.AddRange(reservations);
            var members = MemberResource.Up(site, want.Members, reservations, vms).ToList();
            refusals.AddRange(ForwardResource.Faults(site, want.Members));
            steps.AddRange([.. BridgeResource.Up(site), .. AddressResource.Up(site), RulesetResource.Up(site), .. ForwardingResource.Up(site), .. RouteOutside(site), .. members,
                .. ForwardResource.Up(site, want.Members, reservations, vms),
                .. ServiceResource.Up(site, members.Exists(m => m.Kind != StepKind.Keep))]);
        }
        return new(steps, refusals) { Reservations = all, Coming = [.. sites.Where(s => s.Bridge is null).Select(BridgeResource.Coming)] };
    }

    /// <summary>What a router outside has to be told of a routed network, for the person who looks after it.</summary>
    private static IEnumerable<NetworkStep> RouteOutside(NetworkSite site) => site.Wanted.Kind != NetworkKind.Routed ? []
        : site.Gateways.Select(g => site.Step(StepKind.Keep, "route", site.UplinkAddress(g.IsV6) is { } way
            ? $"the router outside needs: ip {(g.IsV6 ? "-6 " : "")}route add {g.At(0)}/{g.PrefixLength} via {way.Address}"
            : $"this host has no default route for {(g.IsV6 ? "IPv6" : "IPv4")}, so nobody outside reaches {g.At(0)}/{g.PrefixLength}"));

    /// <summary>Networks of ours on which VMs were that go, and those that are named: taken down where nobody is left on them.</summary>
    /// <param name="going">The links that are deleted before.</param>
    /// <param name="named">Networks to be taken down though no link that goes was on them.</param>
    internal static NetworkPlan ForDown(IReadOnlyList<Link> links, IReadOnlyList<Link> going, IReadOnlyCollection<string> named)
    {
        var bridges = links.Where(l => l.Kind == "bridge" && NetworkSite.NetworkOf(l) is { } name && (named.Contains(name) || going.Any(g => g.Master == l.Index))).ToList();
        var goingIndexes = going.Select(g => g.Index).ToHashSet();
        var left = links.Where(l => l.Master is not null && !goingIndexes.Contains(l.Index)).ToLookup(l => l.Master!.Value);
        HashSet<string> ending = [.. bridges.Where(b => !left[b.Index].Any()).Select(b => NetworkSite.NetworkOf(b)!)];
        List<NetworkStep> steps = [], last = [];
        foreach (var bridge in bridges)
        {
            var name = NetworkSite.NetworkOf(bridge)!;
            if (ending.Contains(name))
            {
                steps.AddRange(Rest(name, links, ending));
                last.Add(new(StepKind.Delete, name, bridge.Name, "nobody is on it any more", null));
                continue;
            }
            var users = left[bridge.Index].Select(l => $"'{Printable.Of(l.Name)}'{(Ownership.Vm(l.Alias) is { } vm ? $" of {vm}" : "")}").ToList();
            steps.Add(new(StepKind.Keep, name, bridge.Name, $"the network stays: {string.Join(", ", users.Take(3))}{(users.Count > 3 ? $" and {users.Count - 3} more" : "")} {(users.Count == 1 ? "is" : "are")} on it"));
            var staying = left[bridge.Index].Select(l => Ownership.Vm(l.Alias)).ToHashSet();
            var gone = going.Where(g => g.Master == bridge.Index).Select(g => Ownership.Vm(g.Alias)).OfType<string>().Distinct().Where(v => !staying.Contains(v)).ToList();
            steps.AddRange(gone.SelectMany(vm => new[] { new NftTable(name, vm).Down($"'{vm}' is on the network no longer"), MemberResource.Down(name, vm) }).OfType<NetworkStep>());
            if (gone.Count > 0 && ServiceResource.IsRunning(new(name)))
            {
                steps.Add(ServiceResource.Reload(name));
            }
        }
        // A network whose bridge somebody deleted left the rest behind.
        foreach (var name in NetworkFolder.All().Where(n => named.Contains(n) && links.All(l => NetworkSite.NetworkOf(l) != n)))
        {
            steps.AddRange(Rest(name, links, [.. ending, name]));
            last.Add(new(StepKind.Delete, name, DeclaredNetwork.BridgeOf(name).Value, "its bridge is gone", null));
        }
        return new([.. steps, .. last], []);
    }

    private static IEnumerable<NetworkStep> Rest(string name, IReadOnlyList<Link> links, HashSet<string> ending) =>
        new[] { ServiceResource.Down(name) }.OfType<NetworkStep>().Concat(ForwardingResource.Down(name, links, ending))
            .Concat(NftTable.OfVms(name).Append(new(name)).Select(t => t.Down("it is ours")).OfType<NetworkStep>());

    /// <summary>Deletes the bridges of networks that end, once all else is done, and what is left of them below /run.</summary>
    internal static void Finish(RouteSocket route, NetworkPlan plan, IReadOnlyList<Link> links)
    {
        foreach (var step in plan.Steps.Where(s => s.Kind == StepKind.Delete))
        {
            if (step.Do is null && links.FirstOrDefault(l => l.Name == step.Name && NetworkSite.NetworkOf(l) == step.Network) is { } bridge)
            {
                BridgeResource.Delete(route, bridge.Index, step.Network);
            }
            if (step.Do is null)
            {
                new NetworkFolder(step.Network).Remove();
            }
        }
    }
}
