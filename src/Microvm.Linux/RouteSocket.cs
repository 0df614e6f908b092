using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>A NETLINK_ROUTE socket in the network namespace of the thread that opened it. Not for several threads at once.</summary>
public sealed class RouteSocket : IDisposable
{
    private const ushort RTM_NEWLINK = 16, RTM_GETLINK = 18, RTM_NEWQDISC = 36, RTM_GETQDISC = 38, RTM_NEWTFILTER = 44, RTM_GETTFILTER = 46;
    private const ushort IFLA_IFNAME = 3, IFLA_EXT_MASK = 29;
    private const uint RTEXT_FILTER_BRVLAN = 2, RTEXT_FILTER_SKIP_STATS = 8;
    private readonly NetlinkSocket _socket = new(NetlinkSocket.Route);
    private readonly NetlinkWriter _request = new();
    private uint _sequence;

    /// <summary>All links of the namespace. A dump that changed under way is taken again.</summary>
    /// <param name="statistics">Whether to have counters too; without them a dump is quicker.</param>
    /// <exception cref="LinuxException">The kernel refused, or the links kept changing.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<Link> Links(bool statistics = true, CancellationToken cancellation = default)
    {
        var links = new List<Link>();
        _request.Clear();
        _request.Begin(RTM_GETLINK, 0, 0).IfInfo(0);
        // Without any mask the kernel passes over a link that needs more than a page, silently (rtnl_calcit() in net/core/rtnetlink.c).
        // A bridge's VLANs are told to those alone who ask for ports.
        _request.Attribute(IFLA_EXT_MASK, statistics ? RTEXT_FILTER_BRVLAN : RTEXT_FILTER_SKIP_STATS).End();
        Dump("list the links", links.Clear, (type, body) =>
        {
            if (type == RTM_NEWLINK && Link.Parse(body) is { } link)
            {
                links.Add(link);
            }
        }, cancellation);
        return links;
    }

    /// <summary>The link of that name.</summary>
    /// <exception cref="LinuxException">ENODEV: there is none.</exception>
    public Link Find(string name)
    {
        Link? found = null;
        _request.Clear();
        _request.Begin(RTM_GETLINK, NetlinkSocket.NLM_F_REQUEST | NetlinkSocket.NLM_F_ACK, 0).IfInfo(0).Attribute(IFLA_IFNAME, name).End();
        var what = $"look up '{name}'";
        // An answer that did not fit has made the buffer grow.
        while (!_socket.Ask(_request.Buffer, what, (type, body) => found = type == RTM_NEWLINK ? Link.Parse(body) : found, ref _sequence))
        {
        }
        return found ?? throw new LinuxException(what, Errno.ENODEV);
    }

    /// <summary>All addresses of all links. A dump that changed under way is taken again.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal IReadOnlyList<LinkAddress> Addresses() => Parsed(CarriedKinds.RTM_GETADDR, CarriedKinds.RTM_NEWADDR, new byte[8], "list the addresses", LinkAddress.Parse);

    /// <summary>All routes of the table main, IPv4's and IPv6's.</summary>
    /// <param name="protocol">Only those that carry this number; a kernel before 4.20 tells of all. 0 for all.</param>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal IReadOnlyList<Route> Routes(byte protocol = 0) =>
        Parsed(CarriedKinds.RTM_GETROUTE, CarriedKinds.RTM_NEWROUTE, [0, 0, 0, 0, 0, protocol, 0, 0, 0, 0, 0, 0], "list the routes", Route.Parse);

    /// <summary>The stations that the host knows on its links, IPv4's and IPv6's, without proxy entries.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal IReadOnlyList<LinkNeighbour> Neighbours() => Parsed(CarriedKinds.RTM_GETNEIGH, CarriedKinds.RTM_NEWNEIGH, new byte[12], "list the neighbours", LinkNeighbour.Parse);

    private delegate T? Parser<T>(ReadOnlySpan<byte> body);

    private List<T> Parsed<T>(ushort ask, ushort answer, ReadOnlySpan<byte> header, string what, Parser<T> parse) where T : class
    {
        var found = new List<T>();
        _request.Clear();
        _request.Begin(ask, 0, 0).Bytes(header).End();
        Dump(what, found.Clear, (type, body) =>
        {
            if (type == answer && parse(body) is { } one)
            {
                found.Add(one);
            }
        });
        return found;
    }

    /// <summary>The ifindex to which a clsact filter redirects all that comes in on a link; null where there is no such filter.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    public int? RedirectTarget(int index)
    {
        int? target = null;
        _request.Clear();
        _request.Begin(RTM_GETTFILTER, 0, 0).Tc(index, 0, RouteBatch.CLSACT_INGRESS).End();
        try
        {
            // Without a clsact qdisc, and for a link that is gone, the answer is an empty list (tc_dump_tfilter() in net/sched/cls_api.c).
            Dump("list the filters", () => target = null, (type, body) => target ??= type == RTM_NEWTFILTER ? RedirectFilter.Target(body) : null);
        }
        catch (LinuxException e) when (e.Errno == Errno.EOPNOTSUPP)
        {
            // A kernel without traffic control has no filters.
        }
        return target;
    }

    /// <summary>Whether a link has the clsact qdisc, to which filters of incoming frames belong.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal bool HasClsact(int index)
    {
        var has = false;
        _request.Clear();
        _request.Begin(RTM_GETQDISC, 0, 0).Tc(0, 0, 0).End();
        Dump("list the qdiscs", () => has = false, (type, body) =>
            has |= type == RTM_NEWQDISC && body.Length >= 20 && BinaryPrimitives.ReadInt32LittleEndian(body[4..]) == index
                && BinaryPrimitives.ReadUInt32LittleEndian(body[12..]) == RouteBatch.TC_H_CLSACT);
        return has;
    }

    /// <summary>The bodies of all messages of a dump.</summary>
    /// <param name="header">The request's body: the family's own header, and attributes.</param>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal void Messages(ushort ask, ushort answer, ReadOnlySpan<byte> header, string what, List<byte[]> bodies)
    {
        _request.Clear();
        _request.Begin(ask, 0, 0).Bytes(header).End();
        Dump(what, bodies.Clear, (type, body) =>
        {
            if (type == answer)
            {
                bodies.Add(body.ToArray());
            }
        });
    }

    /// <summary>Carries out a batch, in order, and clears it. The kernel goes on behind a refused request.</summary>
    /// <exception cref="LinuxException">The first refusal: names its request, with the kernel's own words, and has the others in <see cref="LinuxException.Refusals"/>.</exception>
    public void Commit(RouteBatch batch) => LinuxException.ThrowIfAny(Try(batch));

    /// <summary>As <see cref="Commit"/>, where a link, or an entry of one, that is gone meanwhile is no error.</summary>
    /// <exception cref="LinuxException">A refusal for another reason, whatever else was refused.</exception>
    internal void CommitToWhatIsThere(RouteBatch batch) => LinuxException.ThrowIfAny([.. Try(batch).Where(e => e.Errno is not (Errno.ENODEV or Errno.ENOENT))]);

    /// <summary>Carries out a batch, in order, and clears it.</summary>
    /// <returns>Every refusal, in the order of the requests.</returns>
    /// <exception cref="LinuxException">The exchange itself failed: which requests were carried out is not known.</exception>
    internal IReadOnlyList<LinuxException> Try(RouteBatch batch)
    {
        if (batch.Count == 0)
        {
            return [];
        }
        try
        {
            Renumber(batch);
            List<LinuxException>? refused = null;
            var first = batch.FirstSequence;
            for (var at = 0; at < batch.Writer.Length;)
            {
                var (length, last) = Slice(batch.Writer.Buffer[at..], first);
                _socket.Send(batch.Writer.Written.Slice(at, length), "change the links");
                var whole = _socket.Receive("change the links", (type, sequence, flags, body) =>
                {
                    var request = (int)(sequence - batch.FirstSequence);
                    if (type == NetlinkSocket.NLMSG_ERROR && request >= 0 && request < batch.Count && NetlinkSocket.Refusal(batch.What(request), flags, body) is { } refusal)
                    {
                        (refused ??= []).Add(refusal);
                    }
                    return type == NetlinkSocket.NLMSG_ERROR && sequence == last;
                });
                if (!whole)
                {
                    throw new LinuxException("change the links", Errno.EMSGSIZE, "an answer was too large");
                }
                (at, first) = (at + length, last + 1);
            }
            return refused ?? (IReadOnlyList<LinuxException>)[];
        }
        finally
        {
            batch.Clear();
        }
    }

    /// <summary>Asks for a dump with the request that was written last.</summary>
    private void Dump(string what, Action restart, NetlinkSocket.OnAnswer each, CancellationToken cancellation = default) =>
        _socket.Dump(_request.Buffer, what, restart, each, ref _sequence, cancellation);

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

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
        BinaryPrimitives.WriteUInt16LittleEndian(flags, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(flags) | NetlinkSocket.NLM_F_ACK));
        return (length, last);
    }
}
