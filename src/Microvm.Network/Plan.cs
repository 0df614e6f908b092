using Microvm.Linux;

namespace Microvm.Network;

/// <summary>What has to be done, or why it can't be.</summary>
public sealed record Plan(IReadOnlyList<Step> Steps, IReadOnlyList<Refusal> Refusals)
{
    /// <summary>Whether a step does anything.</summary>
    public bool HasChanges => Steps.Any(s => s.Kind != StepKind.Keep);

    /// <summary>Compares what is wanted with what is there. Pure: the same input gives the same plan.</summary>
    internal static Plan ForUp(IReadOnlyList<DesiredLink> wanted, HostState state, PlanOptions? options = null) =>
        new Planner(wanted, state, options ?? PlanOptions.Default).ForUp();

    /// <summary>Deletes what is ours of the VMs; somebody else's links are left alone.</summary>
    internal static Plan ForDown(IReadOnlyCollection<string> vms, HostState state, LinkSelection only = LinkSelection.All, IReadOnlyCollection<string>? links = null) =>
        new([.. from l in state.Links
                let vm = Ownership.Vm(l.Alias)
                where vm is not null && vms.Contains(vm) && Planner.Selected(l, only) && links?.Contains(l.Name) != false
                select new Step(StepKind.Delete, vm, l.Name, "it is ours", null, l, l.Group)], []);
}
