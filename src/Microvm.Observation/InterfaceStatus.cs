using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Observation;

/// <summary>How a VM's interface stands on the host.</summary>
public enum InterfaceState
{
    /// <summary>There, as declared (where a declaration was given), and up.</summary>
    Up,

    /// <summary>There and down.</summary>
    Down,

    /// <summary>There and ours, but not as declared.</summary>
    Drifted,

    /// <summary>Declared, and not there.</summary>
    Missing,

    /// <summary>A link of the declared name is there, and is not ours.</summary>
    Foreign,

    /// <summary>It has no link on the host before the VM runs: user networking, or a tap that the hypervisor makes.</summary>
    Unlinked,
}

/// <summary>What crossed an interface in one direction since its link was made.</summary>
public readonly record struct Traffic(ulong Bytes, ulong Packets, ulong Dropped, ulong Errors);

/// <summary>One interface of a VM, as declared and as the kernel has it.</summary>
/// <param name="Type">user, tap, macvtap or bridge.</param>
/// <param name="Attachment">How it reaches the hypervisor; null without a declaration.</param>
/// <param name="Reason">What differs or is refused, for a person; null where all is right or nothing was declared.</param>
/// <param name="Mac">The guest's MAC, where it is known: declared, or a macvtap's own.</param>
/// <param name="QueuePairs">Declared queue pairs; null without a declaration.</param>
/// <param name="Upper">The bridge that it is attached to.</param>
/// <param name="Lower">The lower device that a macvtap is stacked on.</param>
public sealed record InterfaceStatus(
    string Vm, string Id, string Type, AttachmentKind? Attachment, InterfaceState State, string? Reason, Link? Link,
    string? Mac, int? QueuePairs, string? Upper, string? Lower, IReadOnlyList<LinkHolder> Holders)
{
    /// <summary>Queues that a program has open.</summary>
    public int QueuesInUse => Math.Max((int)(Link?.Tun?.Queues ?? 0), Holders.Sum(h => h.Queues));

    /// <summary>What the VM sent. A tap receives it; a macvtap, being the VM's own card, transmits it.</summary>
    public Traffic FromVm => Link is null ? default : IsGuestSide ? Transmitted(Link.Statistics) : Received(Link.Statistics);

    /// <summary>What the VM was sent.</summary>
    public Traffic ToVm => Link is null ? default : IsGuestSide ? Received(Link.Statistics) : Transmitted(Link.Statistics);

    private bool IsGuestSide => Link?.Kind is "macvtap" or "macvlan";
    private static Traffic Received(LinkStatistics s) => new(s.RxBytes, s.RxPackets, s.RxDropped, s.RxErrors);
    private static Traffic Transmitted(LinkStatistics s) => new(s.TxBytes, s.TxPackets, s.TxDropped, s.TxErrors);

    /// <summary>The declared interfaces, in their order. Pure: the same input gives the same answer.</summary>
    public static IReadOnlyList<InterfaceStatus> OfDeclared(IReadOnlyList<Attachment> attachments, Plan plan, IReadOnlyList<Link> links, IReadOnlyList<LinkHolder> holders)
    {
        var desired = plan.Steps.Select(s => s.Name).ToHashSet();
        return [.. attachments.Select(a =>
        {
            var i = a.Interface;
            var id = i.Id.Value;
            var alias = Ownership.Alias(a.Vm, id);
            var link = i.Type == InterfaceType.User ? null : links.FirstOrDefault(l => l.Alias == alias) ?? links.FirstOrDefault(l => l.Name == id);
            var step = plan.Steps.FirstOrDefault(s => s.Vm == a.Vm && s.Name == id && s.Kind != StepKind.Keep);
            var refusal = plan.Refusals.FirstOrDefault(r => r.StartsWith($"'{id}' ", StringComparison.Ordinal) || r.StartsWith($"a link '{id}' ", StringComparison.Ordinal));
            var hasLink = desired.Contains(id) || refusal is not null;
            var state = link is null ? hasLink ? InterfaceState.Missing : InterfaceState.Unlinked
                : link.Alias != alias ? hasLink ? InterfaceState.Foreign : InterfaceState.Unlinked
                : step is not null || refusal is not null ? InterfaceState.Drifted
                : link.Up ? InterfaceState.Up : InterfaceState.Down;
            var reason = state switch
            {
                InterfaceState.Missing or InterfaceState.Foreign => refusal ?? step?.Reason,
                InterfaceState.Drifted => step?.Reason ?? refusal,
                _ => null,
            };
            var own = state is InterfaceState.Missing or InterfaceState.Unlinked ? null : link;
            return new InterfaceStatus(a.Vm, id, i.Type.ToString().ToLowerInvariant(), a.Kind, state, reason, own, i.Mac.ToString(), a.QueuePairs,
                Name(links, own?.Master) ?? i.Bridge?.Value, Stacked(links, own) ?? i.MacvtapLink?.Value, [.. holders.Where(h => h.Link == own?.Name)]);
        })];
    }

    /// <summary>All links that carry a VM's alias, by VM and id.</summary>
    public static IReadOnlyList<InterfaceStatus> OfHost(IReadOnlyList<Link> links, IReadOnlyList<LinkHolder> holders) =>
        [.. from l in links
            let vm = Ownership.Vm(l.Alias)
            where vm is not null
            let id = l.Alias![(l.Alias!.IndexOf('/') + 1)..]
            orderby vm, id, l.Index
            select new InterfaceStatus(vm, id, l.Kind == "tun" ? "tap" : l.Kind ?? "link", null, l.Up ? InterfaceState.Up : InterfaceState.Down, null, l,
                l.Kind is "macvtap" or "macvlan" ? Colons(l.Address) : null, null, Name(links, l.Master), Stacked(links, l), [.. holders.Where(h => h.Link == l.Name)])];

    private static string? Stacked(IReadOnlyList<Link> links, Link? link) => link?.Kind is "macvtap" or "macvlan" ? Name(links, link.Lower) : null;
    private static string? Name(IReadOnlyList<Link> links, int? index) => index is > 0 ? links.FirstOrDefault(l => l.Index == index)?.Name : null;

    /// <summary>The kernel's six octets as they are usually written.</summary>
    internal static string? Colons(string? address) => address is { Length: 12 } ? string.Join(':', address.Chunk(2).Select(p => new string(p))) : address;
}
