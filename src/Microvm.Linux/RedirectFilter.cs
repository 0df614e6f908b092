using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>The u32 filter that matches every frame and redirects it (struct tc_u32_sel, struct tc_mirred; linux/pkt_cls.h).
/// <c>matchall</c> would say the same, and is missing in smaller kernels.</summary>
internal static class RedirectFilter
{
    /// <summary>Hash table 800, item 1: a fixed handle, so that setting the filter again replaces it.</summary>
    internal const uint Handle = 0x80000001;

    private const ushort TCA_KIND = 1, TCA_OPTIONS = 2, TCA_U32_SEL = 5, TCA_U32_ACT = 7;
    private const ushort TCA_ACT_KIND = 1, TCA_ACT_OPTIONS = 2, TCA_MIRRED_PARMS = 2;
    private const int TC_ACT_STOLEN = 4, TCA_EGRESS_REDIR = 1, SelectorSize = 16, KeySize = 16, MirredSize = 28;
    private const byte TC_U32_TERMINAL = 1;

    internal static void Write(NetlinkWriter w, int target)
    {
        w.Attribute(TCA_KIND, "u32\0"u8);
        var options = w.Open(TCA_OPTIONS);
        // One key whose mask is zero matches everything.
        Span<byte> selector = stackalloc byte[SelectorSize + KeySize];
        selector.Clear();
        selector[0] = TC_U32_TERMINAL;
        selector[2] = 1;
        w.Attribute(TCA_U32_SEL, selector);
        var actions = w.Open(TCA_U32_ACT);
        var first = w.Open(1);
        w.Attribute(TCA_ACT_KIND, "mirred\0"u8);
        var action = w.Open(TCA_ACT_OPTIONS);
        Span<byte> mirred = stackalloc byte[MirredSize];
        mirred.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(mirred[8..], TC_ACT_STOLEN);
        BinaryPrimitives.WriteInt32LittleEndian(mirred[20..], TCA_EGRESS_REDIR);
        BinaryPrimitives.WriteInt32LittleEndian(mirred[24..], target);
        w.Attribute(TCA_MIRRED_PARMS, mirred);
        w.Close(action).Close(first).Close(actions).Close(options);
    }

    /// <summary>Whether a filter (struct tcmsg and attributes) is in the place where ours is: its handle, with priority 1.</summary>
    internal static bool Is(ReadOnlySpan<byte> body) => body.Length >= 20 && BinaryPrimitives.ReadUInt32LittleEndian(body[8..]) == Handle
        && BinaryPrimitives.ReadUInt32LittleEndian(body[16..]) >> 16 == 1 && Target(body) is not null;

    /// <summary>The target of a filter as the kernel tells it (struct tcmsg and attributes), or null where it is another filter.</summary>
    internal static int? Target(ReadOnlySpan<byte> body)
    {
        if (body.Length < 20)
        {
            return null;
        }
        var top = new AttributeReader(body[20..]);
        while (top.Read())
        {
            if (top.Type == TCA_OPTIONS)
            {
                var mirred = Inside(Inside(Inside(Inside(top.Value, TCA_U32_ACT), 1), TCA_ACT_OPTIONS), TCA_MIRRED_PARMS);
                if (mirred.Length >= MirredSize && BinaryPrimitives.ReadInt32LittleEndian(mirred[20..]) == TCA_EGRESS_REDIR)
                {
                    return BinaryPrimitives.ReadInt32LittleEndian(mirred[24..]);
                }
            }
        }
        return null;
    }

    private static ReadOnlySpan<byte> Inside(ReadOnlySpan<byte> nested, ushort type)
    {
        var reader = new AttributeReader(nested);
        while (reader.Read())
        {
            if (reader.Type == type)
            {
                return reader.Value;
            }
        }
        return default;
    }
}
