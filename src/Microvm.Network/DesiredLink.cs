using System.Text;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network;

/// <summary>The kinds of link that we make; named as the kernel's own IFLA_INFO_KIND, but for tap, which is a tun.</summary>
public enum LinkKind
{
    /// <summary>A persistent tap with vnet_hdr.</summary>
    Tap,

    /// <summary>A macvtap, and its character device.</summary>
    Macvtap,

    /// <summary>A macvlan that a tap is joined to.</summary>
    Macvlan,
}

/// <summary>A link as a declaration wants it on the host.</summary>
/// <param name="Id">The declared interface that it serves.</param>
/// <param name="Name">Its name on the host.</param>
/// <param name="Owner">User id that may open it; null for root only.</param>
/// <param name="Group">Group id that may open it.</param>
public sealed record DesiredLink(LinkKind Kind, string Vm, string Id, string Name, uint? Owner, uint? Group)
{
    /// <summary>What stands in its IFLA_IFALIAS, and makes it ours.</summary>
    public string Alias { get; init; } = Ownership.Alias(Vm, Id);

    /// <summary>More than one queue: a tap is made with multi_queue.</summary>
    public bool MultiQueue { get; init; }

    /// <summary>The bridge that a tap is attached to. Null: whom it is attached to is not our affair, unless <see cref="Detached"/>.</summary>
    public string? Bridge { get; init; }

    /// <summary>A tap is attached to nothing, because the declaration says so.</summary>
    public bool Detached { get; init; }

    /// <summary>The lower device of a macvtap or macvlan.</summary>
    public string? Lower { get; init; }

    /// <summary>How a macvtap or macvlan filters.</summary>
    public MacvlanMode Mode { get; init; }

    /// <summary>The MAC of a macvtap or macvlan: the guest's.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>The senders that mode source lets in.</summary>
    public IReadOnlyList<MacAddress> Sources { get; init; } = [];

    /// <summary>Its MTU in bytes; null leaves it as it is.</summary>
    public uint? Mtu { get; init; }

    /// <summary>Whether a bridge's port is isolated from other isolated ones; null leaves that as it is.</summary>
    public bool? Isolated { get; init; }

    /// <summary>What the guest behind a bridge's port may send under; null leaves that as it is.</summary>
    public AntiSpoof? AntiSpoof { get; init; }

    /// <summary>The guest's own MAC, under which it sends.</summary>
    internal MacAddress GuestMac { get; init; }

    /// <summary>The guest's declared addresses.</summary>
    internal IReadOnlyList<System.Net.IPAddress> GuestAddresses { get; init; } = [];

    /// <summary>The declared network that gives the guest its addresses; null for none.</summary>
    internal string? Network { get; init; }

    /// <summary>How many packets may wait to be sent on it; null leaves it as it is.</summary>
    public uint? TxQueueLength { get; init; }

    /// <summary>The host's addresses on it.</summary>
    internal IReadOnlyList<PrefixedAddress> HostAddresses { get; init; } = [];

    /// <summary>What the host sends to it.</summary>
    internal IReadOnlyList<HostRoute> HostRoutes { get; init; } = [];

    /// <summary>Whether the host has addresses or routes on it.</summary>
    internal bool HasHostSide => HostAddresses.Count > 0 || HostRoutes.Count > 0;

    /// <summary>The name of the link to which all that comes in on this one is redirected.</summary>
    public string? RedirectTo { get; init; }

    /// <summary>The MAC of a tap's end on the host: the same each time it is made. A bridge without one of its own takes the lowest of its
    /// ports' (br_stp_recalculate_bridge_id() in net/bridge/br_stp_if.c), and none is higher than this.</summary>
    internal byte[] HostMac => [0xfe, .. Sha256.HashData(Encoding.UTF8.GetBytes(Alias)).AsSpan(0, 5)];

    /// <summary>The host has no business with IPv6 on it: it is the guest's end.</summary>
    internal bool Ipv6Off => Kind != LinkKind.Tap || RedirectTo is not null;

    /// <summary>The host links that attachments need, in order. What a hypervisor or its helper makes by itself needs none.</summary>
    public static IEnumerable<DesiredLink> Of(IEnumerable<Attachment> attachments, uint? owner, uint? group) =>
        attachments.SelectMany(a => Of(a, owner, group));

    private static DesiredLink[] Of(Attachment a, uint? owner, uint? group)
    {
        var i = a.Interface;
        switch (a.Kind, i.Type)
        {
            case (AttachmentKind.UserMode or AttachmentKind.UserNamespace or AttachmentKind.BridgeHelper, _):
                return [];
            case (AttachmentKind.TapRedirect, InterfaceType.Macvtap):
                var macvlan = MacvlanName(i.Id.Value);
                return
                [
                    Tap(a, owner, group) with { Alias = Ownership.Alias(a.Vm, i.Id.Value, "tap"), RedirectTo = macvlan },
                    Macvlan(LinkKind.Macvlan, a, macvlan, null, null) with { Alias = Ownership.Alias(a.Vm, i.Id.Value, "macvlan"), RedirectTo = i.Id.Value },
                ];
            case (_, InterfaceType.Macvtap):
                return [Macvlan(LinkKind.Macvtap, a, i.Id.Value, owner, group)];
            default:
                return [Tap(a, owner, group)];
        }
    }

    private static DesiredLink Tap(Attachment a, uint? owner, uint? group) =>
        new(LinkKind.Tap, a.Vm, a.Interface.Id.Value, a.Interface.Id.Value, owner, group)
        {
            MultiQueue = a.MultiQueue,
            Bridge = a.Interface.Bridge?.Value,
            Detached = a.Interface.Detached,
            Mtu = (uint?)a.Interface.Mtu,
            Isolated = a.Interface.Isolated,
            AntiSpoof = a.Interface.AntiSpoof,
            GuestMac = a.Interface.Mac,
            GuestAddresses = a.Interface.Addresses,
            Network = a.Interface.Network,
            TxQueueLength = (uint?)a.Interface.TxQueueLength,
            HostAddresses = a.Interface.HostAddresses,
            HostRoutes = a.Interface.HostRoutes,
        };

    private static DesiredLink Macvlan(LinkKind kind, Attachment a, string name, uint? owner, uint? group) =>
        new(kind, a.Vm, a.Interface.Id.Value, name, owner, group)
        {
            Lower = a.Interface.MacvtapLink?.Value,
            Mode = a.Interface.MacvtapMode switch
            {
                MacvtapMode.Private => MacvlanMode.Private,
                MacvtapMode.Vepa => MacvlanMode.Vepa,
                MacvtapMode.Passthru => MacvlanMode.Passthru,
                MacvtapMode.Source => MacvlanMode.Source,
                MacvtapMode.Bridge or null => MacvlanMode.Bridge,
            },
            Mac = a.Interface.Mac,
            Sources = a.Interface.SourceMacs,
            Mtu = (uint?)a.Interface.Mtu,
        };

    /// <summary>The name of the macvlan beside a tap: readable where it fits into 15 bytes, else a hash.</summary>
    private static string MacvlanName(string id)
    {
        var readable = $"mv-{id}";
        return Encoding.UTF8.GetByteCount(readable) <= InterfaceName.MaxBytes ? readable
            : $"mv-{Convert.ToHexStringLower(Sha256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, 6))}";
    }
}
