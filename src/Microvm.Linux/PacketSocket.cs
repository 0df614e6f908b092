using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>Which way a frame went, as the link sees it: in from the wire (for a tap: from the VM), or out to it.</summary>
internal enum FrameDirection { In, Out }

/// <summary>What the kernel tells of a captured frame.</summary>
/// <param name="Nanoseconds">Since 1970, UTC.</param>
/// <param name="Captured">Bytes in the caller's buffer.</param>
/// <param name="Length">Bytes of the frame on the wire.</param>
/// <param name="Kind">The kernel's <c>PACKET_*</c> type: 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 outgoing.</param>
internal readonly record struct Frame(ulong Nanoseconds, int Captured, int Length, byte Kind)
{
    public FrameDirection Direction => Kind == 4 ? FrameDirection.Out : FrameDirection.In;
}

/// <summary>Takes copies of all frames of one link (packet(7)); needs CAP_NET_RAW.</summary>
internal sealed unsafe class PacketSocket : IDisposable
{
    private const int AF_PACKET = 17, SOCK_RAW = 3, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000, SOL_SOCKET = 1, SOL_PACKET = 263;
    private const int SO_RCVBUFFORCE = 33, SO_TIMESTAMPNS = 35, PACKET_STATISTICS = 6, PACKET_AUXDATA = 8, MSG_TRUNC = 0x20;
    private const int EAGAIN = 11, ENETDOWN = 100, TP_STATUS_VLAN_VALID = 0x10, TP_STATUS_VLAN_TPID_VALID = 0x40, VlanTag = 4, Addresses = 12;
    private readonly FileDescriptor _socket;
    private readonly string _link;

    /// <param name="buffer">Bytes that the kernel may hold for us before it drops.</param>
    /// <exception cref="LinuxException">Not allowed (EPERM), or the link is not there (ENODEV).</exception>
    public PacketSocket(string link, int index, int buffer = 16 * 1024 * 1024)
    {
        _link = link;
        // Protocol 0 until the bind: no frame of another link is ever queued.
        _socket = new((int)Libc.Check(Libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), $"open a packet socket to capture from '{link}'"));
        var on = 1;
        Libc.Check(Libc.setsockopt(_socket.Value, SOL_SOCKET, SO_TIMESTAMPNS, &on, 4), "ask for nanosecond timestamps");
        Libc.Check(Libc.setsockopt(_socket.Value, SOL_PACKET, PACKET_AUXDATA, &on, 4), "ask for VLAN tags");
        _ = Libc.setsockopt(_socket.Value, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, 4);
        Span<byte> address = stackalloc byte[20];
        address.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(address, AF_PACKET);
        BinaryPrimitives.WriteUInt16BigEndian(address[2..], 3); // ETH_P_ALL
        BinaryPrimitives.WriteInt32LittleEndian(address[4..], index);
        fixed (byte* p = address)
        {
            Libc.Check(Libc.bind(_socket.Value, p, 20), $"capture from '{link}'");
        }
    }

    /// <summary>The next frame, without waiting; null where there is none. A frame longer than the buffer is cut.</summary>
    /// <param name="buffer">Takes the frame, its VLAN tag put back where the kernel had taken it off.</param>
    public Frame? Receive(Span<byte> buffer)
    {
        var control = stackalloc byte[128];
        var address = stackalloc byte[20];
        nint got;
        MessageHeader message;
        fixed (byte* p = buffer)
        {
            var io = new IoVector { Base = p, Length = (nuint)buffer.Length };
            message = new() { Name = address, NameLength = 20, Vectors = &io, VectorCount = 1, Control = control, ControlLength = 128 };
            do
            {
                got = Libc.recvmsg(_socket.Value, &message, MSG_TRUNC);
            }
            while (got < 0 && Marshal.GetLastPInvokeError() is Errno.EINTR or ENETDOWN);
        }
        if (got < 0 && Marshal.GetLastPInvokeError() == EAGAIN)
        {
            return null;
        }
        Libc.Check(got, $"capture from '{_link}'");
        var captured = (int)Math.Min(got, buffer.Length);
        var (time, tag) = Control(new(control, (int)message.ControlLength));
        var length = (int)got;
        if (tag is { } t && captured >= Addresses)
        {
            captured = InsertTag(buffer, captured, t);
            length += VlanTag;
        }
        return new(time, captured, length, address[10]);
    }

    /// <summary>Frames seen and dropped since the last call.</summary>
    public (uint Seen, uint Dropped) Statistics()
    {
        var counts = stackalloc uint[2];
        uint length = 8;
        Libc.Check(Libc.getsockopt(_socket.Value, SOL_PACKET, PACKET_STATISTICS, counts, &length), $"count what was captured from '{_link}'");
        return (counts[0], counts[1]);
    }

    /// <summary>Waits for a frame.</summary>
    public bool Wait(WakeUp wakeUp, int milliseconds) => wakeUp.Wait(_socket.Value, milliseconds);

    public void Dispose() => _socket.Dispose();

    private static (ulong Time, uint? Tag) Control(ReadOnlySpan<byte> rest)
    {
        ulong time = 0;
        uint? tag = null;
        while (rest.Length >= 16)
        {
            var length = (int)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(rest), (ulong)rest.Length);
            if (length < 16)
            {
                break;
            }
            var value = rest[16..length];
            switch (BinaryPrimitives.ReadInt32LittleEndian(rest[8..]), BinaryPrimitives.ReadInt32LittleEndian(rest[12..]))
            {
                case (SOL_SOCKET, SO_TIMESTAMPNS) when value.Length >= 16:
                    time = BinaryPrimitives.ReadUInt64LittleEndian(value) * 1_000_000_000 + BinaryPrimitives.ReadUInt64LittleEndian(value[8..]);
                    break;
                case (SOL_PACKET, PACKET_AUXDATA) when value.Length >= 20 && (BinaryPrimitives.ReadUInt32LittleEndian(value) & TP_STATUS_VLAN_VALID) != 0:
                    var known = (BinaryPrimitives.ReadUInt32LittleEndian(value) & TP_STATUS_VLAN_TPID_VALID) != 0;
                    tag = (known ? (uint)BinaryPrimitives.ReadUInt16LittleEndian(value[18..]) : 0x8100) << 16 | BinaryPrimitives.ReadUInt16LittleEndian(value[16..]);
                    break;
            }
            rest = rest[Math.Min(length + 7 & ~7, rest.Length)..];
        }
        return (time, tag);
    }

    /// <summary>Puts an 802.1Q tag behind the two addresses; the frame's end is cut where the buffer is full.</summary>
    private static int InsertTag(Span<byte> buffer, int captured, uint tag)
    {
        var whole = Math.Min(captured + VlanTag, buffer.Length);
        buffer[Addresses..(whole - VlanTag)].CopyTo(buffer[(Addresses + VlanTag)..]);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[Addresses..], tag);
        return whole;
    }
}

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    internal byte* Base;
    internal nuint Length;
}

/// <summary>struct msghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MessageHeader
{
    internal byte* Name;
    internal uint NameLength;
    internal IoVector* Vectors;
    internal nuint VectorCount;
    internal byte* Control;
    internal nuint ControlLength;
    internal int Flags;
}
