using Microvm.Linux;
using Microvm.Network.Planning;

namespace Microvm.Network;

/// <summary>What has to be done, or why it can't be.</summary>
public sealed record Plan(IReadOnlyList<Step> Steps, IReadOnlyList<Refusal> Refusals)
{
    /// <summary>What has to be done for declared networks, before the links; null where there are none.</summary>
    internal Networks.NetworkPlan? Networks { get; init; }

    /// <summary>Links whose guests' addresses are no longer to be guarded, though no step may be about them: they may be gone.</summary>
    internal IReadOnlyList<string> Unguarded { get; init; } = [];

    /// <summary>Whether a step does anything.</summary>
    public bool HasChanges => Unguarded.Count > 0 || Steps.Any(s => s.Kind != StepKind.Keep) || Networks?.HasChanges == true;

    /// <summary>Compares what is wanted with what is there. Pure: the same input gives the same plan.</summary>
    internal static Plan ForUp(IReadOnlyList<DesiredLink> wanted, HostState state, PlanOptions? options = null) =>
        new Planner(wanted, state, options ?? PlanOptions.Default).ForUp();

    /// <summary>Deletes what is ours of the VMs; somebody else's links are left alone.</summary>
    /// <param name="running">Also what somebody has open, which is refused else.</param>
    internal static Plan ForDown(IReadOnlyCollection<string> vms, HostState state, LinkSelection only = LinkSelection.All, IReadOnlyCollection<string>? links = null, bool running = false)
    {
        List<Step> steps = [];
        List<Refusal> refusals = [];
        foreach (var link in state.Links)
        {
            if (Ownership.Vm(link.Alias) is not { } vm || !vms.Contains(vm) || !Planner.Selected(link, only) || links?.Contains(link.Name) == false)
            {
                continue;
            }
            steps.Add(new(StepKind.Delete, vm, link.Name, "it is ours", null, link, link.Group));
            if (!running && Occupation.Of(link, state) is { } held)
            {
                refusals.Add(new(RefusalKind.Held, vm, link.Name, link.Alias!, $"'{link.Name}' would be deleted, but {held}; stop '{vm}' first, or use --delete-running, and it loses its network"));
            }
        }
        var unguarded = only == LinkSelection.Macvtap ? [] : state.Guards?.Guards.Values.Where(g => Ownership.Vm(g.Alias) is { } vm && vms.Contains(vm) && links?.Contains(g.Link) != false).Select(g => g.Link);
        return new(steps, refusals) { Unguarded = [.. unguarded ?? []] };
    }
}
