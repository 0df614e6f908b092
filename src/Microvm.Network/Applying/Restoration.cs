using Microvm.Linux;

namespace Microvm.Network.Applying;

/// <summary>Makes links again that were deleted, as they were seen before, with all that depended on them.</summary>
internal sealed class Restoration(RouteSocket route, IReadOnlyList<Link> links, HostState state, LinkDependents dependents)
{
    /// <summary>Notes the ways back, to be noted before anything is deleted.</summary>
    internal void Remember(UndoLog undo)
    {
        undo.Push(MakeAgain);
        undo.Push(() => PutBackIntoGroups(route, links));
    }

    /// <summary>Links that were only moved into the group which was to be deleted.</summary>
    internal static void PutBackIntoGroups(RouteSocket route, IReadOnlyList<Link> links)
    {
        var there = route.Links(statistics: false).ToDictionary(l => l.Index);
        var batch = new RouteBatch();
        foreach (var link in links.Where(l => there.TryGetValue(l.Index, out var left) && left.Group != l.Group))
        {
            batch.SetGroup(link.Index, link.Name, link.Group);
        }
        route.CommitToWhatIsThere(batch);
    }

    private void MakeAgain()
    {
        var now = route.Links(statistics: false);
        var there = now.Select(l => l.Index).ToHashSet();
        var failures = new List<LinuxException>();
        var gone = links.Where(l => !there.Contains(l.Index)).Select(l => NewLink.Again(l, state.Nodes.GetValueOrDefault(l.Index))).ToList();
        for (var n = 0; n < gone.Count; n++)
        {
            if (gone[n].Master != 0 && !there.Contains(gone[n].Master))
            {
                failures.Add(new($"attach '{gone[n].Want.Name}' to its bridge again", Errno.ENODEV));
                gone[n] = gone[n] with { Master = 0 };
            }
        }
        if (!Make(gone, now, out _))
        {
            // One that can't be made again must not keep the others from it.
            foreach (var link in gone)
            {
                if (!Make([link], route.Links(statistics: false), out var why))
                {
                    failures.Add(why!);
                }
            }
        }
        var back = LinksByName.Of(route.Links(statistics: false));
        failures.AddRange(Carry(links.Where(l => !there.Contains(l.Index) && back.ContainsKey(l.Name)).ToDictionary(l => l, l => back[l.Name])));
        LinuxException.ThrowIfAny(failures);
    }

    /// <summary>Gives what depended on links to those that took their places.</summary>
    internal IReadOnlyList<LinuxException> Carry(IReadOnlyDictionary<Link, Link> places) =>
        dependents.Restore(route, places.ToDictionary(p => p.Key.Index, p => p.Value), places.Where(p => p.Key.Master is not null && p.Key.Master == p.Value.Master).Select(p => p.Key.Index).ToHashSet());

    /// <summary>Makes all of them, or none.</summary>
    private bool Make(IReadOnlyList<NewLink> again, IReadOnlyList<Link> now, out LinuxException? why)
    {
        var made = new Dictionary<int, NewLink>();
        try
        {
            new LinkMaker(route, () => { }).Make(again, new(now, again.Any(l => l.Want.Kind == LinkKind.Macvtap)), (index, link) => made[index] = link);
            why = null;
            return true;
        }
        catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException)
        {
            why = e as LinuxException ?? new LinuxException($"make '{again[0].Want.Name}' again: {e.Message}", 0);
            new LinkRemover(route).Remove(made.Keys, l => made.TryGetValue(l.Index, out var link) && link.IsMadeAs(l), despiteRefusals: true);
            return false;
        }
    }
}
