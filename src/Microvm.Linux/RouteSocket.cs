using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>A NETLINK_ROUTE socket in the network namespace of the thread that opened it. Not for several threads at once.</summary>
public sealed unsafe class RouteSocket : IDisposable
{
    private const ushort NLMSG_ERROR = 2, NLMSG_DONE = 3, RTM_NEWLINK = 16, RTM_GETLINK = 18, RTM_NEWTFILTER = 44, RTM_GETTFILTER = 46;
    private const ushort NLM_F_REQUEST = 1, NLM_F_ACK = 4, NLM_F_DUMP_INTR = 0x10, NLM_F_DUMP = 0x300;
    private const ushort IFLA_IFNAME = 3, IFLA_EXT_MASK = 29;
    private const uint RTEXT_FILTER_SKIP_STATS = 8;
    private FileDescriptor _socket;
    private bool _broken;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(64 * 1024);
    private readonly NetlinkWriter _request = new();
    private uint _sequence;

    /// <exception cref="LinuxException">The kernel has no socket to give.</exception>
    public RouteSocket() => _socket = Open();

    private static FileDescriptor Open()
    {
        const int AF_NETLINK = 16, SOCK_RAW = 3, SOCK_CLOEXEC = 0x80000, SOL_NETLINK = 270, NETLINK_CAP_ACK = 10, NETLINK_EXT_ACK = 11, NETLINK_GET_STRICT_CHK = 12;
        var socket = new FileDescriptor((int)Libc.Check(Libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), "open a netlink socket"));
        var on = 1;
        // Each makes answers better where the kernel has it; none is needed.
        _ = Libc.setsockopt(socket.Value, SOL_NETLINK, NETLINK_EXT_ACK, &on, 4);
        _ = Libc.setsockopt(socket.Value, SOL_NETLINK, NETLINK_CAP_ACK, &on, 4);
        _ = Libc.setsockopt(socket.Value, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, 4);
        return socket;
    }

    /// <summary>All links of the namespace. A dump that changed under way is taken again.</summary>
    /// <param name="statistics">Whether to have counters too; without them a dump is quicker.</param>
    /// <exception cref="LinuxException">The kernel refused, or the links kept changing.</exception>
    public IReadOnlyList<Link> Links(bool statistics = true)
    {
        for (var attempt = 0; attempt < 100; attempt++)
        {
            var links = new List<Link>();
            _request.Clear();
            _request.Begin(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, ++_sequence).IfInfo(0);
            if (!statistics)
            {
                _request.Attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
            }
            _request.End();
            if (Ask("list the links", (type, body) =>
            {
                if (type == RTM_NEWLINK && Link.Parse(body) is { } link)
                {
                    links.Add(link);
                }
            }))
            {
                return links;
            }
        }
        throw new LinuxException("list the links: they kept changing", Errno.EAGAIN);
    }

    /// <summary>The link of that name.</summary>
    /// <exception cref="LinuxException">ENODEV: there is none.</exception>
    public Link Find(string name)
    {
        Link? found = null;
        _request.Clear();
        _request.Begin(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, ++_sequence).IfInfo(0).Attribute(IFLA_IFNAME, name).End();
        Ask($"look up '{name}'", (type, body) => found = type == RTM_NEWLINK ? Link.Parse(body) : found);
        return found ?? throw new LinuxException($"look up '{name}'", Errno.ENODEV);
    }

    /// <summary>The ifindex to which a clsact filter redirects all that comes in on a link; null where there is no such filter.</summary>
    public int? RedirectTarget(int index)
    {
        int? target = null;
        _request.Clear();
        _request.Begin(RTM_GETTFILTER, NLM_F_REQUEST | NLM_F_DUMP, ++_sequence).Tc(index, 0, RouteBatch.CLSACT_INGRESS).End();
        try
        {
            Ask("list the filters", (type, body) => target ??= type == RTM_NEWTFILTER ? RedirectFilter.Target(body) : null);
        }
        catch (LinuxException)
        {
            // Without a clsact qdisc, some kernels answer an error where others answer an empty list.
        }
        return target;
    }

    /// <summary>Carries out a batch, in order, and clears it. The kernel goes on behind a refused request.</summary>
    /// <exception cref="LinuxException">The first refusal: names its request, with the kernel's own words.</exception>
    public void Commit(RouteBatch batch)
    {
        if (batch.Count == 0)
        {
            return;
        }
        try
        {
            Renumber(batch);
            LinuxException? refused = null;
            var first = batch.FirstSequence;
            for (var at = 0; at < batch.Writer.Length;)
            {
                var (length, last) = Slice(batch.Writer.Buffer[at..], first);
                Send(batch.Writer.Written.Slice(at, length), "change the links");
                Receive("change the links", (type, sequence, flags, body) =>
                {
                    var request = (int)(sequence - batch.FirstSequence);
                    if (type == NLMSG_ERROR && request >= 0 && request < batch.Count)
                    {
                        refused ??= Refusal(batch.What(request), flags, body);
                    }
                    return type == NLMSG_ERROR && sequence == last;
                });
                (at, first) = (at + length, last + 1);
            }
            if (refused is not null)
            {
                throw refused;
            }
        }
        finally
        {
            batch.Clear();
        }
    }

    /// <summary>As <see cref="Commit"/>, where a link that is gone meanwhile is no error.</summary>
    /// <exception cref="LinuxException">The first refusal, if it is another one.</exception>
    internal void CommitToWhatIsThere(RouteBatch batch)
    {
        try
        {
            Commit(batch);
        }
        catch (LinuxException e) when (e.Errno == Errno.ENODEV)
        {
        }
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    private delegate void OnAnswer(ushort type, ReadOnlySpan<byte> body);
    private delegate bool OnMessage(ushort type, uint sequence, ushort flags, ReadOnlySpan<byte> body);

    private void Renumber(RouteBatch batch)
    {
        // Answers of an exchange that failed half-way may still be queued: every batch has numbers of its own.
        batch.FirstSequence = _sequence + 1;
        _sequence += (uint)batch.Count;
        var rest = batch.Writer.Buffer;
        for (var n = batch.FirstSequence; rest.Length >= 16; n++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(rest[8..], n);
            rest = rest[Math.Min((int)(BinaryPrimitives.ReadUInt32LittleEndian(rest) + 3 & ~3u), rest.Length)..];
        }
    }

    /// <summary>The part of a batch for one sendmsg: the kernel takes no more than the socket's send buffer at once, and its answers
    /// have to fit into the receive buffer even where it refuses every request. A refusal is always answered; only the last
    /// request asks to hear of success.</summary>
    /// <returns>The bytes, and the sequence number of the last request in them.</returns>
    private static (int Length, uint Last) Slice(Span<byte> rest, uint first)
    {
        const int mostRequests = 200, mostBytes = 64 * 1024;
        var (length, lastAt) = (0, 0);
        var last = first;
        for (var n = 0; n < mostRequests && length < rest.Length; n++)
        {
            var next = (int)(BinaryPrimitives.ReadUInt32LittleEndian(rest[length..]) + 3 & ~3u);
            if (n > 0 && length + next > mostBytes)
            {
                break;
            }
            (lastAt, last, length) = (length, first + (uint)n, Math.Min(length + next, rest.Length));
        }
        var flags = rest[(lastAt + 6)..];
        BinaryPrimitives.WriteUInt16LittleEndian(flags, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(flags) | NLM_F_ACK));
        return (length, last);
    }

    /// <summary>Sends the request and hands over its answers; false where the kernel says that a dump is not consistent.</summary>
    private bool Ask(string what, OnAnswer each)
    {
        Send(_request.Written, what);
        var whole = true;
        LinuxException? refused = null;
        Receive(what, (type, sequence, flags, body) =>
        {
            if (sequence != _sequence)
            {
                return false;
            }
            whole &= (flags & NLM_F_DUMP_INTR) == 0 || type == NLMSG_ERROR;
            switch (type)
            {
                case NLMSG_ERROR:
                    refused = Refusal(what, flags, body);
                    return true;
                case NLMSG_DONE:
                    // A dump that the kernel broke off carries its error here.
                    refused = body.Length >= 4 && BinaryPrimitives.ReadInt32LittleEndian(body) < 0 ? Refusal(what, 0, body) : null;
                    return true;
                default:
                    each(type, body);
                    return false;
            }
        });
        return refused is null ? whole : throw refused;
    }

    private void Send(ReadOnlySpan<byte> bytes, string what)
    {
        if (_broken)
        {
            // An exchange ended half-way. Its dump may still be under way, and the kernel would refuse another with EBUSY.
            _socket.Dispose();
            _socket = Open();
            _broken = false;
        }
        fixed (byte* p = bytes)
        {
            nint sent;
            do
            {
                sent = Libc.send(_socket.Value, p, (nuint)bytes.Length, 0);
            }
            while (sent < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            Libc.Check(sent, what);
        }
    }

    private void Receive(string what, OnMessage each)
    {
        for (; ; )
        {
            nint got;
            fixed (byte* p = _buffer)
            {
                got = Libc.recv(_socket.Value, p, (nuint)_buffer.Length, 0);
            }
            if (got < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR)
            {
                continue;
            }
            _broken = got < 0;
            Libc.Check(got, what);
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
                if (each(type, BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]), flags, rest[16..length]))
                {
                    return;
                }
                rest = rest[Math.Min(length + 3 & ~3, rest.Length)..];
            }
        }
    }

    private static LinuxException? Refusal(string what, ushort flags, ReadOnlySpan<byte> body)
    {
        const ushort NLM_F_CAPPED = 0x100, NLM_F_ACK_TLVS = 0x200, NLMSGERR_ATTR_MSG = 1;
        var errno = body.Length >= 4 ? -BinaryPrimitives.ReadInt32LittleEndian(body) : Errno.EIO;
        if (errno == 0)
        {
            return null;
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
        return new(what, errno, said);
    }
}
