using System.Buffers.Binary;
using System.Text;

namespace Microvm.Linux;

/// <summary>Builds one rtnetlink request (rtnetlink(7)); the header's length is set by <see cref="Finish"/>.</summary>
public sealed class NetlinkMessage
{
    private byte[] _buffer = new byte[256];
    private int _length;

    /// <summary>What the request does, for an error message.</summary>
    public string What { get; }

    public NetlinkMessage(string what, ushort type, ushort flags)
    {
        What = what;
        UInt32(0);
        UInt16(type);
        UInt16(flags);
        UInt32(0);
        UInt32(0);
    }

    /// <summary>Adds struct ifinfomsg.</summary>
    public NetlinkMessage IfInfo(int index, uint flags = 0, uint change = 0) => UInt32(0).UInt32((uint)index).UInt32(flags).UInt32(change);

    /// <summary>Adds struct tcmsg.</summary>
    public NetlinkMessage Tc(int index, uint parent) => UInt32(0).UInt32((uint)index).UInt32(0).UInt32(parent).UInt32(0);

    public NetlinkMessage Attribute(ushort type, uint value) => UInt16(8).UInt16(type).UInt32(value);

    /// <summary>Adds text with its closing zero.</summary>
    public NetlinkMessage Attribute(ushort type, string value)
    {
        var bytes = Encoding.UTF8.GetByteCount(value);
        UInt16((ushort)(4 + bytes + 1)).UInt16(type);
        Encoding.UTF8.GetBytes(value, Grow(bytes + 1));
        Grow(-_length & 3);
        return this;
    }

    /// <summary>The whole message with its length and sequence number.</summary>
    public ReadOnlySpan<byte> Finish(uint sequence)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer, (uint)_length);
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(8), sequence);
        return _buffer.AsSpan(0, _length);
    }

    private NetlinkMessage UInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(Grow(2), value);
        return this;
    }

    private NetlinkMessage UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Grow(4), value);
        return this;
    }

    private Span<byte> Grow(int bytes)
    {
        if (_length + bytes > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + bytes));
        }
        _length += bytes;
        return _buffer.AsSpan(_length - bytes, bytes);
    }
}
