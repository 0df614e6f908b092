using Microvm.Linux;
using Microvm.Network.Resources;

namespace Microvm.Network.Applying;

/// <summary>Gives the host its own on all links of a plan at once: what goes from one link may be to come to another.</summary>
internal sealed class HostSideSetter(RouteSocket route, IReadOnlyList<Step> steps, HostState state)
{
    private readonly List<Step> _touched = [.. steps.Where(s => s.Kind is StepKind.Create or StepKind.Change or StepKind.Replace && s.Desired!.Kind == LinkKind.Tap
        && (s.Desired.HasHostSide || s.Differs.HasFlag(Difference.HostSide) || (s.Observed is { } link && state.HostSides?.HasOurs(link.Index) == true)))];

    /// <summary>Notes the way back. It is the first that is noted, since links that are down, or not there, can have nothing.</summary>
    internal void Remember(UndoLog undo)
    {
        if (state.HostSides is { } had && _touched.Exists(s => s.Observed is not null))
        {
            undo.Push(() => Carry((links, now) =>
            {
                var there = links.Where(l => l.Alias is not null).ToLookup(l => l.Alias!);
                return from step in _touched
                       where step.Observed is not null
                       from link in there[step.Observed!.Alias ?? step.Desired!.Alias].Take(1)
                       select (link, now.ChangeTo(had, step.Observed!.Index, link.Index));
            }, route.CommitToWhatIsThere));
        }
    }

    /// <exception cref="LinuxException">The kernel refused.</exception>
    internal void Set()
    {
        if (_touched.Count > 0)
        {
            Carry((links, now) =>
            {
                var named = LinksByName.Of(links);
                return from step in _touched where named.ContainsKey(step.Name) select (named[step.Name], now.Change(step.Desired!, named[step.Name].Index));
            }, route.Commit);
        }
    }

    private void Carry(Func<IReadOnlyList<Link>, HostSides, IEnumerable<(Link Link, HostSideChange Change)>> of, Action<RouteBatch> commit)
    {
        var links = route.Links(statistics: false);
        List<(Link Link, HostSideChange Change)> changes = [.. of(links, HostSides.Read(route))];
        List<Link> ending = [.. changes.Where(c => c.Change.TakesRoutes).Select(c => c.Link)];
        var lost = ending.Count == 0 ? null : LinkDependents.Read(route, ending, links);
        Commit(changes, commit);
        if (lost is not null)
        {
            var there = ending.ToDictionary(l => l.Index);
            LinuxException.ThrowIfAny(lost.Restore(route, there, there.Keys.ToHashSet(), IsTakenAlong));
            Commit([.. of(links, HostSides.Read(route))], commit);
        }
    }

    /// <summary>What of others goes with a link's last IPv4 address: routes, neighbours, proxy entries.</summary>
    private static bool IsTakenAlong(Carried thing) => thing.Type switch
    {
        CarriedKinds.RTM_NEWROUTE => thing.Body[5] != Route.Ours,
        CarriedKinds.RTM_NEWNEIGH => thing.Body[0] != CarriedKinds.AF_BRIDGE && LinkNeighbour.Parse(thing.Body)?.Protocol != Route.Ours,
        _ => false,
    };

    private static void Commit(List<(Link Link, HostSideChange Change)> changes, Action<RouteBatch> commit)
    {
        var batch = new RouteBatch();
        foreach (var (link, change) in changes)
        {
            if (change.TakesOthers)
            {
                // Else the kernel deletes the others of a network with the first address.
                LinkSetting.Write(link.Index, link.Name, "ipv4/conf", "promote_secondaries", "1", $"keep the other addresses of '{link.Name}'");
            }
            change.Release(batch, link.Name);
        }
        foreach (var (link, change) in changes)
        {
            change.Set(batch, link.Name);
        }
        commit(batch);
    }
}
