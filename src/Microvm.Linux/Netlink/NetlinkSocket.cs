using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>One netlink socket (netlink(7)) in the network namespace of the thread that opened it: what links, firewall and events share.
/// Not for several threads at once.</summary>
/// <remarks>Each datagram costs one system call. recvfrom(2) with MSG_TRUNC tells its sender and its whole length with it, so that
/// what does not come from the kernel is dropped, and what did not fit into the buffer is noticed.</remarks>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    /// <summary>The kernel's families of netlink sockets (linux/netlink.h).</summary>
    internal const int Route = 0, Netfilter = 12;

    internal const ushort NLMSG_ERROR = 2, NLMSG_DONE = 3, NLM_F_REQUEST = 1, NLM_F_ACK = 4, NLM_F_DUMP_INTR = 0x10, NLM_F_DUMP = 0x300;
    internal const int HeaderSize = 16;

    // The kernel answers while it is being asked, so an answer that is not there is lost. A second at a time, so that a wait can be cancelled.
    private const int SecondsToWait = 30, MostAttempts = 100;

    private readonly int _protocol;
    private FileDescriptor _socket;
    private byte[] _buffer = GC.AllocateUninitializedArray<byte>(64 * 1024);
    private bool _broken;

    /// <exception cref="LinuxException">The kernel has no socket to give.</exception>
    internal NetlinkSocket(int protocol) => (_protocol, _socket) = (protocol, Open(protocol));

    /// <summary>A socket that is told of events.</summary>
    /// <param name="groups">The multicast groups to be joined (RTMGRP_*).</param>
    /// <param name="room">Bytes of events that the kernel is to keep. Without CAP_NET_ADMIN its usual size stays.</param>
    /// <exception cref="LinuxException">The kernel has no socket to give.</exception>
    internal NetlinkSocket(int protocol, uint groups, int room) : this(protocol)
    {
        const int SOL_SOCKET = 1, SO_RCVBUFFORCE = 33;
        _ = Libc.setsockopt(_socket.Value, SOL_SOCKET, SO_RCVBUFFORCE, &room, 4);
        var address = new SocketAddress { Family = SocketAddress.Netlink, Groups = groups };
        Libc.Check(Libc.bind(_socket.Value, (byte*)&address, (uint)sizeof(SocketAddress)), "follow the kernel's events");
    }

    /// <summary>To be polled.</summary>
    internal int Descriptor => _socket.Value;

    /// <summary>Bytes of the last datagram that were too many for the buffer have been dropped.</summary>
    private enum Got { Datagram, Truncated, Nothing, Overrun }

    /// <summary>What became of events that were waiting.</summary>
    internal enum Events { Read, Lost }

    /// <summary>Takes a message; true for the last one of an exchange.</summary>
    internal delegate bool OnMessage(ushort type, uint sequence, ushort flags, ReadOnlySpan<byte> body);

    /// <summary>Takes a message of a dump.</summary>
    internal delegate void OnAnswer(ushort type, ReadOnlySpan<byte> body);

    /// <summary>Takes a datagram of events.</summary>
    internal delegate void OnDatagram(ReadOnlySpan<byte> datagram);

    /// <summary>Asks for a dump, again from the start as long as the kernel says that it changed under way.</summary>
    /// <param name="request">One request; it gets its flags and a sequence number of its own here.</param>
    /// <param name="restart">Forgets what was handed over before.</param>
    /// <exception cref="LinuxException">The kernel refused, or what was asked for kept changing.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    internal void Dump(Span<byte> request, string what, Action restart, OnAnswer each, ref uint sequence, CancellationToken cancellation = default)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(request[6..], NLM_F_REQUEST | NLM_F_DUMP);
        for (var attempt = 0; attempt < MostAttempts; attempt++)
        {
            cancellation.ThrowIfCancellationRequested();
            restart();
            if (Ask(request, what, each, ref sequence, cancellation))
            {
                return;
            }
        }
        throw new LinuxException($"{what}: they kept changing", Errno.EAGAIN);
    }

    /// <summary>Sends one request and hands over its answers.</summary>
    /// <returns>False where they are not whole: the kernel says that the dump changed under way, or a message was larger than our buffer, which has grown.</returns>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    internal bool Ask(Span<byte> request, string what, OnAnswer each, ref uint sequence, CancellationToken cancellation = default)
    {
        var mine = ++sequence;
        BinaryPrimitives.WriteUInt32LittleEndian(request[8..], mine);
        Send(request, what);
        var whole = true;
        LinuxException? refused = null;
        var fits = Receive(what, (type, number, flags, body) =>
        {
            if (number != mine)
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
        }, cancellation);
        return refused is null ? whole && fits : throw refused;
    }

    /// <summary>Sends requests.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    internal void Send(ReadOnlySpan<byte> bytes, string what)
    {
        if (_broken)
        {
            // An exchange ended half-way. Its dump may still be under way, and the kernel would refuse another with EBUSY.
            _socket.Dispose();
            _socket = Open(_protocol);
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

    /// <summary>Hands over the kernel's messages until <paramref name="each"/> has had the last one.</summary>
    /// <returns>False where a message was larger than our buffer; the buffer has grown, and the rest of the exchange is given up.</returns>
    /// <exception cref="LinuxException">Answers were lost (ENOBUFS), or none came (ETIMEDOUT).</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    internal bool Receive(string what, OnMessage each, CancellationToken cancellation = default)
    {
        var waited = 0;
        _broken = true;
        for (; ; )
        {
            switch (Next(what, 0, out var datagram))
            {
                case Got.Truncated:
                    return false;
                case Got.Overrun:
                    throw new LinuxException(what, Errno.ENOBUFS);
                case Got.Nothing when ++waited >= SecondsToWait:
                    throw new LinuxException(what, Errno.ETIMEDOUT, "the kernel gave no answer");
                case Got.Nothing:
                    cancellation.ThrowIfCancellationRequested();
                    continue;
            }
            while (datagram.Length >= HeaderSize)
            {
                var length = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(datagram), (uint)datagram.Length);
                if (length < HeaderSize)
                {
                    break;
                }
                var type = BinaryPrimitives.ReadUInt16LittleEndian(datagram[4..]);
                var flags = BinaryPrimitives.ReadUInt16LittleEndian(datagram[6..]);
                if (each(type, BinaryPrimitives.ReadUInt32LittleEndian(datagram[8..]), flags, datagram[HeaderSize..length]))
                {
                    _broken = false;
                    return true;
                }
                datagram = datagram[Math.Min(length + 3 & ~3, datagram.Length)..];
            }
        }
    }

    /// <summary>Hands over the events that are there, and does not wait.</summary>
    /// <returns>Whether some were lost: the kernel had no more room for them, or one was larger than our buffer, which has grown.</returns>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    internal Events Drain(string what, OnDatagram each)
    {
        const int MSG_DONTWAIT = 0x40;
        for (var events = Events.Read; ;)
        {
            switch (Next(what, MSG_DONTWAIT, out var datagram))
            {
                case Got.Nothing:
                    return events;
                case Got.Datagram:
                    each(datagram);
                    break;
                default:
                    events = Events.Lost;
                    break;
            }
        }
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    /// <summary>What the kernel answered with NLMSG_ERROR; null where that says success.</summary>
    internal static LinuxException? Refusal(string what, ushort flags, ReadOnlySpan<byte> body)
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

    private static FileDescriptor Open(int protocol)
    {
        const int SOCK_RAW = 3, SOCK_CLOEXEC = 0x80000, SOL_SOCKET = 1, SO_RCVTIMEO = 20, SOL_NETLINK = 270;
        const int NETLINK_CAP_ACK = 10, NETLINK_EXT_ACK = 11, NETLINK_GET_STRICT_CHK = 12;
        var socket = new FileDescriptor((int)Libc.Check(Libc.socket(SocketAddress.Netlink, SOCK_RAW | SOCK_CLOEXEC, protocol), "open a netlink socket"));
        // Each makes answers better where the kernel has it; none is needed.
        var on = 1;
        _ = Libc.setsockopt(socket.Value, SOL_NETLINK, NETLINK_EXT_ACK, &on, 4);
        _ = Libc.setsockopt(socket.Value, SOL_NETLINK, NETLINK_CAP_ACK, &on, 4);
        _ = Libc.setsockopt(socket.Value, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, 4);
        // struct timeval: seconds and microseconds.
        var second = stackalloc nint[2] { 1, 0 };
        _ = Libc.setsockopt(socket.Value, SOL_SOCKET, SO_RCVTIMEO, (int*)second, (uint)(2 * sizeof(nint)));
        return socket;
    }

    private Got Next(string what, int flags, out Span<byte> datagram)
    {
        const int MSG_TRUNC = 0x20;
        for (; ; )
        {
            SocketAddress sender = default;
            var size = (uint)sizeof(SocketAddress);
            nint got;
            fixed (byte* p = _buffer)
            {
                got = Libc.recvfrom(_socket, p, (nuint)_buffer.Length, flags | MSG_TRUNC, &sender, &size);
            }
            datagram = default;
            if (got < 0)
            {
                switch (Marshal.GetLastPInvokeError())
                {
                    case Errno.EINTR: continue;
                    case Errno.EAGAIN: return Got.Nothing;
                    case Errno.ENOBUFS: return Got.Overrun;
                    default: Libc.Check(got, what); break;
                }
            }
            // Any program may send to any netlink socket; the kernel is number 0.
            if (size >= sizeof(SocketAddress) && sender.Port != 0)
            {
                continue;
            }
            if (got > _buffer.Length)
            {
                _buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(got * 2, Array.MaxLength));
                return Got.Truncated;
            }
            datagram = _buffer.AsSpan(0, (int)got);
            return Got.Datagram;
        }
    }

    /// <summary>struct sockaddr_nl.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct SocketAddress
    {
        internal const ushort Netlink = 16;
        internal ushort Family;
        private readonly ushort _padding;
        internal uint Port, Groups;
    }
}
