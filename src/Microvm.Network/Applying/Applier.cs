using Microvm.Linux;
using Microvm.Network.Resources;

namespace Microvm.Network.Applying;

/// <summary>Carries out a plan, all of it or nothing: a failure, of whatever kind, undoes what was done, last first.</summary>
/// <param name="interrupted">Asked between steps; once it says true, everything is undone.</param>
internal sealed class Applier(RouteSocket route, Func<bool>? interrupted = null)
{
    private readonly LinkRemover _remover = new(route);
    private readonly UndoLog _undo = new();

    /// <param name="verify">Looks at the outcome, and throws where it is not as wanted: then everything is undone too.</param>
    /// <exception cref="LinuxException">The kernel refused a step; the host is as it was, or the message says what could not be put back.</exception>
    /// <exception cref="OperationCanceledException">It was interrupted; the host is as it was.</exception>
    public void Apply(Plan plan, HostState state, Action verify)
    {
        var steps = plan.Steps;
        try
        {
            Guard(steps, state);
            if (steps.All(s => s.Kind is StepKind.Keep or StepKind.Delete))
            {
                // Before, since nothing may fail after: for a moment a guest that is cut off by force has its MAC's lock alone.
                Unguard(plan.Unguarded);
                DeleteAlone([.. steps.Where(s => s.Kind == StepKind.Delete).Select(s => s.Observed!)], state);
            }
            else
            {
                var hostSides = new HostSideSetter(route, steps, state);
                hostSides.Remember(_undo);
                RememberRedirects(steps, state);
                var change = new LinkChange(state);
                var deleted = Delete([.. steps.Where(s => s.Kind is StepKind.Delete or StepKind.Replace)], state);
                StepAside(LinkChange.InTheWay(steps), change);
                Create([.. steps.Where(s => s.Kind is StepKind.Create or StepKind.Replace)], state.Links);
                Carry([.. steps.Where(s => s.Kind == StepKind.Replace)], deleted, state);
                Change([.. steps.Where(s => s.Kind == StepKind.Change)], change, state.Links);
                Redirect(steps);
                Unguard(plan.Unguarded);
                Checkpoint();
                hostSides.Set();
            }
            verify();
        }
        catch (Exception e)
        {
            var failures = _undo.Run();
            if (failures.Count > 0)
            {
                var why = e is OperationCanceledException ? "interrupted" : e.Message;
                throw new LinuxException($"{why}; and putting the host back as it was failed: {string.Join("; ", failures)}. Run the command again", (e as LinuxException)?.Errno ?? 0);
            }
            throw;
        }
        Sweep();
    }

    /// <summary>Guards the addresses of guests before their links are made, or changed.</summary>
    private void Guard(IReadOnlyList<Step> steps, HostState state)
    {
        var wanted = steps.Where(s => s is { Desired.AntiSpoof: Declaration.AntiSpoof.Ip, Kind: not StepKind.Keep }).Select(s => AddressGuard.Of(s.Desired!, state)).OfType<AddressGuard>().ToList();
        if (state.Guards is { } seen && (wanted.Exists(g => seen.Guards.GetValueOrDefault(g.Link) != g) || (wanted.Count > 0 && !seen.IsSound)))
        {
            Checkpoint();
            Write(seen, seen.Guards.Values.Where(s => !wanted.Exists(w => w.Link == s.Link)).Concat(wanted));
        }
    }

    /// <summary>Ends it once their links are gone, or others.</summary>
    private void Unguard(IReadOnlyList<string> links)
    {
        if (links.Count > 0)
        {
            var seen = GuardTable.Read(wanted: true);
            Write(seen, seen.Guards.Values.Where(g => !links.Contains(g.Link)));
        }
    }

    private void Write(GuardsSeen seen, IEnumerable<AddressGuard> guards)
    {
        _undo.Push(() =>
        {
            var now = GuardTable.Read(wanted: true);
            if (now.Picture != seen.Picture)
            {
                GuardTable.Write(now, seen.Guards);
            }
            GuardTable.Tidy();
        });
        GuardTable.Write(seen, guards.ToDictionary(g => g.Link));
    }

    private static void Sweep()
    {
        try
        {
            MacvtapDevice.Sweep();
        }
        catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException)
        {
            // All is as declared. The next command sweeps.
        }
    }

    private void Checkpoint()
    {
        if (interrupted?.Invoke() == true)
        {
            throw new OperationCanceledException("interrupted; the host is as it was");
        }
    }

    private Restoration? Delete(IReadOnlyList<Step> steps, HostState state)
    {
        if (steps.Count == 0)
        {
            return null;
        }
        Checkpoint();
        var links = steps.Select(s => s.Observed!).ToList();
        var restoration = new Restoration(route, links, state, LinkDependents.Read(route, links, state.Links));
        restoration.Remember(_undo);
        _remover.Remove([.. links.Select(l => l.Index)], AsSeen(links));
        return restoration;
    }

    private static Func<Link, bool> AsSeen(IReadOnlyList<Link> links)
    {
        var aliases = links.ToDictionary(l => l.Index, l => l.Alias);
        return l => l.Alias == aliases.GetValueOrDefault(l.Index) && Ownership.Vm(l.Alias) is not null;
    }

    /// <summary>Deletes links where nothing else is to be done. The kernel deletes them all or none, in one request, and nothing follows
    /// that could fail: no link ever has to be made again, and what depends on them need not be read.</summary>
    private void DeleteAlone(IReadOnlyList<Link> links, HostState state)
    {
        if (links.Count == 0)
        {
            return;
        }
        Checkpoint();
        _undo.Push(() => Restoration.PutBackIntoGroups(route, links));
        var isAsSeen = AsSeen(links);
        try
        {
            _remover.Remove([.. links.Select(l => l.Index)], isAsSeen, state.Links);
        }
        catch (LinuxException)
        {
            var indexes = links.Select(l => l.Index).ToHashSet();
            if (route.Links(statistics: false).Any(l => indexes.Contains(l.Index) && isAsSeen(l)))
            {
                throw;
            }
            // They are gone: only the answer was lost.
        }
    }

    /// <summary>Gives what the replaced links had, and what depended on them, to the new ones; what is declared wins.</summary>
    private void Carry(IReadOnlyList<Step> steps, Restoration? deleted, HostState state)
    {
        if (steps.Count == 0 || deleted is null)
        {
            return;
        }
        Checkpoint();
        var now = LinksByName.Of(route.Links(statistics: false));
        // A link of another kind is at another place in the network, and what depended on the one says nothing of the other.
        var carried = steps.Where(s => s.Observed!.IsOf(s.Desired!.Kind) && now.ContainsKey(s.Name)).ToList();
        LinuxException.ThrowIfAny(deleted.Carry(carried.ToDictionary(s => s.Observed!, s => now[s.Name])));
        var batch = new RouteBatch();
        // Entries of the replaced links are on the new ones now.
        state = carried.Exists(s => s.Desired!.AntiSpoof is not null) ? state with { Forwarding = ForwardingEntry.Read(route) } : state;
        foreach (var step in carried)
        {
            LinkResource.Of(step.Desired!.Kind).SetAfterCarry(new(step with { Observed = now[step.Name] }, state, step.Name), batch);
        }
        route.Commit(batch);
    }

    private void Create(IReadOnlyList<Step> steps, IReadOnlyList<Link> seen)
    {
        if (steps.Count == 0)
        {
            return;
        }
        var made = new Dictionary<int, NewLink>();
        _undo.Push(() => _remover.Remove(made.Keys, l => made.TryGetValue(l.Index, out var link) && link.IsMadeAs(l), despiteRefusals: true));
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
            var back = new RouteBatch();
            LinkChange.StepBack(links, back);
            route.CommitToWhatIsThere(back);
        });
        var batch = new RouteBatch();
        change.StepAside(links, batch);
        route.Commit(batch);
    }

    /// <summary>What the kernel forgets of a port that leaves its bridge, and a link does not tell of itself: VLANs and forwarding entries. Its way back
    /// is noted before the links', and taken after them.</summary>
    private void RememberPorts(IReadOnlyList<Link> leaving, IReadOnlyList<Link> seen)
    {
        if (leaving.Count == 0)
        {
            return;
        }
        var dependents = LinkDependents.Read(route, leaving, seen);
        _undo.Push(() =>
        {
            var there = route.Links(statistics: false).ToDictionary(l => l.Index);
            var back = leaving.Where(l => there.TryGetValue(l.Index, out var now) && now.Master == l.Master).ToDictionary(l => l.Index, l => there[l.Index]);
            LinuxException.ThrowIfAny(dependents.Restore(route, back, back.Keys.ToHashSet()));
        });
    }

    private void Change(IReadOnlyList<Step> steps, LinkChange change, IReadOnlyList<Link> seen)
    {
        if (steps.Count == 0)
        {
            return;
        }
        Checkpoint();
        RememberPorts([.. steps.Where(s => s.Differs.HasFlag(Difference.Master) && s.Observed!.MasterKind == "bridge").Select(s => s.Observed!)], seen);
        var batch = new RouteBatch();
        foreach (var step in steps)
        {
            var (effect, kind) = (change.Of(step), LinkResource.Of(step.Desired!.Kind));
            // By name and descriptor only once the link has its name again.
            foreach (var call in kind.CallsBack(step))
            {
                _undo.Push(() => call(effect));
            }
            _undo.Push(() =>
            {
                var back = new RouteBatch();
                kind.SetBack(effect, back);
                // A link that vanished meanwhile can't be put back as it was.
                route.CommitToWhatIsThere(back);
            });
            kind.Set(effect, batch);
        }
        route.Commit(batch);
    }

    private static bool Redirects(Step step) =>
        step.Desired?.RedirectTo is not null && (step.Kind is StepKind.Create or StepKind.Replace || step.Differs.HasFlag(Difference.Redirect));

    /// <summary>A redirect names another link by its index, so it is put back once all links are there again: its way back is the first one noted.</summary>
    private void RememberRedirects(IReadOnlyList<Step> steps, HostState state)
    {
        // The links of new pairs go again, and their redirects with them.
        var touched = steps.Where(s => s.Observed is not null && (Redirects(s) || (s.Kind is StepKind.Replace or StepKind.Delete && Ownership.IsPart(s.Observed.Alias)))).Select(s => s.Observed!.Index).ToHashSet();
        if (touched.Count == 0)
        {
            return;
        }
        var names = state.Links.ToDictionary(l => l.Index, l => l.Name);
        // Those that lead to a touched link too: it may come back with another index.
        var before = state.Redirects.Where(r => touched.Contains(r.Key) || touched.Contains(r.Value)).ToDictionary();
        foreach (var (from, to) in before)
        {
            if (names.TryGetValue(from, out var name) && names.TryGetValue(to, out var target))
            {
                _undo.Push(() => new Redirection(route).Join([(name, target)]));
            }
        }
        foreach (var link in steps.Where(s => s.Kind == StepKind.Change && Redirects(s) && !before.ContainsKey(s.Observed!.Index)).Select(s => s.Observed!))
        {
            var clsact = route.HasClsact(link.Index);
            _undo.Push(() =>
            {
                var alone = !clsact && route.HasClsact(link.Index);
                if (alone || route.RedirectTarget(link.Index) is not null)
                {
                    route.CommitToWhatIsThere(new RouteBatch().EndRedirect(link.Index, link.Name, withClsact: alone));
                }
            });
        }
    }

    /// <summary>Joins pairs, once both links are there.</summary>
    private void Redirect(IReadOnlyList<Step> steps)
    {
        var pairs = steps.Where(Redirects).Select(s => (s.Name, s.Desired!.RedirectTo!)).ToList();
        if (pairs.Count > 0)
        {
            Checkpoint();
            new Redirection(route).Join(pairs);
        }
    }
}
