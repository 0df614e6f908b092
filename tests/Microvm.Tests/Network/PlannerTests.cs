using CsCheck;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Tests;

/// <summary>The planner alone: pure, so any host can be made up.</summary>
[Trait("needs", "nothing")]
public sealed class PlannerTests
{
    private static readonly PlanOptions s_force = new() { ReplaceRunning = true };

    private static DesiredLink Tap(string vm, string name, bool multiQueue, uint? owner, string? bridge) =>
        new(LinkKind.Tap, vm, name, name, owner, null) { Alias = Ownership.Alias(vm, name), MultiQueue = multiQueue, Bridge = bridge };

    private static readonly Gen<List<DesiredLink>> s_wanted =
        Gen.Select(Gen.Int[0, 2], Gen.Int[0, 5], Gen.Bool, Gen.UInt[1, 3].Select(u => u == 3 ? (uint?)null : u), Gen.Int[0, 2])
            .Select((vm, id, multi, owner, bridge) => Tap($"vm{vm}", $"t{vm}-{id}", multi, owner, bridge == 0 ? null : $"br{bridge}"))
            .List[0, 12].Select(l => l.DistinctBy(w => w.Name).ToList());

    private static readonly Gen<List<Link>> s_others = Gen.Select(Gen.Int[0, 2], Gen.Int[0, 5], Gen.UInt[0, 2], Gen.Bool, Gen.Bool)
        .Select((vm, id, queues, up, ours) => new Link(0, ours ? $"t{vm}-{id}" : $"other{vm}{id}", up, "tun", ours ? Ownership.Alias($"vm{vm}", $"t{vm}-{id}") : null, 0, null, 1500, null,
            new(true, true, queues > 1, true, null, null, queues > 1 ? queues : 0))
        { Carrier = queues > 0 })
        .List[0, 12].Select(l => l.DistinctBy(x => x.Name).ToList());

    private static HostState Host(IEnumerable<Link> links)
    {
        Link[] bridges = [.. Enumerable.Range(1, 2).Select(n => new Link(n, $"br{n}", true, "bridge", null, 0, null, 1500, null, null))];
        return HostState.Of([.. bridges, .. links.Select((l, n) => l with { Index = 100 + n })]);
    }

    /// <summary>What the kernel would have after a plan.</summary>
    private static HostState After(HostState state, Plan plan)
    {
        var links = state.Links.ToDictionary(l => l.Index);
        var next = 1000;
        foreach (var step in plan.Steps.Where(s => s.Kind is StepKind.Delete or StepKind.Replace))
        {
            Assert.True(links.Remove(step.Observed!.Index));
        }
        foreach (var step in plan.Steps.Where(s => s.Kind is StepKind.Create or StepKind.Replace or StepKind.Change))
        {
            var want = step.Desired!;
            var index = step.Kind == StepKind.Change ? step.Observed!.Index : next++;
            var before = step.Kind == StepKind.Change ? step.Observed : null;
            Assert.Equal(step.Kind == StepKind.Change, links.ContainsKey(index));
            Assert.DoesNotContain(links.Values, l => l.Index != index && l.Name == want.Name);
            links[index] = new(index, want.Name, true, "tun", want.Alias, step.LinkGroup, step.Master == 0 ? null : step.Master, 1500, null, new(true, true, want.MultiQueue, true, want.Owner, want.Group, before?.Tun!.Queues ?? 0)) { Carrier = before?.Carrier ?? false };
        }
        return HostState.Of([.. links.Values]);
    }

    [Fact]
    public void A_plan_carried_out_leaves_nothing_to_do() => Gen.Select(s_wanted, s_others).Sample((wanted, others) =>
    {
        var state = Host(others);
        var plan = Plan.ForUp(wanted, state, s_force);
        Assert.Empty(plan.Refusals);
        var after = After(state, plan);
        Assert.False(Plan.ForUp(wanted, after, s_force).HasChanges);
    });

    [Fact]
    public void Somebody_elses_link_is_in_no_step_and_a_vm_in_use_in_none_that_takes_its_tap_away() => Gen.Select(s_wanted, s_others).Sample((wanted, others) =>
    {
        var state = Host(others);
        var plan = Plan.ForUp(wanted, state);
        Assert.All(plan.Steps.Where(s => s.Observed is not null), s => Assert.NotNull(Ownership.Vm(s.Observed!.Alias)));
        if (plan.Refusals.Count == 0)
        {
            Assert.DoesNotContain(plan.Steps, s => s.Kind is StepKind.Replace or StepKind.Delete && s.Observed!.InUse);
        }
        Assert.All(Plan.ForDown(["vm0"], state).Steps, s => Assert.Equal("vm0", Ownership.Vm(s.Observed!.Alias)));
    });

    [Fact]
    public void The_same_host_gives_the_same_plan_and_every_step_its_reason() => Gen.Select(s_wanted, s_others).Sample((wanted, others) =>
    {
        var one = Plan.ForUp(wanted, Host(others), s_force);
        var two = Plan.ForUp(wanted, Host(others), s_force);
        Assert.Equal(one.Steps, two.Steps);
        Assert.All(one.Steps, s => Assert.NotEmpty(s.Reason));
    });

    [Fact]
    public void Two_vms_never_share_a_link_group() => Gen.Select(s_wanted, s_others).Sample((wanted, others) =>
    {
        // Somebody else's links may sit on the very numbers that our VMs' names hash to.
        var taken = Enumerable.Range(0, 3).Select(n => new Link(0, $"x{n}", true, "dummy", null, Ownership.LinkGroup($"vm{n}", _ => false), null, 1500, null, null));
        var state = Host([.. others, .. taken]);
        var after = After(state, Plan.ForUp(wanted, state, s_force));
        Assert.All(after.Links.Where(l => wanted.Exists(w => w.Alias == l.Alias)).GroupBy(l => l.Group),
            g => Assert.Single(after.Links.Where(l => l.Group == g.Key).Select(l => Ownership.Vm(l.Alias)).Distinct()));
    });
}
