using System.Buffers.Binary;
using System.Text;

namespace Microvm.Linux;

/// <summary>Writes captured frames of one link as pcapng (draft-ietf-opsawg-pcapng), as wireshark and tcpdump read it.</summary>
/// <param name="to">Takes whole blocks; the caller flushes and closes it.</param>
internal sealed class PcapNgWriter(Stream to)
{
    private const uint SectionHeader = 0x0a0d0d0a, InterfaceDescription = 1, InterfaceStatistics = 5, EnhancedPacket = 6, ByteOrder = 0x1a2b3c4d;
    private const ushort LinkTypeEthernet = 1;
    private byte[] _block = new byte[64 * 1024];
    private int _length;

    /// <summary>Starts the section: who writes, and which link is captured.</summary>
    /// <param name="snapLength">Bytes of each frame that are kept at most.</param>
    public void Begin(string application, string link, string description, int snapLength)
    {
        Start(SectionHeader);
        UInt32(ByteOrder);
        UInt32(1); // version 1.0: major, minor
        UInt64(ulong.MaxValue); // the section's length is not known
        Option(3, "Linux");
        Option(4, application);
        End();
        Start(InterfaceDescription);
        UInt32(LinkTypeEthernet);
        UInt32((uint)snapLength);
        Option(2, link);
        Option(3, description);
        Option(9, [9]); // nanoseconds
        End();
    }

    /// <summary>One frame.</summary>
    public void Write(Frame frame, ReadOnlySpan<byte> bytes)
    {
        Start(EnhancedPacket);
        UInt32(0);
        Time(frame.Nanoseconds);
        UInt32((uint)bytes.Length);
        UInt32((uint)frame.Length);
        bytes.CopyTo(Grow(bytes.Length));
        Pad();
        // Bits 0-1: 1 in, 2 out; bits 2-4: 1 unicast, 2 multicast, 3 broadcast, 4 promiscuous.
        var reception = frame.Kind switch { 0 => 1u, 1 => 3u, 2 => 2u, 3 => 4u, _ => 0u };
        Span<byte> flags = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(flags, reception << 2 | (frame.Direction == FrameDirection.Out ? 2u : 1u));
        Option(2, flags);
        End();
    }

    /// <summary>Ends the section with what the kernel counted.</summary>
    /// <param name="start">Nanoseconds since 1970 when the capture began.</param>
    /// <param name="end">And when it ended.</param>
    public void Finish(ulong start, ulong end, ulong seen, ulong dropped)
    {
        Start(InterfaceStatistics);
        UInt32(0);
        Time(end);
        Option(2, HighLow(start));
        Option(3, HighLow(end));
        Option(4, BitConverter.GetBytes(seen));
        Option(5, BitConverter.GetBytes(dropped));
        End();
    }

    private static byte[] HighLow(ulong time) => BitConverter.GetBytes(time << 32 | time >> 32);

    private void Start(uint type)
    {
        _length = 0;
        UInt32(type);
        UInt32(0);
    }

    private void End()
    {
        UInt32(0); // opt_endofopt
        UInt32((uint)_length + 4);
        BinaryPrimitives.WriteUInt32LittleEndian(_block.AsSpan(4), (uint)_length);
        to.Write(_block.AsSpan(0, _length));
    }

    private void Option(ushort code, string text) => Option(code, Encoding.UTF8.GetBytes(text));

    private void Option(ushort code, ReadOnlySpan<byte> value)
    {
        UInt32((uint)value.Length << 16 | code);
        value.CopyTo(Grow(value.Length));
        Pad();
    }

    private void Time(ulong nanoseconds)
    {
        UInt32((uint)(nanoseconds >> 32));
        UInt32((uint)nanoseconds);
    }

    private void Pad() => Grow(-_length & 3).Clear();
    private void UInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Grow(4), value);
    private void UInt64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Grow(8), value);

    private Span<byte> Grow(int bytes)
    {
        if (_length + bytes > _block.Length)
        {
            Array.Resize(ref _block, Math.Max(_block.Length * 2, _length + bytes));
        }
        _length += bytes;
        return _block.AsSpan(_length - bytes, bytes);
    }
}
