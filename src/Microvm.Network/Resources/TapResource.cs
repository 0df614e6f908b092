using Microvm.Linux;

namespace Microvm.Network.Resources;

/// <summary>A persistent tap with vnet_hdr.</summary>
internal static class TapResource
{
    private static readonly LinkProperty s_queues = new(Difference.Fixed, Turn.Own)
    {
        Wrong = c => c.Link.Tun!.MultiQueue == c.Want.MultiQueue ? null
            : c.Want.MultiQueue ? "it lacks multi_queue" : "it is multi_queue and the VM has one queue pair",
        Anew = _ => true,
    };

    private static readonly LinkProperty s_owner = new(Difference.Owner, Turn.Call)
    {
        Wrong = c => c.Link.Tun!.Owner != c.Want.Owner || c.Link.Tun.Group != c.Want.Group
            ? $"it is owned by {OwnerWords(c.Link.Tun.Owner, c.Link.Tun.Group)}, should be {OwnerWords(c.Want.Owner, c.Want.Group)}" : null,
        // The kernel sets an owner, and has no call that takes one away again.
        // It is set on a queue, and who has a tap of one queue open has that one.
        Anew = c => IsTaken(c.Want.Owner, c.Link.Tun!.Owner) || IsTaken(c.Want.Group, c.Link.Tun.Group)
            || c.Link is { InUse: true, Tun.MultiQueue: false },
        Set = (e, _) => SetOwner(e, e.Want.Owner, e.Want.Group),
        SetBackByCall = e =>
        {
            SetOwner(e, e.Link.Tun!.Owner, e.Link.Tun.Group);
            if (IsTaken(e.Link.Tun.Owner, e.Want.Owner) || IsTaken(e.Link.Tun.Group, e.Want.Group))
            {
                throw new LinuxException($"remove the owner of tap '{e.Link.Name}' again: the kernel has no call for that", 0);
            }
        },
    };

    private static readonly LinkProperty s_master = new(Difference.Master, Turn.Master)
    {
        // Where the declaration names no bridge, networkd, Open vSwitch, a script or a person may attach it to whatever they like.
        Wrong = c => (c.Want.Bridge is null && !c.Want.Detached) || (c.Link.Master ?? 0) == c.Master ? null
            : c.Want.Detached ? "it is attached, and is declared with bridge = null" : $"it is not attached to {c.Want.Bridge}",
        Make = (link, index, batch) =>
        {
            if (link.Port is { } port)
            {
                batch.SetPort(index, link.Want.Name, port);
            }
            link.Vlans?.Give(index, link.Want.Name, batch);
        },
        Set = (e, batch) =>
        {
            batch.SetMaster(e.Link.Index, e.Link.Name, e.Step.Master, e.Step.Mtu);
            if (e.Step.Port is { } port)
            {
                batch.SetPort(e.Link.Index, e.Link.Name, port);
            }
            e.Step.Vlans?.Give(e.Link.Index, e.Link.Name, batch);
        },
        SetBack = (e, batch) =>
        {
            batch.SetMaster(e.Link.Index, e.Link.Name, MasterOf(e.Link));
            if (e.Link.Port is { } port)
            {
                batch.SetPort(e.Link.Index, e.Link.Name, port);
            }
            if (e.Step.Mtu is not null)
            {
                // Only now: the bridge that it left would have taken it on.
                batch.SetMtu(e.Link.Index, e.Link.Name, e.Link.Mtu);
            }
        },
    };

    private static readonly LinkProperty s_isolated = new(Difference.Isolated, Turn.Own)
    {
        Wrong = c => c.Want.Isolated is { } isolated && PortOnceAttached(c, p => p?.IsIsolated == true) is { } now && now != isolated ? isolated ? "it is not isolated" : "it is isolated" : null,
        GivenOnAdoption = true,
        Make = (link, index, batch) =>
        {
            if (link.Want is { Isolated: { } isolated, Bridge: not null } && link.Master != 0)
            {
                batch.SetPort(index, link.Want.Name, BridgePort.Isolation(isolated));
            }
        },
        Set = (e, batch) => batch.SetPort(e.Link.Index, e.Link.Name, BridgePort.Isolation(e.Want.Isolated!.Value)),
        SetBack = (e, batch) => batch.SetPort(e.Link.Index, e.Link.Name, BridgePort.Isolation(e.Link.Port?.IsIsolated == true)),
    };

    private static readonly LinkProperty s_txQueueLength = new(Difference.TxQueueLength, Turn.Own)
    {
        Wrong = c => c.Want.TxQueueLength is { } length && c.Link.TxQueueLength != length ? $"its queue length is {c.Link.TxQueueLength}, should be {length}" : null,
        GivenOnAdoption = true,
        Make = (link, index, batch) =>
        {
            if (link.Want.TxQueueLength is { } length)
            {
                batch.SetTxQueueLength(index, link.Want.Name, length);
            }
        },
        Set = (e, batch) => batch.SetTxQueueLength(e.Link.Index, e.Link.Name, e.Want.TxQueueLength!.Value),
        SetBack = (e, batch) => batch.SetTxQueueLength(e.Link.Index, e.Link.Name, e.Link.TxQueueLength),
    };

    /// <summary>The applier sets it on all links at once, last: a route may move from one to another.</summary>
    private static readonly LinkProperty s_hostSide = new(Difference.HostSide, Turn.HostSide)
    {
        Wrong = c => c.State.HostSides?.Change(c.Want, c.Link.Index).Reason,
        GivenOnAdoption = true,
    };

    internal static LinkResource Kind { get; } = new("tun", [s_queues, s_owner, s_master, s_isolated, AntiSpoofProperty.Port, AntiSpoofProperty.Addresses, s_txQueueLength, s_hostSide])
    {
        Unlike = link => link.Tun is { IsTap: true, VnetHeader: true } ? null : "it is not a tap with vnet_hdr",
    };

    /// <summary>What a link is attached to, as far as the kernel lets us attach another one to it. Open vSwitch takes ports through
    /// its own socket only; it knows them by name, and takes one that is made anew by itself.</summary>
    internal static int MasterOf(Link link) => link.MasterKind == "openvswitch" ? 0 : link.Master ?? 0;

    private static string OwnerWords(uint? user, uint? group) => (user, group) switch
    {
        (null, null) => "nobody in particular",
        ({ } u, null) => AccountFile.Words(AccountFile.Users, u),
        (null, { } g) => $"group {AccountFile.Words(AccountFile.Groups, g)}",
        ({ } u, { } g) => $"{AccountFile.Words(AccountFile.Users, u)} and group {AccountFile.Words(AccountFile.Groups, g)}",
    };

    /// <summary>What is so of the port where it will be attached; null where that is no bridge, and nothing can be set. One that moves is a new port there.</summary>
    internal static bool? PortOnceAttached(Planning.Comparison c, Func<BridgePort?, bool> isSo)
    {
        var stays = (c.Want.Bridge is null && !c.Want.Detached) || (c.Link.Master ?? 0) == c.Master;
        return stays ? c.Link.MasterKind == "bridge" ? isSo(c.Link.Port) : null : c.Want.Bridge is null ? null : isSo(null);
    }

    private static bool IsTaken(uint? then, uint? now) => then is null && now is not null;

    private static void SetOwner(LinkEffect effect, uint? owner, uint? group)
    {
        using var tap = TunDevice.OpenQueue(effect.Name, effect.Link.Tun!.MultiQueue, effect.Link.Index);
        tap.SetOwner(owner, group);
        if (!effect.Link.Tun.Persistent)
        {
            tap.Persist();
        }
    }
}
