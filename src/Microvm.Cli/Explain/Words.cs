using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Observation;

namespace Microvm.Cli.Explain;

/// <summary>Explanations as lines of text. Which hypervisor takes what is asked of the hypervisors themselves.</summary>
internal static class Words
{
    internal static readonly IReadOnlyList<string> Types = [.. Enum.GetNames<InterfaceType>().Select(n => n.ToLowerInvariant())];

    internal static IEnumerable<string> OfType(InterfaceType type)
    {
        var text = TypeText.Of(type);
        yield return $"type \"{type.Word()}\"";
        yield return text.What;
        yield return $"Use it if: {text.When}";
        yield return $"Don't use it if: {text.WhenNot}";
        yield return $"It needs: {text.Needs}";
        yield return $"Declared: {text.Example}";
        foreach (var hypervisor in HypervisorTable.All)
        {
            yield return $"  {hypervisor.Name}: {Accepted(hypervisor, type)}";
        }
        foreach (var line in Legend(HypervisorTable.All.SelectMany(h => h.Accepts(type))))
        {
            yield return line;
        }
    }

    internal static IEnumerable<string> OfHypervisor(IHypervisor hypervisor)
    {
        yield return $"hypervisor \"{hypervisor.Name}\"";
        foreach (var type in Enum.GetValues<InterfaceType>())
        {
            yield return $"  {type.Word()}: {Accepted(hypervisor, type)}";
        }
        foreach (var line in Legend(Enum.GetValues<InterfaceType>().SelectMany(hypervisor.Accepts)))
        {
            yield return line;
        }
        var many = Enum.GetValues<InterfaceType>().SelectMany(hypervisor.Accepts).Distinct().Where(k => hypervisor.MaxQueuePairs(k, vhost: false) > 1).ToList();
        if (many.Count > 0)
        {
            yield return $"With more than one vCPU it has a queue pair for each over {string.Join(" and ", many.Select(k => k.Text()))}.";
        }
        foreach (var (title, text) in hypervisor.Facts.Sentences())
        {
            yield return $"{title}: {text}.";
        }
    }

    /// <summary>What 'up' and 'run' will do for a VM, interface by interface, and what is broken on the way of its frames now: that stands in square brackets.</summary>
    /// <param name="seen">Its interfaces as they are on this host.</param>
    /// <param name="links">The links of this host.</param>
    internal static IEnumerable<string> OfVm(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, string? refusal, IReadOnlyList<InterfaceStatus> seen, IReadOnlyList<Link> links)
    {
        yield return $"VM '{vm.Name}': {vm.Hypervisor} with {vm.Vcpu} vCPU{(vm.Vcpu == 1 ? "" : "s")} and {vm.MemoryMiB} MiB, {attachments.Count} interface{(attachments.Count == 1 ? "" : "s")}.";
        // Of what is not brought up at all, the declaration alone is told, as in a picture of it.
        var isHere = seen.Any(i => i.Link is not null);
        if (!isHere && seen.Any(i => i.State == InterfaceState.Missing))
        {
            yield return "None of its links is on this host now; 'up' makes them.";
        }
        foreach (var a in attachments)
        {
            var i = a.Interface;
            yield return $"Interface '{i.Id}', type {i.Type.Word()}, the guest's MAC {i.Mac}:";
            yield return $"  On the host: {Host(a)}";
            var now = isHere ? seen.FirstOrDefault(s => s.Id == i.Id.Value) : null;
            yield return $"  The bytes' way: {Way(a, vm.Hypervisor, now, links)}";
            if (now is { IsRight: false })
            {
                yield return $"  Now: [{now.State.Word()}{(now.Reason is { } reason ? $": {Printable.Lines(reason)}" : "")}]";
            }
            else if (now is { State: InterfaceState.Up })
            {
                yield return $"  Now: up{(now.Holders is [var holder, ..] ? $", held by {Printable.Of(holder.Name)} (process {holder.Pid})" : "")}.";
            }
            if (a.MultiQueue)
            {
                yield return $"  {a.QueuePairs} queue pairs, one a vCPU, so that vCPUs don't wait for each other.";
            }
            else if (vm.Vcpu > 1 && HypervisorTable.Find(vm.Hypervisor)?.Facts.OneQueuePair is { } why)
            {
                yield return $"  One queue pair, though there are {vm.Vcpu} vCPUs: {why}.";
            }
            if (i.Vhost)
            {
                yield return "  The kernel's vhost-net moves the packets between tap and guest; the hypervisor sleeps meanwhile.";
            }
        }
        foreach (var p in vm.ForwardPorts.Where(p => p.From == "host"))
        {
            yield return $"{p.Proto} port {p.HostPort} of the host{(p.HostAddress is not null ? $" ({p.HostAddress})" : ", on every address,")} leads to port {p.GuestPort} of the guest.";
        }
        if (HypervisorTable.Find(vm.Hypervisor) is { } hypervisor)
        {
            yield return $"When it is stopped: {(vm.Socket is null && hypervisor.Facts.CanBeAsked ? "there is no microvm.socket, so a signal ends the hypervisor and the guest is not asked" : hypervisor.Facts.StopText)}.";
        }
        if (refusal is not null)
        {
            yield return $"Refused: {refusal}.";
        }
    }

    private static string Host(Attachment a)
    {
        var i = a.Interface;
        var ours = $"marked as ours by its alias microvm:{a.Vm}/{i.Id}, and left alone by 'up' while it is right";
        return a.Kind switch
        {
            AttachmentKind.TapByName or AttachmentKind.TapByFd or AttachmentKind.MacvtapPath when i.Type == InterfaceType.Macvtap => $"'up' makes the macvtap {i.Id} on {i.MacvtapLink} (mode {i.MacvtapMode?.Word()}), up and with the guest's MAC; it is {ours}.",
            AttachmentKind.TapByName or AttachmentKind.TapByFd => $"'up' makes the tap {i.Id}{(a.MultiQueue ? " with multi_queue" : "")}{(i.Bridge is { } b ? $", attaches it to the bridge {b}, which must be there," : "")} and brings it up; it is {ours}.",
            AttachmentKind.BridgeHelper => $"nothing before the start; qemu-bridge-helper then makes a tap and puts it onto {i.Bridge}, if /etc/qemu/bridge.conf allows that.",
            AttachmentKind.TapRedirect => $"'up' makes a macvlan on {i.MacvtapLink} with the guest's MAC and the tap {i.Id}, and has the kernel redirect (mirred) all frames of the one to the other; both are marked as ours by aliases that begin with microvm:{a.Vm}/{i.Id}, and left alone by 'up' while they are right.",
            AttachmentKind.UserMode => "nothing; no link is made and no privilege is needed.",
            _ => "nothing that stays: 'run' makes a namespace with a tap and slirp4netns in it.",
        };
    }

    private static string Way(Attachment a, string hypervisor, InterfaceStatus? now, IReadOnlyList<Link> links)
    {
        var i = a.Interface;
        var fault = now?.Fault is { } words ? $" [{words}]" : "";
        string Place(InterfaceName? name) => name is null ? "" : Passage.Fault(links, name.Value.Value) is { } broken && now is not null ? $"{name} [{broken}]" : $"{name}";
        var tap = i.Bridge is not null ? $"tap {i.Id}{fault} -> bridge {Place(i.Bridge)} -> its other ports" : $"tap {i.Id}{fault} -> the host's own routing";
        var mover = i.Vhost ? "the kernel's vhost-net" : hypervisor;
        return "guest's virtio-net -> " + a.Kind switch
        {
            AttachmentKind.TapByName or AttachmentKind.TapByFd when i.Type != InterfaceType.Macvtap => $"{mover} -> {tap}.",
            AttachmentKind.TapByName or AttachmentKind.TapByFd or AttachmentKind.MacvtapPath => $"{mover} -> /dev/tapN of {i.Id}{fault} -> {Place(i.MacvtapLink)} -> the wire. The host itself is not on this way.",
            AttachmentKind.BridgeHelper => $"{hypervisor} -> a tap named by the helper -> bridge {Place(i.Bridge)} -> its other ports.",
            AttachmentKind.TapRedirect => $"{hypervisor} -> tap {i.Id}{fault} -> mirred redirect -> macvlan -> {Place(i.MacvtapLink)} -> the wire. The host itself is not on this way.",
            AttachmentKind.UserMode => $"{hypervisor}'s own TCP/IP -> ordinary sockets of the user who runs it -> wherever the host can reach.",
            _ => $"{hypervisor} -> tap in a namespace of its own -> mirred redirect -> slirp4netns's TCP/IP -> ordinary sockets -> wherever the host can reach.",
        };
    }

    private static IEnumerable<string> Legend(IEnumerable<AttachmentKind> kinds) =>
        kinds.Distinct().Order().Select(k => $"  {k.Text()} means: {k.Facts().Meaning}");

    private static string Accepted(IHypervisor hypervisor, InterfaceType type) => hypervisor.Accepts(type) switch
    {
        [] => "not possible",
        var kinds => string.Join(", or ", kinds.Select(k => k.Text())),
    };
}
