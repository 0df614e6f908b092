using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Microvm.Linux;

/// <summary>The kinds of things that depend on a link, each read from a message of a dump. Pure. <c>linux/rtnetlink.h</c>, <c>if_addr.h</c>,
/// <c>neighbour.h</c>, <c>nexthop.h</c>, <c>pkt_sched.h</c>.</summary>
/// <param name="indexes">From the ifindex of each link in question to the one that is to take its place; the same for a look at what is there.</param>
internal sealed class CarriedKinds(IReadOnlyDictionary<int, int> indexes)
{
    internal const ushort RTM_NEWADDR = 20, RTM_GETADDR = 22, RTM_NEWROUTE = 24, RTM_GETROUTE = 26, RTM_NEWNEIGH = 28, RTM_GETNEIGH = 30;
    internal const ushort RTM_NEWQDISC = 36, RTM_GETQDISC = 38, RTM_NEWTCLASS = 40, RTM_GETTCLASS = 42, RTM_NEWTFILTER = 44, RTM_GETTFILTER = 46, RTM_NEWNEXTHOP = 104, RTM_GETNEXTHOP = 106;
    internal const byte AF_INET = 2, AF_BRIDGE = 7, AF_INET6 = 10, NTF_PROXY = 8;
    private const ushort NLM_F_REPLACE = 0x100, NLM_F_EXCL = 0x200, NLM_F_CREATE = 0x400, NLM_F_APPEND = 0x800;
    private const byte NextHopOnlink = 4, NextHopPervasive = 2;

    // Nexthop objects that are on one of the links, or are groups with one that is.
    private readonly HashSet<uint> _nexthops = [];

    /// <summary>An address with its prefix, scope, lifetimes, label, peer and flags (struct ifaddrmsg); null for those that the kernel makes itself.</summary>
    internal Carried? Address(ReadOnlySpan<byte> body)
    {
        const ushort IFA_ADDRESS = 1, IFA_LOCAL = 2, IFA_LABEL = 3, IFA_BROADCAST = 4, IFA_CACHEINFO = 6, IFA_FLAGS = 8, IFA_RT_PRIORITY = 9, IFA_PROTO = 11;
        // What the user sets: IFA_F_NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE, MCAUTOJOIN.
        const uint Kept = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;
        const uint IFA_F_TEMPORARY = 1;
        if (body.Length < 8 || !Mapped(body[4..], out var index))
        {
            return null;
        }
        byte[] header = [body[0], body[1], 0, body[3], .. Bytes(index)];
        var request = new RequestOf(header);
        ReadOnlySpan<byte> address = default, local = default;
        uint flags = body[2];
        byte? origin = null;
        var reader = new AttributeReader(body[8..]);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case IFA_ADDRESS: address = reader.Value; request.Add(reader.Type, reader.Value); break;
                case IFA_LOCAL: local = reader.Value; request.Add(reader.Type, reader.Value); break;
                case IFA_LABEL or IFA_BROADCAST or IFA_RT_PRIORITY: request.Add(reader.Type, reader.Value); break;
                case IFA_PROTO: origin = reader.Byte; request.Add(reader.Type, reader.Value); break;
                case IFA_FLAGS: flags = reader.UInt32; break;
                case IFA_CACHEINFO when reader.Value.Length >= 16:
                    // Preferred and valid lifetime; the kernel's own time stamps are not taken back.
                    request.Add(reader.Type, [.. reader.Value[..8], 0, 0, 0, 0, 0, 0, 0, 0], identifies: false);
                    break;
            }
        }
        // IFAPROT_KERNEL_LO, _RA and _LL. Older kernels do not tell; an address out of the MAC has ff:fe in its middle.
        var kernels = origin is 1 or 2 or 3 || body[0] == AF_INET6 && ((flags & IFA_F_TEMPORARY) != 0
            || origin is null && address is [0xfe, 0x80, _, _, _, _, _, _, _, _, _, 0xff, 0xfe, ..]);
        if (kernels || address.IsEmpty && local.IsEmpty)
        {
            return null;
        }
        request.Add(IFA_FLAGS, Bytes((int)(flags & Kept)));
        return request.Done($"{new IPAddress(local.IsEmpty ? address : local)}/{body[1]}", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    }

    /// <summary>Whether it lives on a link with a carrier alone: a nexthop object, or a route that names one (rtm_to_nh_config() in
    /// net/ipv4/nexthop.c), and a proxy entry, which goes with the carrier (neigh_carrier_down() in net/core/neighbour.c).</summary>
    internal static bool NeedsCarrier(Carried thing)
    {
        const ushort RTA_NH_ID = 30;
        if (thing.Type != RTM_NEWROUTE)
        {
            return thing.Type == RTM_NEWNEXTHOP || thing.Type == RTM_NEWNEIGH && (thing.Body[10] & NTF_PROXY) != 0;
        }
        var reader = new AttributeReader(thing.Body.AsSpan(12));
        while (reader.Read())
        {
            if (reader.Type == RTA_NH_ID)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>A nexthop object on one of the links, or a group with one that is (struct nhmsg).</summary>
    internal Carried? Nexthop(ReadOnlySpan<byte> body)
    {
        const ushort NHA_ID = 1, NHA_GROUP = 2, NHA_GROUP_TYPE = 3, NHA_OIF = 5, NHA_GATEWAY = 6, NHA_ENCAP_TYPE = 7, NHA_ENCAP = 8, NHA_FDB = 11;
        if (body.Length < 8)
        {
            return null;
        }
        var request = new RequestOf([body[0], 0, body[2], 0, .. Bytes((int)(BinaryPrimitives.ReadUInt32LittleEndian(body[4..]) & NextHopOnlink))]);
        uint id = 0;
        var ours = false;
        var reader = new AttributeReader(body[8..]);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case NHA_ID: id = reader.UInt32; request.Add(reader.Type, reader.Value); break;
                case NHA_OIF:
                    ours = Mapped(reader.Value, out var index);
                    request.Add(reader.Type, Bytes(index));
                    break;
                case NHA_GROUP:
                    for (var at = 0; at + 8 <= reader.Value.Length; at += 8)
                    {
                        ours |= _nexthops.Contains(BinaryPrimitives.ReadUInt32LittleEndian(reader.Value[at..]));
                    }
                    request.Add(reader.Type, reader.Value);
                    break;
                case NHA_GROUP_TYPE or NHA_GATEWAY or NHA_ENCAP_TYPE or NHA_ENCAP or NHA_FDB: request.Add(reader.Type, reader.Value); break;
            }
        }
        if (!ours)
        {
            return null;
        }
        _nexthops.Add(id);
        return request.Done($"nexthop {id}", RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE);
    }

    /// <summary>A route of whatever table over one of the links, with its metrics and next hops (struct rtmsg); null for those that the kernel makes itself.</summary>
    internal Carried? Route(ReadOnlySpan<byte> body)
    {
        const byte RTPROT_REDIRECT = 1, RTPROT_KERNEL = 2, RTPROT_RA = 9;
        const ushort RTA_DST = 1, RTA_SRC = 2, RTA_OIF = 4, RTA_GATEWAY = 5, RTA_PRIORITY = 6, RTA_PREFSRC = 7, RTA_METRICS = 8, RTA_MULTIPATH = 9, RTA_CACHEINFO = 12;
        const ushort RTA_TABLE = 15, RTA_VIA = 18, RTA_PREF = 20, RTA_ENCAP_TYPE = 21, RTA_ENCAP = 22, RTA_EXPIRES = 23, RTA_NH_ID = 30;
        const uint RTM_F_CLONED = 0x200;
        if (body.Length < 12 || body[5] is RTPROT_REDIRECT or RTPROT_KERNEL or RTPROT_RA || (BinaryPrimitives.ReadUInt32LittleEndian(body[8..]) & RTM_F_CLONED) != 0)
        {
            return null;
        }
        var objects = Has(body[12..], RTA_NH_ID);
        byte[] header = [.. body[..8], .. Bytes((int)(BinaryPrimitives.ReadUInt32LittleEndian(body[8..]) & (NextHopOnlink | NextHopPervasive)))];
        var request = new RequestOf(header);
        var (ours, multipath) = (false, false);
        IPAddress? destination = null;
        uint table = body[4];
        var reader = new AttributeReader(body[12..]);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case RTA_OIF or RTA_GATEWAY or RTA_VIA or RTA_MULTIPATH or RTA_ENCAP_TYPE or RTA_ENCAP when objects:
                    // Told for older programs beside the nexthop object; the kernel takes one of them.
                    break;
                case RTA_OIF:
                    ours = Mapped(reader.Value, out var index);
                    request.Add(reader.Type, Bytes(index));
                    break;
                case RTA_NH_ID:
                    ours = _nexthops.Contains(reader.UInt32);
                    request.Add(reader.Type, reader.Value);
                    break;
                case RTA_MULTIPATH:
                    multipath = true;
                    request.Add(reader.Type, Multipath(reader.Value, ref ours));
                    break;
                case RTA_CACHEINFO when reader.Value.Length >= 12 && BinaryPrimitives.ReadInt32LittleEndian(reader.Value[8..]) is > 0 and var ticks:
                    // In hundredths of a second (USER_HZ), and taken back in seconds.
                    request.Add(RTA_EXPIRES, Bytes((ticks + 99) / 100), identifies: false);
                    break;
                case RTA_EXPIRES: request.Add(reader.Type, reader.Value, identifies: false); break;
                case RTA_DST:
                    destination = new IPAddress(reader.Value);
                    request.Add(reader.Type, reader.Value);
                    break;
                case RTA_TABLE: table = reader.UInt32; request.Add(reader.Type, reader.Value); break;
                case RTA_SRC or RTA_GATEWAY or RTA_PRIORITY or RTA_PREFSRC or RTA_METRICS or RTA_VIA or RTA_PREF or RTA_ENCAP_TYPE or RTA_ENCAP: request.Add(reader.Type, reader.Value); break;
            }
        }
        const uint RT_TABLE_MAIN = 254;
        // Several next hops are one route, of which the others may be left. IPv4 has routes that differ in the device alone.
        var flags = multipath ? NLM_F_CREATE | NLM_F_REPLACE : body[0] == AF_INET ? NLM_F_CREATE | NLM_F_APPEND : NLM_F_CREATE | NLM_F_EXCL;
        return !ours ? null : request.Done($"the route to {(destination is null ? "everywhere" : $"{destination}/{body[1]}")}{(table == RT_TABLE_MAIN ? "" : $" in table {table}")}", RTM_NEWROUTE, (ushort)flags);
    }

    /// <summary>A permanent neighbour or a proxy entry (struct ndmsg).</summary>
    internal Carried? Neighbour(ReadOnlySpan<byte> body)
    {
        const ushort NUD_PERMANENT = 0x80, NDA_DST = 1, NDA_LLADDR = 2, NDA_PROTOCOL = 12, NDA_FLAGS_EXT = 15;
        const byte NTF_ROUTER = 0x80;
        if (body.Length < 12 || body[0] is not (AF_INET or AF_INET6) || !Mapped(body[4..], out var index))
        {
            return null;
        }
        var proxy = (body[10] & NTF_PROXY) != 0;
        var state = BinaryPrimitives.ReadUInt16LittleEndian(body[8..]);
        if ((state & NUD_PERMANENT) == 0 && !proxy)
        {
            return null;
        }
        byte[] header = [body[0], 0, 0, 0, .. Bytes(index), (byte)state, (byte)(state >> 8), (byte)(body[10] & (NTF_PROXY | NTF_ROUTER)), 0];
        var request = new RequestOf(header);
        IPAddress? address = null;
        var reader = new AttributeReader(body[12..]);
        while (reader.Read())
        {
            if (reader.Type is NDA_DST or NDA_LLADDR or NDA_PROTOCOL or NDA_FLAGS_EXT)
            {
                address = reader.Type == NDA_DST ? new IPAddress(reader.Value) : address;
                request.Add(reader.Type, reader.Value);
            }
        }
        return address is null ? null : request.Done($"{(proxy ? "the proxy entry" : "the neighbour")} {address}", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
    }

    /// <summary>A static entry of a bridge's forwarding database, or of the link's own list (struct ndmsg of AF_BRIDGE).</summary>
    /// <param name="own">The links' own MACs by index: the bridge adds them itself.</param>
    internal Carried? Forwarding(ReadOnlySpan<byte> body, Func<int, string?> own)
    {
        const ushort NUD_NOARP = 0x40, NUD_PERMANENT = 0x80, NDA_LLADDR = 2, NDA_VLAN = 5, NDA_MASTER = 9;
        const byte NTF_SELF = 2, NTF_MASTER = 4, NTF_EXT_LEARNED = 0x10, NTF_STICKY = 0x40;
        if (body.Length < 12 || body[0] != AF_BRIDGE || !Mapped(body[4..], out var index))
        {
            return null;
        }
        var state = BinaryPrimitives.ReadUInt16LittleEndian(body[8..]);
        var bridges = Has(body[12..], NDA_MASTER);
        var side = bridges ? NTF_MASTER : NTF_SELF;
        var kept = (ushort)(state & (NUD_NOARP | NUD_PERMANENT));
        byte[] header = [AF_BRIDGE, 0, 0, 0, .. Bytes(index), (byte)kept, 0, (byte)(side | body[10] & (NTF_EXT_LEARNED | NTF_STICKY)), 0];
        var request = new RequestOf(header);
        string? mac = null;
        var multicast = false;
        var reader = new AttributeReader(body[12..]);
        while (reader.Read())
        {
            if (reader.Type is NDA_LLADDR or NDA_VLAN)
            {
                (mac, multicast) = reader.Type == NDA_LLADDR ? (Convert.ToHexStringLower(reader.Value), (reader.Byte & 1) != 0) : (mac, multicast);
                request.Add(reader.Type, reader.Value);
            }
        }
        // What was learned is learned again, and the stack joins its own multicast groups.
        return mac is null || kept == 0 || multicast && !bridges || mac == own(BinaryPrimitives.ReadInt32LittleEndian(body[4..])) ? null
            : request.Done($"the forwarding entry {mac}", RTM_NEWNEIGH, (ushort)(bridges ? NLM_F_CREATE | NLM_F_REPLACE : NLM_F_CREATE | NLM_F_EXCL));
    }

    /// <summary>A qdisc, class or filter that somebody added (struct tcmsg); null for those that the kernel makes itself.</summary>
    internal Carried? Traffic(ushort type, ReadOnlySpan<byte> body, out string kind)
    {
        const ushort TCA_KIND = 1, TCA_OPTIONS = 2, TCA_CHAIN = 11;
        const uint RootHashTable = 0x80000000;
        kind = "";
        if (body.Length < 20 || !Mapped(body[4..], out var index))
        {
            return null;
        }
        var handle = BinaryPrimitives.ReadUInt32LittleEndian(body[8..]);
        if (handle == 0 || type == RTM_NEWTFILTER && handle == RootHashTable)
        {
            return null;
        }
        byte[] header = [0, 0, 0, 0, .. Bytes(index), .. body[8..16], .. type == RTM_NEWTFILTER ? body[16..20] : new byte[4]];
        var request = new RequestOf(header);
        var reader = new AttributeReader(body[20..]);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case TCA_KIND: kind = Encoding.UTF8.GetString(reader.Value).TrimEnd('\0'); request.Add(reader.Type, reader.Value); break;
                // Counters and times are among them.
                case TCA_OPTIONS: request.Add(reader.Type, AsTaken(type, kind, reader.Value), identifies: false); break;
                case TCA_CHAIN: request.Add(reader.Type, reader.Value); break;
            }
        }
        var noun = type switch { RTM_NEWQDISC => "qdisc", RTM_NEWTCLASS => "class", _ => "filter" };
        return request.Done($"the {noun} {kind} {handle >> 16:x}:{handle & 0xffff:x}", type, NLM_F_CREATE | NLM_F_REPLACE);
    }

    /// <summary>Options as the kernel takes them, where it tells them otherwise. HTB tells its whole version, and takes the major number
    /// (htb_init() and htb_dump() in net/sched/sch_htb.c). Filters tell whether hardware has them, and don't take that (tc_flags_valid()
    /// in include/net/pkt_cls.h).</summary>
    private static byte[] AsTaken(ushort type, string kind, ReadOnlySpan<byte> told)
    {
        const ushort TCA_HTB_INIT = 2, TCA_MATCHALL_FLAGS = 3, TCA_BPF_FLAGS_GEN = 9, TCA_U32_FLAGS = 11, TCA_FLOWER_FLAGS = 22;
        const uint InHardware = 0xc;
        var options = told.ToArray();
        var attribute = (type, kind) switch
        {
            (RTM_NEWQDISC, "htb") => TCA_HTB_INIT,
            (RTM_NEWTFILTER, "matchall") => TCA_MATCHALL_FLAGS,
            (RTM_NEWTFILTER, "bpf") => TCA_BPF_FLAGS_GEN,
            (RTM_NEWTFILTER, "u32") => TCA_U32_FLAGS,
            (RTM_NEWTFILTER, "flower") => TCA_FLOWER_FLAGS,
            _ => (ushort)0,
        };
        for (var at = 0; attribute != 0 && at + 8 <= options.Length;)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(options.AsSpan(at));
            if (length < 4)
            {
                break;
            }
            if (BinaryPrimitives.ReadUInt16LittleEndian(options.AsSpan(at + 2)) == attribute && length >= 8)
            {
                var number = BinaryPrimitives.ReadUInt32LittleEndian(options.AsSpan(at + 4));
                // A request that was made of it already has the major number.
                number = attribute != TCA_HTB_INIT || type != RTM_NEWQDISC ? number & ~InHardware : number > ushort.MaxValue ? number >> 16 : number;
                BinaryPrimitives.WriteUInt32LittleEndian(options.AsSpan(at + 4), number);
            }
            at += length + 3 & ~3;
        }
        return options;
    }

    /// <summary>Whether it is an entry of a bridge's forwarding database, and so means something on a port of that bridge alone.</summary>
    internal static bool IsOfBridge(Carried thing)
    {
        const byte NTF_MASTER = 4;
        return thing.Type == RTM_NEWNEIGH && thing.Body[0] == AF_BRIDGE && (thing.Body[10] & NTF_MASTER) != 0;
    }

    private byte[] Multipath(ReadOnlySpan<byte> hops, ref bool ours)
    {
        // struct rtnexthop: length, flags, weight, ifindex; then attributes.
        var copy = hops.ToArray();
        for (var at = 0; at + 8 <= copy.Length;)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(copy.AsSpan(at));
            if (length < 8 || at + length > copy.Length)
            {
                break;
            }
            copy[at + 2] &= NextHopOnlink | NextHopPervasive;
            ours |= Mapped(copy.AsSpan(at + 4), out var index);
            BinaryPrimitives.WriteInt32LittleEndian(copy.AsSpan(at + 4), index);
            at += length + 3 & ~3;
        }
        return copy;
    }

    /// <summary>The index that is to stand in an index's place, and whether it is one of the links in question.</summary>
    private bool Mapped(ReadOnlySpan<byte> at, out int index)
    {
        index = at.Length >= 4 ? BinaryPrimitives.ReadInt32LittleEndian(at) : 0;
        if (!indexes.TryGetValue(index, out var to))
        {
            return false;
        }
        index = to;
        return true;
    }

    private static bool Has(ReadOnlySpan<byte> attributes, ushort type)
    {
        var reader = new AttributeReader(attributes);
        while (reader.Read())
        {
            if (reader.Type == type)
            {
                return true;
            }
        }
        return false;
    }

    private static byte[] Bytes(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }
}
