using System.Buffers.Binary;
using System.Text;

namespace Microvm.Linux;

/// <summary>A rule of nftables as far as it asks for nothing but links by name, and then decides.</summary>
/// <param name="In">The link that the packet came in by; a prefix where it ends in <c>*</c>; null for any.</param>
/// <param name="Out">The link that it goes out by, likewise.</param>
/// <param name="Accepts">Whether it lets the packet through.</param>
/// <param name="Jump">The chain that goes on deciding; null where it is no jump or goto.</param>
internal sealed record FirewallRule(byte Family, string Table, string Chain, string? In, string? Out, bool Accepts, string? Jump)
{
    // linux/netfilter/nf_tables.h
    private const ushort NFTA_RULE_TABLE = 1, NFTA_RULE_CHAIN = 2, NFTA_RULE_EXPRESSIONS = 4, NFTA_EXPR_NAME = 1, NFTA_EXPR_DATA = 2,
        NFTA_META_KEY = 2, NFTA_CMP_OP = 2, NFTA_CMP_DATA = 3, NFTA_DATA_VALUE = 1, NFTA_IMMEDIATE_DATA = 2, NFTA_DATA_VERDICT = 2, NFTA_VERDICT_CODE = 1, NFTA_VERDICT_CHAIN = 2;
    private const uint NFT_META_IIFNAME = 6, NFT_META_OIFNAME = 7, NFT_CMP_EQ = 0;
    private const int NF_ACCEPT = 1, NFT_JUMP = -3, NFT_GOTO = -4;

    /// <summary>Reads struct nfgenmsg and its attributes; null where the rule asks for anything else, or decides nothing.</summary>
    public static FirewallRule? Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length < 4)
        {
            return null;
        }
        string? table = null, chain = null, asked = null;
        string? comesIn = null, goesOut = null, jump = null;
        int? verdict = null;
        var attributes = new AttributeReader(body[4..]);
        while (attributes.Read())
        {
            switch (attributes.Type)
            {
                case NFTA_RULE_TABLE: table = attributes.Text; break;
                case NFTA_RULE_CHAIN: chain = attributes.Text; break;
                case NFTA_RULE_EXPRESSIONS:
                    var expressions = new AttributeReader(attributes.Value);
                    while (expressions.Read())
                    {
                        if (!Take(expressions.Value, ref asked, ref comesIn, ref goesOut, ref verdict, ref jump))
                        {
                            return null;
                        }
                    }
                    break;
            }
        }
        return table is not null && chain is not null && (verdict == NF_ACCEPT || jump is not null) ? new(body[0], table, chain, comesIn, goesOut, verdict == NF_ACCEPT, jump) : null;
    }

    /// <summary>Whether it speaks of the packet that comes in, or goes out, by this link, whatever its other end is.</summary>
    public bool IsFor(string link, bool incoming) => (incoming ? Out : In) is null && Matches(incoming ? In : Out, link);

    private static bool Matches(string? pattern, string link) =>
        pattern is null || (pattern.EndsWith('*') ? link.StartsWith(pattern[..^1], StringComparison.Ordinal) : link == pattern);

    /// <summary>One expression; false for one that is not known here.</summary>
    private static bool Take(ReadOnlySpan<byte> expression, ref string? asked, ref string? comesIn, ref string? goesOut, ref int? verdict, ref string? jump)
    {
        var name = "";
        ReadOnlySpan<byte> data = default;
        var attributes = new AttributeReader(expression);
        while (attributes.Read())
        {
            switch (attributes.Type)
            {
                case NFTA_EXPR_NAME: name = attributes.Text; break;
                case NFTA_EXPR_DATA: data = attributes.Value; break;
            }
        }
        switch (name)
        {
            case "counter":
                return true;
            case "meta" when Find(data, NFTA_META_KEY) is { Length: >= 4 } key && BinaryPrimitives.ReadUInt32BigEndian(key) is NFT_META_IIFNAME or NFT_META_OIFNAME:
                asked = BinaryPrimitives.ReadUInt32BigEndian(Find(data, NFTA_META_KEY)) == NFT_META_IIFNAME ? "in" : "out";
                return true;
            case "cmp" when asked is not null && Find(data, NFTA_CMP_OP) is { Length: >= 4 } op && BinaryPrimitives.ReadUInt32BigEndian(op) == NFT_CMP_EQ:
                var text = Find(Find(data, NFTA_CMP_DATA), NFTA_DATA_VALUE);
                // A name is compared with its terminating zero; without it, it is what the name begins with.
                var wanted = text.IndexOf((byte)0) is >= 0 and var end ? Encoding.UTF8.GetString(text[..end]) : Encoding.UTF8.GetString(text) + "*";
                (comesIn, goesOut, asked) = asked == "in" ? (wanted, goesOut, null) : (comesIn, wanted, (string?)null);
                return true;
            case "immediate":
                var decision = Find(Find(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
                if (Find(decision, NFTA_VERDICT_CODE) is not { Length: >= 4 } code)
                {
                    return false;
                }
                verdict = BinaryPrimitives.ReadInt32BigEndian(code);
                jump = verdict is NFT_JUMP or NFT_GOTO ? Encoding.UTF8.GetString(Find(decision, NFTA_VERDICT_CHAIN)).TrimEnd('\0') : null;
                return true;
            default:
                return false;
        }
    }

    private static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> attributes, ushort type)
    {
        var reader = new AttributeReader(attributes);
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
