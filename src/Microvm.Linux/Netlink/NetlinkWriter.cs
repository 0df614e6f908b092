using System.Buffers.Binary;
using System.Text;

namespace Microvm.Linux;

/// <summary>Writes rtnetlink requests one behind the other into one buffer that is used again (rtnetlink(7)); after it has
/// grown to size, writing allocates nothing.</summary>
internal sealed class NetlinkWriter
{
    private byte[] _buffer = new byte[4096];
    private int _message;

    /// <summary>Bytes written since <see cref="Clear"/>.</summary>
    public int Length { get; private set; }

    /// <summary>All that was written; valid until the next write.</summary>
    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    internal Span<byte> Buffer => _buffer.AsSpan(0, Length);

    /// <summary>Forgets what was written and keeps the buffer.</summary>
    public void Clear() => Length = 0;

    /// <summary>Starts a message (struct nlmsghdr).</summary>
    public NetlinkWriter Begin(ushort type, ushort flags, uint sequence)
    {
        _message = Length;
        return UInt32(0).UInt16(type).UInt16(flags).UInt32(sequence).UInt32(0);
    }

    /// <summary>Forgets the message that was begun last.</summary>
    public void Abandon() => Length = _message;

    /// <summary>Ends the message: sets its length.</summary>
    public void End() => BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(_message), (uint)(Length - _message));

    /// <summary>Adds struct ifinfomsg.</summary>
    public NetlinkWriter IfInfo(int index, uint flags = 0, uint change = 0) => UInt32(0).UInt32((uint)index).UInt32(flags).UInt32(change);

    /// <summary>Adds struct tcmsg.</summary>
    public NetlinkWriter Tc(int index, uint handle, uint parent, uint info = 0) => UInt32(0).UInt32((uint)index).UInt32(handle).UInt32(parent).UInt32(info);

    public NetlinkWriter Attribute(ushort type, uint value) => UInt16(8).UInt16(type).UInt32(value);

    /// <exception cref="LinuxException">EMSGSIZE: an attribute's length is a number of 16 bits.</exception>
    public NetlinkWriter Attribute(ushort type, ReadOnlySpan<byte> value)
    {
        UInt16(Fits(4 + value.Length)).UInt16(type);
        value.CopyTo(Grow(value.Length));
        return Pad();
    }

    /// <summary>Adds text with its closing zero.</summary>
    /// <exception cref="LinuxException">EMSGSIZE: it is longer than an attribute.</exception>
    public NetlinkWriter Attribute(ushort type, string value)
    {
        var bytes = Encoding.UTF8.GetByteCount(value);
        UInt16(Fits(4 + bytes + 1)).UInt16(type);
        Encoding.UTF8.GetBytes(value, Grow(bytes + 1));
        return Pad();
    }

    /// <summary>Adds bytes as they are.</summary>
    public NetlinkWriter Bytes(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Grow(bytes.Length));
        return Pad();
    }

    /// <summary>Opens a nested attribute; <see cref="Close"/> takes what this returns.</summary>
    public int Open(ushort type)
    {
        var at = Length;
        UInt16(0).UInt16(type);
        return at;
    }

    /// <exception cref="LinuxException">EMSGSIZE: more was put into it than an attribute holds.</exception>
    public NetlinkWriter Close(int nested)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(nested), Fits(Length - nested));
        return this;
    }

    private static ushort Fits(int length) =>
        length <= ushort.MaxValue ? (ushort)length : throw new LinuxException("write a netlink request", Errno.EMSGSIZE, "an attribute holds 65,531 bytes");

    private NetlinkWriter UInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(Grow(2), value);
        return this;
    }

    private NetlinkWriter UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Grow(4), value);
        return this;
    }

    private NetlinkWriter Pad()
    {
        Grow(-Length & 3);
        return this;
    }

    private Span<byte> Grow(int bytes)
    {
        if (Length + bytes > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, Length + bytes));
        }
        var grown = _buffer.AsSpan(Length, bytes);
        grown.Clear();
        Length += bytes;
        return grown;
    }
}
