using Microvm.Declaration;
using Microvm.Linux;

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

/// <summary>The states as they are written: in JSON, in metrics and in tables. Scripts rely on these words; they never change.</summary>
public static class InterfaceStateWords
{
    /// <summary>The word for a state.</summary>
    public static string Word(this InterfaceState state) => state switch
    {
        InterfaceState.Up => "up",
        InterfaceState.Down => "down",
        InterfaceState.Drifted => "drifted",
        InterfaceState.Missing => "missing",
        InterfaceState.Foreign => "foreign",
        InterfaceState.Unlinked => "unlinked",
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, "no such interface state"),
    };
}

/// <summary>What crossed an interface in one direction since its link was made.</summary>
public readonly record struct Traffic(ulong Bytes, ulong Packets, ulong Dropped, ulong Errors)
{
    /// <summary>The same bytes and packets, with the losses of another link on the way added.</summary>
    internal Traffic Losing(Traffic other) => this with { Dropped = Dropped + other.Dropped, Errors = Errors + other.Errors };
}

/// <summary>One interface of a VM, as declared and as the kernel has it.</summary>
/// <param name="Type">user, tap, macvtap or bridge.</param>
/// <param name="Attachment">How it reaches the hypervisor; null where neither a declaration nor the links tell.</param>
/// <param name="Reason">What differs or is refused, for a person; null where all is right or nothing was declared.</param>
/// <param name="Link">Its link: of a redirected pair the tap, which the hypervisor opens.</param>
/// <param name="Mac">The guest's MAC, where it is known: declared, or a macvtap's own.</param>
/// <param name="QueuePairs">Declared queue pairs; null without a declaration.</param>
/// <param name="Upper">The bridge that it is attached to.</param>
/// <param name="Lower">The lower device that a macvtap or macvlan is stacked on.</param>
public sealed partial record InterfaceStatus(
    string Vm, string Id, string Type, AttachmentKind? Attachment, InterfaceState State, string? Reason, Link? Link,
    string? Mac, int? QueuePairs, string? Upper, string? Lower, IReadOnlyList<LinkHolder> Holders)
{
    /// <summary>What the running guest has other than declared; <see cref="Reason"/> tells it too.</summary>
    public GuestFault? Guest { get; init; }

    /// <summary>Whether it is there and as declared, and so is what it is on and what the running guest has of it.</summary>
    public bool IsRight => Reason is null && State is InterfaceState.Up or InterfaceState.Unlinked;

    /// <summary>What is not right of it, in a few words; null where it is up and the running guest has it.</summary>
    public string? Fault => State is InterfaceState.Unlinked ? null : State != InterfaceState.Up ? State.Word() : Guest?.Short;

    /// <summary>The macvlan of a redirected pair; null for every other interface.</summary>
    public Link? Partner { get; init; }

    /// <summary>The guest's addresses, as far as the host knows them: reserved or leased on a declared network, or seen among the neighbours. IPv4's first.</summary>
    public IReadOnlyList<GuestAddress> Addresses { get; init; } = [];

    /// <summary>Queues that a program has open.</summary>
    public int QueuesInUse => Math.Max((int)(Link?.Tun?.Queues ?? 0), Holders.Sum(h => h.Queues));

    /// <summary>The MAC of the link on the host.</summary>
    public string? HostMac => Colons(Link?.Address);

    /// <summary>What the VM sent. A tap receives it; a macvtap, being the VM's own card, transmits it. What either half of a pair dropped is lost to the VM.</summary>
    public Traffic FromVm => Link is null ? default : IsGuestSide(Link) ? Transmitted(Link) : Received(Link).Losing(Partner is null ? default : Transmitted(Partner));

    /// <summary>What the VM was sent.</summary>
    public Traffic ToVm => Link is null ? default : IsGuestSide(Link) ? Received(Link) : Transmitted(Link).Losing(Partner is null ? default : Received(Partner));

    private static bool IsGuestSide(Link link) => link.Kind is "macvtap" or "macvlan";
    private static Traffic Received(Link l) => new(l.Statistics.RxBytes, l.Statistics.RxPackets, l.Statistics.RxDropped, l.Statistics.RxErrors);
    private static Traffic Transmitted(Link l) => new(l.Statistics.TxBytes, l.Statistics.TxPackets, l.Statistics.TxDropped, l.Statistics.TxErrors);

    /// <summary>The kernel's six octets as they are usually written.</summary>
    private static string? Colons(string? address) => address is { Length: 12 } ? string.Join(':', address.Chunk(2).Select(p => new string(p))) : address;
}
