using Microvm.Linux;
using Microvm.Network.Applying;
using Microvm.Network.Networks;
using Microvm.Network.Resources;

namespace Microvm.Network;

/// <summary>The links of one network namespace, made and taken down as declared: plan, apply, verify, one at a time.</summary>
public sealed class HostNetwork : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    /// <summary>The socket that it works through, in the namespace of the thread that made it.</summary>
    public RouteSocket Route { get; } = new();

    /// <summary>Called once when somebody else is at work in this namespace and has to be waited for.</summary>
    public Action? Waiting { get; init; }

    /// <summary>Asked between steps; once it says true, everything is undone.</summary>
    public Func<bool>? Interrupted { get; init; }

    /// <summary>The named network namespace that this thread is in, for commands that a person is to type; null for the one that they are typed in.</summary>
    internal string? Netns { get; init; }

    /// <summary>What <see cref="Up"/> would do.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    public Plan PlanUp(IReadOnlyList<DesiredLink> wanted, PlanOptions? options = null)
    {
        var state = HostState.Read(Route, wanted, vms: options?.Vms);
        return AskDependents(ForUp(wanted, ref state, options), state, options);
    }

    /// <summary>Reaches the wanted state, or leaves the host as it was. A plan with refusals changes nothing.</summary>
    /// <returns>The plan that was carried out.</returns>
    /// <exception cref="LinuxException">The kernel refused, or what was read back is not as wanted.</exception>
    /// <exception cref="OperationCanceledException">It was interrupted; the host is as it was.</exception>
    public Plan Up(IReadOnlyList<DesiredLink> wanted, PlanOptions? options = null, Func<Plan, Plan>? filter = null)
    {
        using var alone = new NamespaceLock(s_patience, Waiting, Interrupted);
        GuardTable.Tidy();
        var state = HostState.Read(Route, wanted, vms: options?.Vms);
        var seen = ForUp(wanted, ref state, options);
        var chosen = filter is null ? seen : filter(seen) with { Networks = seen.Networks is { Refusals.Count: 0 } whole ? whole : null };
        var plan = AskDependents(RefuseUnseen(chosen, state, options), state, options);
        if (plan.Refusals.Count > 0 || !plan.HasChanges)
        {
            return plan;
        }
        Carry(plan, () => new Applier(Route, Interrupted).Apply(plan, state, () => Verify(wanted, plan, options, all: filter is null, hostSides: state.HostSides is not null)));
        return plan;
    }

    /// <summary>The whole plan: of the networks, and of the links as they will find these.</summary>
    private Plan ForUp(IReadOnlyList<DesiredLink> wanted, ref HostState state, PlanOptions? options)
    {
        options = (options ?? PlanOptions.Default) with { Netns = Netns };
        if (options is not { Networks.Count: > 0 })
        {
            return Plan.ForUp(wanted, state, options);
        }
        var networks = NetworkPlanner.ForUp(Route, options.Networks, state.Links, options.Vms);
        state = state with { Links = [.. state.Links, .. networks.Coming], Reserved = Reservation.ByMac(networks.Reservations) };
        var plan = Plan.ForUp(wanted, state, options);
        return plan with { Networks = networks, Refusals = [.. networks.Refusals, .. plan.Refusals] };
    }

    /// <summary>Does what a plan has for networks, then the rest; where that fails, all of it is undone.</summary>
    private void Carry(Plan plan, Action rest)
    {
        if (plan.Networks is not { HasChanges: true } networks)
        {
            rest();
            return;
        }
        var undo = new UndoLog();
        try
        {
            networks.Carry(undo, () =>
            {
                if (Interrupted?.Invoke() == true)
                {
                    throw new OperationCanceledException("interrupted; the host is as it was");
                }
            });
            rest();
        }
        catch (Exception e)
        {
            var failures = undo.Run();
            if (failures.Count > 0)
            {
                throw new LinuxException($"{e.Message}; and putting the networks back as they were failed: {string.Join("; ", failures)}. Run the command again", (e as LinuxException)?.Errno ?? 0);
            }
            throw;
        }
    }

    /// <summary>Deletes what is ours of the VMs. That there is nothing is no error.</summary>
    /// <param name="links">Only these of their links; null for all.</param>
    /// <param name="running">Deletes also what a VM has open; without it such a link is refused, and nothing is deleted.</param>
    /// <returns>The plan that was carried out, or was not for its refusals.</returns>
    /// <exception cref="LinuxException">The kernel refused, or something is left.</exception>
    public Plan Down(IReadOnlyCollection<string> vms, LinkSelection only = LinkSelection.All, IReadOnlyCollection<string>? links = null, bool running = false) =>
        Down(vms, only, links, running, []);

    /// <summary>As the other, and networks too: those of the links that go, and those that are named, where nobody is left on them.</summary>
    internal Plan Down(IReadOnlyCollection<string> vms, LinkSelection only, IReadOnlyCollection<string>? links, bool running, IReadOnlyCollection<string> networks)
    {
        using var alone = new NamespaceLock(s_patience, Waiting, Interrupted);
        GuardTable.Tidy();
        var state = HostState.Read(Route, [], vms: vms);
        var plan = Plan.ForDown(vms, state, only, links, running);
        if (networks.Count > 0 || state.Links.Any(l => NetworkSite.NetworkOf(l) is not null))
        {
            plan = plan with { Networks = NetworkPlanner.ForDown(state.Links, [.. plan.Steps.Select(s => s.Observed!)], networks) };
        }
        if (plan.HasChanges && plan.Refusals.Count == 0)
        {
            Carry(plan, () => new Applier(Route, Interrupted).Apply(plan, state, () =>
            {
                if (Plan.ForDown(vms, HostState.Of(Route.Links(statistics: false)), only, links, running: true).Steps is [var left, ..])
                {
                    throw new LinuxException($"after 'down', '{left.Name}' of '{left.Vm}' is still there", 0);
                }
            }));
            if (plan.Networks is { } ended)
            {
                NetworkPlanner.Finish(Route, ended, state.Links);
            }
        }
        return plan;
    }

    /// <summary>Gives a VM's links to the same VM under a new name: in place, all of them or none. Their own names, and what has them open, stay.</summary>
    /// <returns>The names of the links; none where the VM has none.</returns>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    /// <exception cref="InvalidOperationException">Links of a VM with the new name are there.</exception>
    public IReadOnlyList<string> Rename(string vm, string newName)
    {
        using var alone = new NamespaceLock(s_patience, Waiting, Interrupted);
        var all = Route.Links(statistics: false);
        if (all.FirstOrDefault(l => Ownership.Vm(l.Alias) == newName) is { } taken)
        {
            throw new InvalidOperationException($"the link '{taken.Name}' belongs to a VM '{newName}' already");
        }
        var links = all.Where(l => Ownership.Vm(l.Alias) == vm).ToList();
        var group = Ownership.LinkGroup(newName, g => all.Any(l => l.Group == g && Ownership.Vm(l.Alias) != vm));
        var (batch, back) = (new RouteBatch(), new RouteBatch());
        foreach (var link in links)
        {
            batch.Mark(link.Index, link.Name, Ownership.OfVm(link.Alias!, newName), group);
            back.Mark(link.Index, link.Name, link.Alias!, link.Group);
        }
        try
        {
            Route.Commit(batch);
        }
        catch
        {
            Route.CommitToWhatIsThere(back);
            throw;
        }
        return [.. links.Select(l => l.Name)];
    }

    /// <summary>Closes the socket; the links stay.</summary>
    public void Dispose() => Route.Dispose();

    // A macvtap's link does not tell whether it is open; its holders' descriptors do, to those who may look.
    private static Plan RefuseUnseen(Plan plan, HostState state, PlanOptions? options)
    {
        if (options?.ReplaceRunning == true || (Privileges.Permitted.Has(Capability.SysPtrace) && Privileges.Permitted.Has(Capability.DacReadSearch)))
        {
            return plan;
        }
        var unseen = plan.Steps.Where(s => s.Kind is StepKind.Replace or StepKind.Delete && s.Observed!.Kind == "macvtap" && Occupation.Of(s.Observed, state) is null);
        return plan with
        {
            Refusals = [.. plan.Refusals, .. unseen.Select(s => new Refusal(RefusalKind.Held, s.Vm, s.Name, s.Observed!.Alias ?? "",
                $"'{s.Name}' must go ({s.Reason}), but whether a VM has it open can't be seen without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; give them too, or use --replace-running"))],
        };
    }

    /// <summary>Tells what a link that is to be replaced takes along, and refuses where something can't be. Nothing is asked where no link is replaced.</summary>
    private Plan AskDependents(Plan plan, HostState state, PlanOptions? options)
    {
        const int mostTold = 5;
        var replaced = plan.Steps.Where(s => s.Kind == StepKind.Replace).ToList();
        if (replaced.Count == 0)
        {
            return plan;
        }
        var dependents = LinkDependents.Read(Route, [.. replaced.Select(s => s.Observed!)], state.Links);
        var refusals = new List<Refusal>();
        var reasons = new Dictionary<Step, string>();
        foreach (var step in replaced)
        {
            var index = step.Observed!.Index;
            var along = dependents.Of(index);
            IReadOnlyList<string> lost = [.. dependents.Stuck(index), .. step.Observed.IsOf(step.Desired!.Kind) ? [] : along];
            if (lost.Count > 0 && options?.Replace != true)
            {
                refusals.Add(new(RefusalKind.Dependents, step.Vm, step.Name, step.Desired.Alias, $"'{step.Name}' must be replaced ({step.Reason}), and {Some(lost)} would be lost with it; remove that first, or use --replace"));
            }
            IReadOnlyList<string> kept = [.. along.Except(lost)];
            reasons[step] = $"{step.Reason}{(kept.Count > 0 ? $"; it takes along {Some(kept)}" : "")}{(lost.Count > 0 ? $"; it loses {Some(lost)}" : "")}";
        }
        return plan with { Steps = [.. plan.Steps.Select(s => reasons.TryGetValue(s, out var reason) ? s with { Reason = reason } : s)], Refusals = [.. plan.Refusals, .. refusals] };

        static string Some(IReadOnlyList<string> things) => string.Join(", ", things.Take(mostTold)) + (things.Count > mostTold ? $" and {things.Count - mostTold} more" : "");
    }

    /// <summary>What is reported is what a plan would say now: a bridge or lower device that went meanwhile, or a link that somebody changed, is no success.</summary>
    /// <param name="hostSides">The host had something on a tap, or was to have.</param>
    /// <param name="all">Also what was right before has to be right; else what was touched alone.</param>
    private void Verify(IReadOnlyList<DesiredLink> wanted, Plan done, PlanOptions? options, bool all, bool hostSides)
    {
        var touched = new HashSet<string>(done.Steps.Count);
        foreach (var step in done.Steps)
        {
            if (step.Kind != StepKind.Keep)
            {
                touched.Add(step.Name);
            }
        }
        var state = HostState.Read(Route, wanted, hostSides: hostSides);
        var again = ForUp(wanted, ref state, done.Networks is null ? options is null ? null : options with { Networks = [] } : options);
        if (again.Networks?.Steps.FirstOrDefault(s => s.Kind != StepKind.Keep) is { } amiss)
        {
            throw new LinuxException($"after 'up', '{amiss.Name}' of the network '{amiss.Network}' is not as declared: {amiss.Reason}; somebody else changes it, so run the command again", 0);
        }
        var (steps, refusals) = again;
        if (steps.FirstOrDefault(s => s.Kind != StepKind.Keep && (all || touched.Contains(s.Name))) is { } wrong)
        {
            throw new LinuxException($"after 'up', '{wrong.Name}' is not as declared: {wrong.Reason}; somebody else changes it, so run the command again", 0);
        }
        if (refusals.Count > 0)
        {
            // Of a part of the links, as the watch mends them, the refusals of the others are known.
            var right = steps.Select(s => s.Name).ToHashSet();
            var lost = done.Steps.Where(s => s.Kind is not (StepKind.Keep or StepKind.Delete) && !right.Contains(s.Name)).Select(s => s.Name).ToHashSet();
            if (refusals.FirstOrDefault(r => all || lost.Contains(r.Link)) is { } refusal)
            {
                throw new LinuxException($"after 'up', '{refusal.Link}' is not as declared: {refusal.Text}", 0);
            }
        }
    }
}
