using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>Something of the kernel's that depends on a link, as a request which makes it again on the link that takes its place.</summary>
/// <param name="Text">What it is, for a person.</param>
/// <param name="Type">The request's type (RTM_NEW*).</param>
/// <param name="Flags">The request's flags beyond NLM_F_REQUEST.</param>
/// <param name="Body">The request's body, with the index of the link that it was seen on.</param>
/// <param name="Key">What makes it the same thing, without what comes and goes by itself.</param>
internal sealed record Carried(string Text, ushort Type, ushort Flags, byte[] Body, string Key);

/// <summary>Copies a message of a dump into a request: the header, and those attributes that the kernel takes back.</summary>
internal sealed class RequestOf
{
    private readonly MemoryStream _body = new();
    private readonly MemoryStream _key = new();

    /// <param name="header">The family's own header, already as the request wants it.</param>
    internal RequestOf(ReadOnlySpan<byte> header)
    {
        _body.Write(header);
        _key.Write(header);
    }

    /// <param name="identifies">Whether it takes part in telling things apart.</param>
    internal void Add(ushort type, ReadOnlySpan<byte> value, bool identifies = true)
    {
        Span<byte> head = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(head, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(head[2..], type);
        Write(_body, head, value);
        if (identifies)
        {
            Write(_key, head, value);
        }
    }

    private static void Write(MemoryStream to, ReadOnlySpan<byte> head, ReadOnlySpan<byte> value)
    {
        to.Write(head);
        to.Write(value);
        to.Write(new byte[-value.Length & 3]);
    }

    internal Carried Done(string text, ushort type, ushort flags) => new(text, type, flags, _body.ToArray(), $"{type}:{Convert.ToHexString(_key.GetBuffer().AsSpan(0, (int)_key.Length))}");
}
