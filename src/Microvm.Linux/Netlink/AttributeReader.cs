using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>Walks the attributes of a netlink message; a length that lies ends the walk.</summary>
internal ref struct AttributeReader(ReadOnlySpan<byte> rest)
{
    private ReadOnlySpan<byte> _rest = rest;
    public ushort Type { get; private set; }
    public ReadOnlySpan<byte> Value { get; private set; }
    public readonly uint UInt32 => Value.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(Value) : 0;
    public readonly byte Byte => Value.Length >= 1 ? Value[0] : (byte)0;
    public readonly string Text => System.Text.Encoding.UTF8.GetString(Value.IndexOf((byte)0) is >= 0 and var end ? Value[..end] : Value);

    public bool Read()
    {
        if (_rest.Length < 4)
        {
            return false;
        }
        int length = BinaryPrimitives.ReadUInt16LittleEndian(_rest);
        if (length < 4 || length > _rest.Length)
        {
            return false;
        }
        Type = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(_rest[2..]) & 0x3fff);
        Value = _rest[4..length];
        _rest = _rest[Math.Min(length + 3 & ~3, _rest.Length)..];
        return true;
    }
}
