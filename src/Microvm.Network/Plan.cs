using Microvm.Linux;

namespace Microvm.Network;

/// <summary>What a step does to a link.</summary>
public enum StepKind { Keep, Create, Change, Replace, Delete }

/// <summary>One step, with its reason for a person.</summary>
public sealed record Step(StepKind Kind, string Vm, string Name, string Reason, DesiredLink? Desired, Link? Observed, uint LinkGroup, int Master);

/// <summary>What has to be done, or why it can't be.</summary>
public sealed record Plan(IReadOnlyList<Step> Steps, IReadOnlyList<string> Refusals)
{
    public bool HasChanges => Steps.Any(s => s.Kind != StepKind.Keep);

    /// <summary>Compares what is wanted with what is there. Pure: the same input gives the same plan.</summary>
    public static Plan ForUp(IReadOnlyList<DesiredLink> wanted, IReadOnlyList<Link> observed)
    {
        var byName = observed.ToDictionary(l => l.Name);
        var taken = observed.Select(l => (l.Group, Ownership.Vm(l.Alias))).Where(t => t.Group != 0).ToList();
        var steps = new List<Step>();
        var refusals = new List<string>();
        var groups = new Dictionary<string, uint>();
        foreach (var want in wanted)
        {
            if (!groups.TryGetValue(want.Vm, out var group))
            {
                groups[want.Vm] = group = Ownership.LinkGroup(want.Vm, taken);
                taken.Add((group, want.Vm));
            }
            var master = 0;
            if (want.Bridge is { } bridge)
            {
                if (!byName.TryGetValue(bridge, out var found))
                {
                    refusals.Add($"'{want.Name}' wants the bridge '{bridge}', which is not there; make it first: ip link add {bridge} type bridge");
                    continue;
                }
                if (found.Kind != "bridge")
                {
                    refusals.Add($"'{want.Name}' wants the bridge '{bridge}', but that link is {(found.Kind is { } k ? $"a {k}" : "no bridge")}");
                    continue;
                }
                master = found.Index;
            }
            if (!byName.TryGetValue(want.Name, out var link) && (link = observed.FirstOrDefault(l => l.Alias == want.Alias)) is null)
            {
                steps.Add(new(StepKind.Create, want.Vm, want.Name, "it is not there", want, null, group, master));
                continue;
            }
            if (link.Alias != want.Alias)
            {
                refusals.Add($"a link '{want.Name}' is there already and is not ours{(Ownership.Vm(link.Alias) is { } other ? $": it belongs to the VM '{other}'" : "")}; choose another id, or delete it yourself");
                continue;
            }
            steps.Add(Compare(want, link, group, master, refusals));
        }
        return new(steps, refusals);
    }

    /// <summary>Deletes what is ours of the VMs; somebody else's links are left alone.</summary>
    public static Plan ForDown(IReadOnlyCollection<string> vms, IReadOnlyList<Link> observed) =>
        new([.. from l in observed
                where Ownership.Vm(l.Alias) is { } vm && vms.Contains(vm)
                select new Step(StepKind.Delete, Ownership.Vm(l.Alias)!, l.Name, "it is ours", null, l, l.Group, 0)], []);

    private static Step Compare(DesiredLink want, Link link, uint group, int master, List<string> refusals)
    {
        var tun = link.Tun;
        var differs = new List<string>();
        if (tun is not { IsTap: true, VnetHeader: true })
        {
            differs.Add("it is not a tap with vnet_hdr");
        }
        else
        {
            if (tun.MultiQueue != want.MultiQueue)
            {
                differs.Add(want.MultiQueue ? "it lacks multi_queue" : "it is multi_queue and the VM has one vCPU");
            }
            if (tun.Owner != want.Owner || tun.Group != want.Group)
            {
                differs.Add("its owner differs");
            }
        }
        if (differs.Count > 0)
        {
            if (tun?.Queues > 0)
            {
                refusals.Add($"'{want.Name}' must be replaced ({string.Join(", ", differs)}), but a VM has it open; stop '{want.Vm}' first");
            }
            return new(StepKind.Replace, want.Vm, want.Name, string.Join(", ", differs), want, link, group, master);
        }
        if (link.Name != want.Name)
        {
            differs.Add($"it was renamed to '{link.Name}'");
        }
        if (link.Group != group)
        {
            differs.Add("its link group differs");
        }
        if ((link.Master ?? 0) != master)
        {
            differs.Add(master == 0 ? "it is attached to a bridge" : $"it is not attached to {want.Bridge}");
        }
        if (!link.Up)
        {
            differs.Add("it is down");
        }
        return differs.Count == 0
            ? new(StepKind.Keep, want.Vm, want.Name, "it is right", want, link, group, master)
            : new(StepKind.Change, want.Vm, want.Name, string.Join(", ", differs), want, link, group, master);
    }
}
