using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>One rule, as expressions that are carried out one after the other.</summary>
/// <param name="Handle">The kernel's number of it, unique in its table; 0 where it has none.</param>
internal sealed record FirewallRule(byte Family, string Table, string Chain, ulong Handle, IReadOnlyList<IFirewallExpression> Expressions)
{
    // linux/netfilter/nf_tables.h
    private const ushort NFTA_RULE_TABLE = 1, NFTA_RULE_CHAIN = 2, NFTA_RULE_HANDLE = 3, NFTA_RULE_EXPRESSIONS = 4;

    /// <summary>Whether it is one of iptables-legacy's.</summary>
    public bool IsLegacy { get; init; }

    /// <summary>What a rule does, and in which chain, without the number that the kernel gave it; null where it is of another table.</summary>
    public static byte[]? Bytes(ReadOnlySpan<byte> body, string table)
    {
        var attributes = body.Length < 4 ? default : body[4..];
        return System.Text.Encoding.UTF8.GetBytes(table + '\0') is var name && NftExpression.Find(attributes, NFTA_RULE_TABLE).SequenceEqual(name)
            ? [.. NftExpression.Find(attributes, NFTA_RULE_CHAIN), .. NftExpression.Find(attributes, NFTA_RULE_EXPRESSIONS)] : null;
    }

    /// <summary>Reads struct nfgenmsg and its attributes; null where the bytes are no rule.</summary>
    public static FirewallRule? Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length < 4)
        {
            return null;
        }
        string? table = null, chain = null;
        ulong handle = 0;
        List<IFirewallExpression> expressions = [];
        var attributes = new AttributeReader(body[4..]);
        while (attributes.Read())
        {
            switch (attributes.Type)
            {
                case NFTA_RULE_TABLE: table = attributes.Text; break;
                case NFTA_RULE_CHAIN: chain = attributes.Text; break;
                case NFTA_RULE_HANDLE when attributes.Value.Length >= 8: handle = BinaryPrimitives.ReadUInt64BigEndian(attributes.Value); break;
                case NFTA_RULE_EXPRESSIONS:
                    var list = new AttributeReader(attributes.Value);
                    while (list.Read())
                    {
                        expressions.Add(NftExpression.Parse(list.Value));
                    }
                    break;
            }
        }
        return table is not null && chain is not null ? new(body[0], table, chain, handle, expressions) : null;
    }
}
