using Microvm.Linux;

namespace Microvm.Network.Applying;

/// <summary>Deletes links of ours, many in one transaction, and never one of somebody else's.</summary>
internal sealed class LinkRemover(RouteSocket route)
{
    private readonly RouteBatch _batch = new();

    /// <summary>Deletes the links that still are what they were seen to be; those that are gone are no error.</summary>
    /// <param name="isOurs">Whether a link with one of these ifindexes is the one that was seen.</param>
    /// <param name="seen">All links of the namespace, where they were listed just now; they are listed otherwise.</param>
    /// <param name="despiteRefusals">Deletes what can be deleted, and tells of refusals at the end.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    internal void Remove(IReadOnlyCollection<int> indexes, Func<Link, bool> isOurs, IReadOnlyList<Link>? seen = null, bool despiteRefusals = false)
    {
        if (indexes.Count == 0)
        {
            return;
        }
        var wanted = indexes.ToHashSet();
        var links = seen ?? route.Links(statistics: false);
        var there = links.Where(l => wanted.Contains(l.Index) && isOurs(l)).ToList();
        if (there.Count > 1)
        {
            Together(there, links, isOurs, despiteRefusals);
        }
        else if (there.Count == 1)
        {
            _batch.Delete(there[0].Index, there[0].Name);
            route.CommitToWhatIsThere(_batch);
        }
    }

    // One group of our own choosing, so that nobody else can have joined it, and one deletion: each costs the kernel a wait
    // for all processors, however many links it deletes.
    private void Together(List<Link> there, IReadOnlyList<Link> all, Func<Link, bool> isOurs, bool despiteRefusals)
    {
        var used = all.Select(l => l.Group).ToHashSet();
        uint group;
        do
        {
            group = (uint)Random.Shared.Next(1 << 28, int.MaxValue);
        }
        while (used.Contains(group));
        foreach (var link in there)
        {
            _batch.SetGroup(link.Index, link.Name, group);
        }
        var refusals = route.Try(_batch).Where(e => e.Errno != Errno.ENODEV).ToList();
        if (!despiteRefusals)
        {
            LinuxException.ThrowIfAny(refusals);
        }
        var mine = there.Select(l => l.Index).ToHashSet();
        var members = route.Links(statistics: false).Where(l => l.Group == group).ToList();
        var others = members.Where(l => !mine.Contains(l.Index) || !isOurs(l)).ToList();
        if (others.Count > 0)
        {
            // Somebody else's link took an ifindex in between: it leaves the group before that is deleted.
            foreach (var link in others)
            {
                _batch.SetGroup(link.Index, link.Name, all.FirstOrDefault(a => a.Name == link.Name)?.Group ?? 0);
            }
            route.CommitToWhatIsThere(_batch);
        }
        if (members.Count > others.Count)
        {
            _batch.DeleteGroup(group);
        }
        refusals.AddRange(route.Try(_batch).Where(e => e.Errno != Errno.ENODEV));
        LinuxException.ThrowIfAny(refusals);
    }
}
