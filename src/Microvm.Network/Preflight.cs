using Microvm.Linux;

namespace Microvm.Network;

/// <summary>Why a VM could not open a tap, told before the hypervisor's EINVAL does.</summary>
public static class Preflight
{
    /// <summary>What is wrong with the tap for this user, ending where the mending command is to be named; null where all is right.</summary>
    public static string? Fault(DesiredLink wanted, Link? link, uint user) =>
        link is null ? $"the tap '{wanted.Name}' is not there; make it with"
        : link.Tun is not { IsTap: true } tun ? $"the link '{wanted.Name}' is there but is no tap; delete it, then"
        : tun.MultiQueue != wanted.MultiQueue ? $"the tap '{wanted.Name}' {(wanted.MultiQueue ? "lacks multi_queue" : "is multi_queue")} and the VM has {(wanted.MultiQueue ? "more than one vCPU" : "one vCPU")}; mend it with"
        : tun.Owner is { } owner && owner != user ? $"the tap '{wanted.Name}' belongs to user {owner}, and the VM would run as user {user}; mend it with"
        : null;
}
