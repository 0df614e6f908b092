using Microvm.Linux;

namespace Microvm.Network;

/// <summary>What a step does to a link.</summary>
public enum StepKind { Keep, Create, Change, Replace, Delete }

/// <summary>What of a link is not as wanted.</summary>
[Flags]
public enum Difference
{
    None = 0,
    Name = 1,
    Mark = 2,
    Master = 4,
    Down = 8,
    Owner = 0x10,
    Node = 0x20,
    Mac = 0x40,
    AllMulticast = 0x80,
    Mode = 0x100,
    Ipv6 = 0x200,
    Redirect = 0x400,

    /// <summary>What the kernel can't change on a link that is there.</summary>
    Fixed = 0x1000,
}

/// <summary>One step, with its reason for a person.</summary>
/// <param name="LinkGroup">The VM's link group.</param>
/// <param name="Master">The ifindex of the bridge to be attached to; 0 for none.</param>
/// <param name="Lower">The ifindex of the lower device; 0 for none.</param>
public sealed record Step(
    StepKind Kind, string Vm, string Name, string Reason, DesiredLink? Desired, Link? Observed, uint LinkGroup = 0, int Master = 0, int Lower = 0,
    Difference Differs = Difference.None);

/// <summary>What a plan may do beyond the usual.</summary>
public sealed record PlanOptions
{
    public static PlanOptions Default { get; } = new();

    /// <summary>Take over links of others that have the wanted name, if all their properties fit.</summary>
    public bool Adopt { get; init; }

    /// <summary>Replace and delete also what a VM holds open.</summary>
    public bool ReplaceRunning { get; init; }

    /// <summary>Only links of this kind of attachment; others of the same VMs are left as they are.</summary>
    public LinkSelection Only { get; init; }

    /// <summary>All declared VMs, those without a link on the host too: what else is theirs goes. Empty: those that the wanted links name.</summary>
    public IReadOnlyCollection<string> Vms { get; init; } = [];
}

/// <summary>Taps (with or without a bridge), macvtaps (and the pairs that stand for one), or all.</summary>
public enum LinkSelection { All, Tap, Macvtap }
