using System.Net;

namespace Microvm.Declaration;

/// <summary>The four types of the specification.</summary>
public enum InterfaceType
{
    /// <summary>User-mode networking, with no link on the host.</summary>
    User,

    /// <summary>A tap.</summary>
    Tap,

    /// <summary>A macvtap on a device of the host.</summary>
    Macvtap,

    /// <summary>A tap on a bridge.</summary>
    Bridge,
}

/// <summary>The types as they are written: in declarations, in JSON, in metrics and in messages. Scripts rely on these words; they never change.</summary>
internal static class InterfaceTypeWords
{
    internal static string Word(this InterfaceType type) => type switch
    {
        InterfaceType.User => "user",
        InterfaceType.Tap => "tap",
        InterfaceType.Macvtap => "macvtap",
        InterfaceType.Bridge => "bridge",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no such interface type"),
    };
}

/// <summary>The modes of macvtaps as they are written. Scripts rely on these words; they never change.</summary>
internal static class MacvtapModeWords
{
    internal static string Word(this MacvtapMode mode) => mode switch
    {
        MacvtapMode.Private => "private",
        MacvtapMode.Vepa => "vepa",
        MacvtapMode.Bridge => "bridge",
        MacvtapMode.Passthru => "passthru",
        MacvtapMode.Source => "source",
        _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "no such mode"),
    };
}

/// <summary>How a macvtap filters (<c>MACVLAN_MODE_*</c> in linux/if_link.h).</summary>
public enum MacvtapMode
{
    /// <summary>Those on one lower device never hear each other.</summary>
    Private,

    /// <summary>Frames to each other go out, for a switch that sends them back.</summary>
    Vepa,

    /// <summary>Those on one lower device reach each other directly.</summary>
    Bridge,

    /// <summary>One alone has the lower device.</summary>
    Passthru,

    /// <summary>Only frames from listed senders are let in.</summary>
    Source,
}

/// <summary>What a guest may send under.</summary>
public enum AntiSpoof
{
    /// <summary>Whatever it likes.</summary>
    Off,

    /// <summary>Its declared MAC.</summary>
    Mac,

    /// <summary>Its declared MAC and addresses.</summary>
    Ip,
}

/// <summary>One declared interface that passed every rule.</summary>
public sealed record NetworkInterface
{
    /// <summary>How it reaches a network.</summary>
    public required InterfaceType Type { get; init; }

    /// <summary>Its name on the host.</summary>
    public required InterfaceName Id { get; init; }

    /// <summary>The Ethernet address of the guest's side.</summary>
    public required MacAddress Mac { get; init; }

    /// <summary>Where the interface was declared.</summary>
    public SourcePosition At { get; init; }

    /// <summary>The bridge to attach to: required for type bridge, welcome for tap. Null leaves to others whom a tap is attached to.</summary>
    public InterfaceName? Bridge { get; init; }

    /// <summary>Type tap: it is to be attached to nothing, as <c>bridge = null</c> says in so many words.</summary>
    public bool Detached { get; init; }

    /// <summary>Type tap: the declared network that it joins; <see cref="Bridge"/> is that network's bridge then.</summary>
    internal string? Network { get; init; }

    /// <summary>With <see cref="Network"/>: where the guest may connect to, beside what the network says.</summary>
    internal EgressPolicy Egress { get; init; } = EgressPolicy.None;

    /// <summary>The guest's addresses: with <see cref="Network"/> those that it is to be given; with <see cref="AntiSpoof.Ip"/> those that it may send under.</summary>
    internal IReadOnlyList<IPAddress> Addresses { get; init => field = ValueList<IPAddress>.Of(value); } = ValueList<IPAddress>.Empty;

    /// <summary>What the guest is told of its own end on the kernel's command line; null for nothing.</summary>
    internal GuestSide? Guest { get; init; }

    /// <summary>Type tap: the host's own addresses on it.</summary>
    internal IReadOnlyList<PrefixedAddress> HostAddresses { get; init => field = ValueList<PrefixedAddress>.Of(value); } = ValueList<PrefixedAddress>.Empty;

    /// <summary>Type tap: what the host sends to the guest.</summary>
    internal IReadOnlyList<HostRoute> HostRoutes { get; init => field = ValueList<HostRoute>.Of(value); } = ValueList<HostRoute>.Empty;

    /// <summary>The MTU of its link on the host, 68 to 65535 bytes; null leaves it as it is.</summary>
    public int? Mtu { get; init; }

    /// <summary>Types tap and bridge: whether it reaches only ports of its bridge that are not isolated; null leaves that as it is.</summary>
    public bool? Isolated { get; init; }

    /// <summary>Types tap and bridge: what the guest may send under; null leaves that as it is.</summary>
    public AntiSpoof? AntiSpoof { get; init; }

    /// <summary>Type tap: how many packets may wait for the guest; null leaves it as it is.</summary>
    public int? TxQueueLength { get; init; }

    /// <summary>Type bridge: whether QEMU's helper makes the tap; null leaves it to the hypervisor.</summary>
    public bool? BridgeHelper { get; init; }

    /// <summary>Type macvtap: its lower device.</summary>
    public InterfaceName? MacvtapLink { get; init; }

    /// <summary>Type macvtap: how it filters.</summary>
    public MacvtapMode? MacvtapMode { get; init; }

    /// <summary>Mode source: the senders whose frames are let through. Empty in every other mode.</summary>
    public IReadOnlyList<MacAddress> SourceMacs { get; init => field = ValueList<MacAddress>.Of(value); } = ValueList<MacAddress>.Empty;

    /// <summary>Type tap: whether the kernel's vhost-net carries the packets.</summary>
    public bool Vhost { get; init; }

    /// <summary>Type user on kvmtool: the static address goes on the kernel's command line.</summary>
    public bool KernelIp { get; init; }

    /// <summary>Where <c>tap.vhost</c>, <c>bridgeHelper</c> or <c>user.kernelIp</c> was declared, whichever the type has.</summary>
    public SourcePosition OptionAt { get; init; }
}

/// <summary>A port of the host that reaches the guest, or (from the guest) the other way round.</summary>
public sealed record ForwardPort
{
    /// <summary>Which side opens the connection: <c>host</c> or <c>guest</c>.</summary>
    public required string From { get; init; }

    /// <summary><c>tcp</c> or <c>udp</c>.</summary>
    public required string Proto { get; init; }

    /// <summary>IPv4; null for all of the host's addresses.</summary>
    public string? HostAddress { get; init; }

    /// <summary>1 to 65535.</summary>
    public required int HostPort { get; init; }

    /// <summary>IPv4; null for the address that user networking hands out.</summary>
    public string? GuestAddress { get; init; }

    /// <summary>1 to 65535.</summary>
    public required int GuestPort { get; init; }

    /// <summary>Where the port was declared.</summary>
    public SourcePosition At { get; init; }
}
