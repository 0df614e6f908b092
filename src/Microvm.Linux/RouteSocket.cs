using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>A NETLINK_ROUTE socket in the network namespace of the thread that opened it.</summary>
public sealed unsafe class RouteSocket : IDisposable
{
    private const ushort NLMSG_ERROR = 2, NLMSG_DONE = 3, RTM_NEWLINK = 16, RTM_DELLINK = 17, RTM_GETLINK = 18, RTM_SETLINK = 19, RTM_NEWQDISC = 36;
    private const ushort NLM_F_REQUEST = 1, NLM_F_ACK = 4, NLM_F_DUMP_INTR = 0x10, NLM_F_REPLACE = 0x100, NLM_F_DUMP = 0x300, NLM_F_CREATE = 0x400;
    private const ushort IFLA_IFNAME = 3, IFLA_MASTER = 10, IFLA_IFALIAS = 20, IFLA_GROUP = 27, TCA_KIND = 1, NLMSGERR_ATTR_MSG = 1;
    private const uint TC_H_ROOT = 0xffffffff, IFF_UP = 1;
    private readonly FileDescriptor _socket;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private uint _sequence;

    public RouteSocket()
    {
        const int AF_NETLINK = 16, SOCK_RAW = 3, SOCK_CLOEXEC = 0x80000, SOL_NETLINK = 270, NETLINK_EXT_ACK = 11;
        _socket = new((int)Libc.Check(Libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), "open a netlink socket"));
        var on = 1;
        _ = Libc.setsockopt(_socket.Value, SOL_NETLINK, NETLINK_EXT_ACK, &on, 4);
    }

    /// <summary>All links of the namespace. A dump that changed under way is taken again.</summary>
    public IReadOnlyList<Link> Links()
    {
        for (var attempt = 0; ; attempt++)
        {
            var links = new List<Link>();
            var whole = true;
            Send(new NetlinkMessage("list the links", RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP).IfInfo(0), (type, flags, body) =>
            {
                whole &= (flags & NLM_F_DUMP_INTR) == 0;
                if (type == RTM_NEWLINK && Link.Parse(body) is { } link)
                {
                    links.Add(link);
                }
            });
            if (whole || attempt == 100)
            {
                return whole ? links : throw new LinuxException("list the links: they kept changing", 11);
            }
        }
    }

    /// <summary>The link of that name.</summary>
    public Link Find(string name)
    {
        Link? found = null;
        Send(new NetlinkMessage($"look up '{name}'", RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK).IfInfo(0).Attribute(IFLA_IFNAME, name),
            (_, _, body) => found = Link.Parse(body));
        return found ?? throw new LinuxException($"look up '{name}'", 19);
    }

    /// <summary>Sets the root qdisc to noqueue, before a tap's first up.</summary>
    public void SetNoQueue(Link link) =>
        Send(new NetlinkMessage($"set the qdisc of '{link.Name}'", RTM_NEWQDISC, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE)
            .Tc(link.Index, TC_H_ROOT).Attribute(TCA_KIND, "noqueue"));

    /// <summary>Sets alias and link group in one request.</summary>
    public void Mark(Link link, string alias, uint group) =>
        Send(new NetlinkMessage($"mark '{link.Name}' as ours", RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK)
            .IfInfo(link.Index).Attribute(IFLA_IFALIAS, alias).Attribute(IFLA_GROUP, group));

    /// <summary>Attaches a link to a bridge, or detaches it with 0.</summary>
    public void SetMaster(Link link, int master) =>
        Send(new NetlinkMessage($"attach '{link.Name}' to its bridge", RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK).IfInfo(link.Index).Attribute(IFLA_MASTER, (uint)master));

    /// <summary>Gives a link another name. A kernel before 6.2 refuses that while the link is up (EBUSY).</summary>
    public void Rename(Link link, string name) =>
        Send(new NetlinkMessage($"rename '{link.Name}' to '{name}'", RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK).IfInfo(link.Index).Attribute(IFLA_IFNAME, name));

    public void SetUp(Link link, bool up) =>
        Send(new NetlinkMessage($"bring '{link.Name}' {(up ? "up" : "down")}", RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK).IfInfo(link.Index, up ? IFF_UP : 0, IFF_UP));

    /// <summary>Deletes by index, so that a link which took over the name in between is safe.</summary>
    public void Delete(Link link) =>
        Send(new NetlinkMessage($"delete '{link.Name}'", RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK).IfInfo(link.Index));

    public void Dispose() => _socket.Dispose();

    private delegate void OnMessage(ushort type, ushort flags, ReadOnlySpan<byte> body);

    private void Send(NetlinkMessage message, OnMessage? each = null)
    {
        var sequence = ++_sequence;
        var bytes = message.Finish(sequence);
        fixed (byte* p = bytes)
        {
            Libc.Check(Libc.send(_socket.Value, p, (nuint)bytes.Length, 0), message.What);
        }
        for (; ; )
        {
            nint got;
            fixed (byte* p = _buffer)
            {
                got = Libc.recv(_socket.Value, p, (nuint)_buffer.Length, 0);
            }
            if (got < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR)
            {
                continue;
            }
            Libc.Check(got, message.What);
            var rest = _buffer.AsSpan(0, (int)got);
            while (rest.Length >= 16)
            {
                var length = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(rest), (uint)rest.Length);
                if (length < 16)
                {
                    break;
                }
                var type = BinaryPrimitives.ReadUInt16LittleEndian(rest[4..]);
                var flags = BinaryPrimitives.ReadUInt16LittleEndian(rest[6..]);
                var body = rest[16..length];
                if (BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]) == sequence)
                {
                    if (type is NLMSG_DONE)
                    {
                        return;
                    }
                    if (type is NLMSG_ERROR)
                    {
                        ThrowIfRefused(message.What, flags, body);
                        return;
                    }
                    each?.Invoke(type, flags, body);
                }
                rest = rest[Math.Min(length + 3 & ~3, rest.Length)..];
            }
        }
    }

    private static void ThrowIfRefused(string what, ushort flags, ReadOnlySpan<byte> body)
    {
        const ushort NLM_F_CAPPED = 0x100, NLM_F_ACK_TLVS = 0x200;
        var errno = body.Length >= 4 ? -BinaryPrimitives.ReadInt32LittleEndian(body) : 5;
        if (errno == 0)
        {
            return;
        }
        string? said = null;
        if ((flags & NLM_F_ACK_TLVS) != 0 && body.Length >= 20)
        {
            var echoed = (flags & NLM_F_CAPPED) != 0 ? 16u : BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
            var attributes = new AttributeReader(body[(int)Math.Min(4 + (echoed + 3 & ~3u), (uint)body.Length)..]);
            while (attributes.Read())
            {
                said = attributes.Type == NLMSGERR_ATTR_MSG ? attributes.Text : said;
            }
        }
        throw new LinuxException(what, errno, said);
    }
}
