using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>What the kernel reports of a tun/tap link (<c>IFLA_TUN_*</c>). Owner and group are null where anybody privileged only may open it.</summary>
public sealed record TunInfo(bool IsTap, bool VnetHeader, bool MultiQueue, bool Persistent, uint? Owner, uint? Group, uint Queues);

/// <summary>What a link counted since it was made (<c>struct rtnl_link_stats64</c>), as the host's side sees it: what a VM sends is received on its tap.</summary>
public readonly record struct LinkStatistics(
    ulong RxPackets, ulong TxPackets, ulong RxBytes, ulong TxBytes, ulong RxErrors, ulong TxErrors, ulong RxDropped, ulong TxDropped)
{
    internal static LinkStatistics Parse(ReadOnlySpan<byte> data)
    {
        Span<ulong> n = stackalloc ulong[8];
        for (var i = 0; i < n.Length && data.Length >= 8 * (i + 1); i++)
        {
            n[i] = BinaryPrimitives.ReadUInt64LittleEndian(data[(8 * i)..]);
        }
        return new(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]);
    }
}

/// <summary>What the kernel reports of a macvlan or macvtap (<c>IFLA_MACVLAN_*</c>).</summary>
/// <param name="Sources">The MACs that mode source lets in, as lower-case hexadecimal digits.</param>
public sealed record MacvlanInfo(MacvlanMode Mode, IReadOnlyList<string> Sources)
{
    internal static MacvlanInfo Parse(ReadOnlySpan<byte> data)
    {
        const ushort IFLA_MACVLAN_MODE = 1, IFLA_MACVLAN_MACADDR = 4, IFLA_MACVLAN_MACADDR_DATA = 5;
        MacvlanMode mode = 0;
        List<string>? sources = null;
        var reader = new AttributeReader(data);
        while (reader.Read())
        {
            if (reader.Type == IFLA_MACVLAN_MODE)
            {
                mode = (MacvlanMode)reader.UInt32;
            }
            else if (reader.Type == IFLA_MACVLAN_MACADDR_DATA)
            {
                var list = new AttributeReader(reader.Value);
                while (list.Read())
                {
                    if (list.Type == IFLA_MACVLAN_MACADDR)
                    {
                        (sources ??= []).Add(Convert.ToHexStringLower(list.Value));
                    }
                }
            }
        }
        return new(mode, sources ?? (IReadOnlyList<string>)[]);
    }
}

/// <summary>One link as RTM_GETLINK reports it.</summary>
public sealed record Link(int Index, string Name, bool Up, string? Kind, string? Alias, uint Group, int? Master, uint Mtu, string? Address, TunInfo? Tun)
{
    /// <summary>What it counted; zero where the kernel told nothing.</summary>
    public LinkStatistics Statistics { get; init; }

    /// <summary>The index of the link that this one is stacked on (<c>IFLA_LINK</c>): a macvtap's lower device, or a veth's peer.</summary>
    /// <remarks>Null too where that link is in another network namespace: its index says nothing in ours.</remarks>
    public int? Lower { get; init; }

    /// <summary>The number of the network namespace in which the link below is (<c>IFLA_LINK_NETNSID</c>); null where it is in ours. Negative: the kernel has no number for it.</summary>
    public int? LowerNamespace { get; init; }

    /// <summary>Whether there is somebody at the other end (<c>IFLA_CARRIER</c>, told of a link that is down too): for a tap, a program that has it open.</summary>
    public bool Carrier { get; init; }

    /// <summary>Whether a program has this tap open. Only multi-queue taps have their queues counted by the kernel (tun_fill_info() in drivers/net/tun.c).</summary>
    public bool InUse => Tun is not null && (Carrier || Tun.Queues > 0);

    /// <summary>Whether it takes all multicast frames (<c>IFF_ALLMULTI</c>).</summary>
    public bool AllMulticast { get; init; }

    /// <summary>The kind of its root qdisc.</summary>
    public string? Qdisc { get; init; }

    /// <summary>What is known of a macvlan or macvtap; null for other links.</summary>
    public MacvlanInfo? Macvlan { get; init; }

    /// <summary>What its frames are (<c>ARPHRD_*</c> in linux/if_arp.h): 1 for Ethernet; 0 where the kernel told nothing.</summary>
    public ushort HardwareType { get; init; }

    /// <summary><see cref="HardwareType"/> of Ethernet devices.</summary>
    public const ushort Ethernet = 1;

    /// <summary>What a vxlan stands on, of which <see cref="Lower"/> tells nothing.</summary>
    internal int? Under { get; init; }

    /// <summary>Whether it is the loopback device.</summary>
    public bool Loopback { get; init; }

    /// <summary>Whether IPv6 is off on it (<c>disable_ipv6</c>); null where the kernel told nothing.</summary>
    public bool? Ipv6Disabled { get; init; }

    /// <summary>Further names of it (<c>IFLA_ALT_IFNAME</c>): as good as the first wherever a link is named, and taken like it.</summary>
    public IReadOnlyList<string> AltNames { get; init; } = [];

    /// <summary>The kind of the link that <see cref="Master"/> names: bridge, vrf, openvswitch and the like; null without one.</summary>
    public string? MasterKind { get; init; }

    /// <summary>As a bridge's port: what is unlike a new port's settings; null where nothing is.</summary>
    public BridgePort? Port { get; init; }

    /// <summary>As a bridge's port: whether the kernel knows locked ports; null for any other link.</summary>
    internal bool? CanLock { get; init; }

    /// <summary>How many packets may wait to be sent on it (IFLA_TXQLEN).</summary>
    public uint TxQueueLength { get; init; }

    /// <summary>Whether that is its name or one of its further names.</summary>
    public bool IsNamed(string name) => Name == name || AltNames.Contains(name);

    private const ushort IFLA_LINK = 5, IFLA_QDISC = 6, IFLA_STATS64 = 23, IFLA_AF_SPEC = 26, IFLA_CARRIER = 33, IFLA_LINK_NETNSID = 37, IFLA_PROP_LIST = 52, IFLA_ALT_IFNAME = 53;
    private const uint IFF_ALLMULTI = 0x200, IFF_LOOPBACK = 8;
    private const ushort IFLA_ADDRESS = 1, IFLA_IFNAME = 3, IFLA_MTU = 4, IFLA_MASTER = 10, IFLA_TXQLEN = 13, IFLA_LINKINFO = 18, IFLA_IFALIAS = 20, IFLA_GROUP = 27;
    private const ushort IFLA_INFO_KIND = 1, IFLA_INFO_DATA = 2, IFLA_INFO_SLAVE_KIND = 4, IFLA_INFO_SLAVE_DATA = 5;
    private const uint IFF_UP = 1;

    /// <summary>Reads struct ifinfomsg and its attributes; null where the bytes are no link.</summary>
    internal static Link? Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length < 16)
        {
            return null;
        }
        var index = BinaryPrimitives.ReadInt32LittleEndian(body[4..]);
        var flags = BinaryPrimitives.ReadUInt32LittleEndian(body[8..]);
        var up = (flags & IFF_UP) != 0;
        string? name = null, kind = null, alias = null, address = null;
        uint group = 0, mtu = 0, queueLength = 0;
        int? master = null, lower = null, under = null, lowerNamespace = null;
        LinkStatistics statistics = default;
        TunInfo? tun = null;
        MacvlanInfo? macvlan = null;
        string? qdisc = null, masterKind = null;
        BridgePort? port = null;
        bool? canLock = null;
        List<string>? altNames = null;
        bool? ipv6Disabled = null;
        var carrier = false;
        var attributes = new AttributeReader(body[16..]);
        while (attributes.Read())
        {
            switch (attributes.Type)
            {
                case IFLA_IFNAME: name = attributes.Text; break;
                case IFLA_IFALIAS: alias = attributes.Text; break;
                case IFLA_CARRIER: carrier = attributes.Byte != 0; break;
                case IFLA_GROUP: group = attributes.UInt32; break;
                case IFLA_MTU: mtu = attributes.UInt32; break;
                case IFLA_TXQLEN: queueLength = attributes.UInt32; break;
                case IFLA_MASTER: master = (int)attributes.UInt32; break;
                case IFLA_LINK: lower = (int)attributes.UInt32; break;
                case IFLA_LINK_NETNSID: lowerNamespace = (int)attributes.UInt32; break;
                case IFLA_QDISC: qdisc = Known(attributes.Value); break;
                case IFLA_AF_SPEC: ipv6Disabled = ParseIpv6(attributes.Value); break;
                case IFLA_STATS64: statistics = LinkStatistics.Parse(attributes.Value); break;
                case IFLA_ADDRESS: address = Convert.ToHexStringLower(attributes.Value); break;
                case IFLA_PROP_LIST:
                    var properties = new AttributeReader(attributes.Value);
                    while (properties.Read())
                    {
                        if (properties.Type == IFLA_ALT_IFNAME)
                        {
                            (altNames ??= []).Add(properties.Text);
                        }
                    }
                    break;
                case IFLA_LINKINFO:
                    var info = new AttributeReader(attributes.Value);
                    while (info.Read())
                    {
                        switch (info.Type)
                        {
                            case IFLA_INFO_KIND: kind = Known(info.Value); break;
                            case IFLA_INFO_DATA when kind is "macvlan" or "macvtap": macvlan = MacvlanInfo.Parse(info.Value); break;
                            case IFLA_INFO_DATA when kind == "vxlan": under = ParseVxlan(info.Value); break;
                            case IFLA_INFO_DATA when kind == "tun": tun = ParseTun(info.Value); break;
                            case IFLA_INFO_SLAVE_KIND: masterKind = Known(info.Value); break;
                            case IFLA_INFO_SLAVE_DATA when masterKind == "bridge": (port, canLock) = (BridgePort.Parse(info.Value), BridgePort.CanLock(info.Value)); break;
                        }
                    }
                    break;
            }
        }
        return name is null ? null : new(index, name, up, kind, alias, group, master, mtu, address, tun)
        {
            Statistics = statistics,
            Lower = lowerNamespace is null ? lower : null,
            LowerNamespace = lowerNamespace,
            Carrier = carrier,
            HardwareType = BinaryPrimitives.ReadUInt16LittleEndian(body[2..]),
            Under = under,
            Loopback = (flags & IFF_LOOPBACK) != 0,
            AllMulticast = (flags & IFF_ALLMULTI) != 0,
            Qdisc = qdisc,
            Macvlan = macvlan,
            Ipv6Disabled = ipv6Disabled,
            AltNames = altNames ?? (IReadOnlyList<string>)[],
            MasterKind = masterKind,
            Port = port,
            CanLock = canLock,
            TxQueueLength = queueLength,
        };
    }

    // Thousands of links have a handful of kinds between them.
    private static string Known(ReadOnlySpan<byte> zeroEnded)
    {
        var text = zeroEnded.IndexOf((byte)0) is >= 0 and var end ? zeroEnded[..end] : zeroEnded;
        return text.SequenceEqual("tun"u8) ? "tun" : text.SequenceEqual("macvtap"u8) ? "macvtap" : text.SequenceEqual("noqueue"u8) ? "noqueue"
            : text.SequenceEqual("noop"u8) ? "noop" : text.SequenceEqual("bridge"u8) ? "bridge" : System.Text.Encoding.UTF8.GetString(text);
    }

    private static bool? ParseIpv6(ReadOnlySpan<byte> families)
    {
        // IFLA_AF_SPEC / AF_INET6 / IFLA_INET6_CONF is an array of 32-bit numbers; disable_ipv6 is the 27th (DEVCONF_* in linux/ipv6.h).
        const ushort AF_INET6 = 10, IFLA_INET6_CONF = 2;
        const int DEVCONF_DISABLE_IPV6 = 26;
        var family = new AttributeReader(families);
        while (family.Read())
        {
            if (family.Type != AF_INET6)
            {
                continue;
            }
            var inet6 = new AttributeReader(family.Value);
            while (inet6.Read())
            {
                if (inet6.Type == IFLA_INET6_CONF && inet6.Value.Length >= 4 * (DEVCONF_DISABLE_IPV6 + 1))
                {
                    return BinaryPrimitives.ReadInt32LittleEndian(inet6.Value[(4 * DEVCONF_DISABLE_IPV6)..]) != 0;
                }
            }
        }
        return null;
    }

    private static int? ParseVxlan(ReadOnlySpan<byte> data)
    {
        const ushort IFLA_VXLAN_LINK = 3;
        var reader = new AttributeReader(data);
        while (reader.Read())
        {
            if (reader.Type == IFLA_VXLAN_LINK)
            {
                return reader.UInt32 is > 0 and var link ? (int)link : null;
            }
        }
        return null;
    }

    private static TunInfo ParseTun(ReadOnlySpan<byte> data)
    {
        bool tap = false, header = false, multi = false, persist = false;
        uint? owner = null, group = null;
        uint queues = 0;
        var reader = new AttributeReader(data);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case 1: owner = reader.UInt32; break;
                case 2: group = reader.UInt32; break;
                case 3: tap = reader.Byte == 2; break;
                case 5: header = reader.Byte != 0; break;
                case 6: persist = reader.Byte != 0; break;
                case 7: multi = reader.Byte != 0; break;
                case 8: queues = reader.UInt32; break;
            }
        }
        return new(tap, header, multi, persist, owner, group, queues);
    }
}
