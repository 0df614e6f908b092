using Microvm.Linux;

namespace Microvm.Network;

/// <summary>What a step does to a link.</summary>
public enum StepKind
{
    /// <summary>Nothing: it is right.</summary>
    Keep,

    /// <summary>Makes it.</summary>
    Create,

    /// <summary>Sets what differs; who has it open keeps it.</summary>
    Change,

    /// <summary>Deletes it and makes it anew: the kernel can't change what differs.</summary>
    Replace,

    /// <summary>Deletes it.</summary>
    Delete,
}

/// <summary>The actions as they are written, in JSON too. Scripts rely on these words; they never change.</summary>
internal static class StepWords
{
    internal static string Word(this StepKind kind) => kind switch
    {
        StepKind.Keep => "keep",
        StepKind.Create => "create",
        StepKind.Change => "change",
        StepKind.Replace => "replace",
        StepKind.Delete => "delete",
    };
}

/// <summary>What of a link is not as wanted.</summary>
[Flags]
public enum Difference
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Its name.</summary>
    Name = 1,

    /// <summary>Its alias or link group.</summary>
    Mark = 2,

    /// <summary>The bridge that it is attached to.</summary>
    Master = 4,

    /// <summary>It is down.</summary>
    Down = 8,

    /// <summary>The user or group that may open a tap.</summary>
    Owner = 0x10,

    /// <summary>The owner or mode of a macvtap's node.</summary>
    Node = 0x20,

    /// <summary>Its MAC.</summary>
    Mac = 0x40,

    /// <summary>Whether it takes all multicast.</summary>
    AllMulticast = 0x80,

    /// <summary>A macvtap's mode or source list.</summary>
    Mode = 0x100,

    /// <summary>IPv6 is on.</summary>
    Ipv6 = 0x200,

    /// <summary>Where its frames are redirected.</summary>
    Redirect = 0x400,

    /// <summary>Its MTU.</summary>
    Mtu = 0x800,

    /// <summary>Whether a bridge's port is isolated.</summary>
    Isolated = 0x2000,

    /// <summary>How many packets may wait to be sent on it.</summary>
    TxQueueLength = 0x4000,

    /// <summary>Whether a bridge's port takes frames from the guest's MAC alone.</summary>
    AntiSpoof = 0x8000,

    /// <summary>Whether the guest sends under its own addresses alone.</summary>
    Guard = 0x10000,

    /// <summary>The host's addresses, routes and neighbours on it.</summary>
    HostSide = 0x100000,

    /// <summary>What the kernel can't change on a link that is there.</summary>
    Fixed = 0x1000,
}

/// <summary>One step, with its reason for a person.</summary>
/// <param name="LinkGroup">The VM's link group.</param>
/// <param name="Master">The ifindex of the bridge to be attached to; 0 for none.</param>
/// <param name="Lower">The ifindex of the lower device; 0 for none.</param>
public sealed record Step(
    StepKind Kind, string Vm, string Name, string Reason, DesiredLink? Desired, Link? Observed, uint LinkGroup = 0, int Master = 0, int Lower = 0,
    Difference Differs = Difference.None)
{
    /// <summary>The MTU to be given to a link that is made or attached, so that its bridge keeps its own; null leaves it to the kernel.</summary>
    internal uint? Mtu { get; init; }

    /// <summary>What is wrong around a link that is right itself; null where nothing is.</summary>
    internal string? Note { get; init; }

    /// <summary>Settings of a bridge's port to be given back once the link is attached.</summary>
    internal BridgePort? Port { get; init; }

    /// <summary>VLANs of a bridge's port to be given back once the link is attached; null leaves the bridge's default.</summary>
    internal PortVlans? Vlans { get; init; }
}

/// <summary>What a plan may do beyond the usual.</summary>
public sealed record PlanOptions
{
    /// <summary>Nothing beyond the usual.</summary>
    public static PlanOptions Default { get; } = new();

    /// <summary>Take over links of others that have the wanted name, if all their properties fit.</summary>
    public bool Adopt { get; init; }

    /// <summary>Replace and delete also what a VM holds open.</summary>
    public bool ReplaceRunning { get; init; }

    /// <summary>Replace also links on which something depends that can't be carried along to the new link, and is lost.</summary>
    public bool Replace { get; init; }

    /// <summary>Only links of this kind of attachment; others of the same VMs are left as they are.</summary>
    public LinkSelection Only { get; init; }

    /// <summary>The networks that the links join.</summary>
    internal IReadOnlyList<Networks.DesiredNetwork> Networks { get; init; } = [];

    /// <summary>The named network namespace that is looked at, for commands that a person is to type; null for the one that they are typed in.</summary>
    internal string? Netns { get; init; }

    /// <summary>All declared VMs, those without a link on the host too: what else is theirs goes. Empty: those that the wanted links name.</summary>
    public IReadOnlyCollection<string> Vms { get; init; } = [];
}

/// <summary>Taps (with or without a bridge), macvtaps (and the pairs that stand for one), or all.</summary>
public enum LinkSelection
{
    /// <summary>All links.</summary>
    All,

    /// <summary>Taps, with or without a bridge.</summary>
    Tap,

    /// <summary>Macvtaps, and the pairs of tap and macvlan that stand for one.</summary>
    Macvtap,
}
