using Microvm.Linux;

namespace Microvm.Network;

/// <summary>Carries out a plan, all of it or nothing: a failure undoes what was done, last first.</summary>
/// <param name="interrupted">Asked between steps; once it says true, everything is undone.</param>
internal sealed class Applier(RouteSocket route, Func<bool>? interrupted = null)
{
    private readonly RouteBatch _batch = new();
    private readonly LinkRemover _remover = new(route);
    private readonly Stack<Action> _undo = new();

    /// <param name="verify">Looks at the outcome, and throws where it is not as wanted: then everything is undone too.</param>
    /// <exception cref="LinuxException">The kernel refused a step; the host is as it was, or the message says what could not be put back.</exception>
    /// <exception cref="OperationCanceledException">It was interrupted; the host is as it was.</exception>
    public void Apply(Plan plan, HostState state, Action verify)
    {
        var steps = plan.Steps;
        try
        {
            var change = new LinkChange(state);
            Delete([.. steps.Where(s => s.Kind is StepKind.Delete or StepKind.Replace)], state);
            StepAside(LinkChange.InTheWay(steps), change);
            Create([.. steps.Where(s => s.Kind is StepKind.Create or StepKind.Replace)], state.Links);
            Change([.. steps.Where(s => s.Kind == StepKind.Change)], change);
            Redirect(steps, state);
            Checkpoint();
            verify();
        }
        catch (Exception e) when (e is LinuxException or OperationCanceledException or IOException or UnauthorizedAccessException)
        {
            var failures = Undo();
            if (failures.Count > 0)
            {
                throw new LinuxException($"{e.Message}; and putting the host back as it was failed: {string.Join("; ", failures)}. Run the command again", (e as LinuxException)?.Errno ?? 0);
            }
            throw;
        }
        MacvtapDevice.Sweep();
    }

    private void Checkpoint()
    {
        if (interrupted?.Invoke() == true)
        {
            throw new OperationCanceledException("interrupted; the host is as it was");
        }
    }

    private List<string> Undo()
    {
        var failures = new List<string>();
        while (_undo.TryPop(out var back))
        {
            try
            {
                back();
            }
            catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException)
            {
                // The rest must still be undone.
                failures.Add(e.Message);
            }
        }
        return failures;
    }

    private void Delete(IReadOnlyList<Step> steps, HostState state)
    {
        if (steps.Count == 0)
        {
            return;
        }
        Checkpoint();
        var links = steps.Select(s => s.Observed!).ToList();
        // Noted before the step: one whose answer got lost may have been carried out all the same.
        _undo.Push(() =>
        {
            var now = route.Links(statistics: false);
            var there = now.ToDictionary(l => l.Index);
            foreach (var link in links.Where(l => there.TryGetValue(l.Index, out var left) && left.Group != l.Group))
            {
                _batch.SetGroup(link.Index, link.Name, link.Group);
            }
            route.Commit(_batch);
            var gone = links.Where(l => !there.ContainsKey(l.Index)).Select(l => NewLink.Again(l, state.Nodes.GetValueOrDefault(l.Index), Partner(l, links))).ToList();
            new LinkMaker(route, () => { }).Make(gone, new(now, gone.Exists(l => l.Want.Kind == LinkKind.Macvtap)), (_, _) => { });
            Join([.. gone.Where(l => l.Want.RedirectTo is not null).Select(l => (l.Want.Name, l.Want.RedirectTo!))]);
        });
        var aliases = links.ToDictionary(l => l.Index, l => l.Alias);
        _remover.Remove([.. links.Select(l => l.Index)], l => l.Alias == aliases[l.Index] && Ownership.Vm(l.Alias) is not null);
    }

    private void Create(IReadOnlyList<Step> steps, IReadOnlyList<Link> seen)
    {
        if (steps.Count == 0)
        {
            return;
        }
        var made = new Dictionary<int, NewLink>();
        _undo.Push(() => _remover.Remove(made.Keys, l => made.TryGetValue(l.Index, out var link) && l.Name == link.Want.Name && (l.Alias == link.Want.Alias || (l.Alias is null && l.Group == link.LinkGroup))));
        var links = steps.Select(NewLink.Of).ToList();
        new LinkMaker(route, Checkpoint).Make(links, new(seen, links.Exists(l => l.Want.Kind == LinkKind.Macvtap)), (index, link) => made[index] = link);
    }

    private void StepAside(List<Link> links, LinkChange change)
    {
        if (links.Count == 0)
        {
            return;
        }
        Checkpoint();
        _undo.Push(() =>
        {
            LinkChange.StepBack(links, _batch);
            route.CommitToWhatIsThere(_batch);
        });
        change.StepAside(links, _batch);
        route.Commit(_batch);
    }

    private void Change(IReadOnlyList<Step> steps, LinkChange change)
    {
        if (steps.Count == 0)
        {
            return;
        }
        Checkpoint();
        _undo.Push(() =>
        {
            foreach (var step in steps)
            {
                change.Back(step, _batch);
            }
            // A link that vanished meanwhile can't be put back as it was.
            route.CommitToWhatIsThere(_batch);
        });
        foreach (var step in steps)
        {
            change.Forth(step, _batch);
        }
        route.Commit(_batch);
    }

    /// <summary>Joins pairs, once both links are there.</summary>
    private void Redirect(IReadOnlyList<Step> steps, HostState state)
    {
        var pairs = steps.Where(s => s.Desired?.RedirectTo is not null && (s.Kind is StepKind.Create or StepKind.Replace || s.Differs.HasFlag(Difference.Redirect))).ToList();
        if (pairs.Count == 0)
        {
            return;
        }
        Checkpoint();
        foreach (var step in pairs.Where(s => s.Kind == StepKind.Change))
        {
            if (state.Redirects.TryGetValue(step.Observed!.Index, out var before))
            {
                _undo.Push(() => route.Commit(new RouteBatch().Redirect(step.Observed.Index, step.Observed.Name, before)));
            }
        }
        Join([.. pairs.Select(s => (s.Name, s.Desired!.RedirectTo!))]);
    }

    private void Join(IReadOnlyList<(string Name, string To)> pairs)
    {
        if (pairs.Count == 0)
        {
            return;
        }
        var now = route.Links(statistics: false).ToDictionary(l => l.Name);
        foreach (var (name, to) in pairs)
        {
            if (!now.TryGetValue(name, out var link) || !now.TryGetValue(to, out var target))
            {
                throw new LinuxException($"join '{name}' and '{to}'", Errno.ENODEV);
            }
            _batch.Redirect(link.Index, link.Name, target.Index);
        }
        route.Commit(_batch);
    }

    // Only the two of a redirected pair have parts in their aliases; thousands of other links need no search.
    private static string? Partner(Link link, IReadOnlyList<Link> links) => !Ownership.IsPart(link.Alias) ? null
        : links.FirstOrDefault(l => l.Index != link.Index && Ownership.Vm(l.Alias) == Ownership.Vm(link.Alias) && Ownership.Id(l.Alias) == Ownership.Id(link.Alias))?.Name;
}
