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

/// <summary>One declared interface that passed every rule.</summary>
/// <param name="Bridge">The bridge to attach to: required for type bridge, welcome for tap. Left out, whom a tap is attached to is not our affair.</param>
/// <param name="SourceMacs">Mode source: the senders whose frames are let through.</param>
/// <param name="BridgeHelper">Type bridge: whether QEMU's helper makes the tap; null leaves it to the hypervisor.</param>
/// <param name="KernelIp">Type user on kvmtool: the static address goes on the kernel's command line.</param>
/// <param name="OptionAt">Where <c>tap.vhost</c>, <c>bridgeHelper</c> or <c>user.kernelIp</c> stands, whichever the type has.</param>
public sealed record NetworkInterface(
    InterfaceType Type, InterfaceName Id, MacAddress Mac, SourcePosition At,
    InterfaceName? Bridge = null, InterfaceName? MacvtapLink = null, MacvtapMode? MacvtapMode = null, bool Vhost = false,
    IReadOnlyList<MacAddress>? SourceMacs = null, bool? BridgeHelper = null, bool KernelIp = false, SourcePosition OptionAt = default)
{
    /// <summary>Type tap: it is to be attached to nothing, as <c>bridge = null</c> says in so many words.</summary>
    public bool Detached { get; init; }
}

/// <summary>A port of the host that reaches the guest, or (from the guest) the other way round.</summary>
/// <param name="From"><c>host</c> or <c>guest</c>.</param>
/// <param name="Proto"><c>tcp</c> or <c>udp</c>.</param>
/// <param name="HostAddress">IPv4, or empty for any.</param>
/// <param name="GuestAddress">IPv4, or empty for the guest's own.</param>
public sealed record ForwardPort(
    string From, string Proto, string HostAddress, int HostPort, string GuestAddress, int GuestPort, SourcePosition At = default);
