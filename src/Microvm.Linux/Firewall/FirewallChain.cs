using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>A base chain of the firewall: one that the kernel itself calls.</summary>
/// <param name="Family">NFPROTO_*: 1 inet, 2 ip, 7 bridge, 10 ip6.</param>
/// <param name="Hook">NF_INET_*: 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting.</param>
/// <param name="Drops">Whether its policy drops what no rule decided.</param>
internal sealed record FirewallChain(byte Family, string Table, string Name, uint Hook, bool Drops)
{
    public const byte Inet = 1, Ip = 2, Bridge = 7, Ip6 = 10;
    public const uint Prerouting = 0, Forward = 2, Postrouting = 4;

    /// <summary>Chains of one hook are called from the lowest to the highest.</summary>
    public int Priority { get; init; }

    /// <summary>Whether it translates addresses. Such a chain sees the first packet of a connection alone, and its accept means something else.</summary>
    public bool IsNat { get; init; }

    /// <summary>Whether it is one of iptables-legacy's, which nft does not show.</summary>
    public bool IsLegacy { get; init; }

    // linux/netfilter/nf_tables.h
    private const ushort NFTA_CHAIN_TABLE = 1, NFTA_CHAIN_NAME = 3, NFTA_CHAIN_HOOK = 4, NFTA_CHAIN_POLICY = 5, NFTA_CHAIN_TYPE = 7, NFTA_HOOK_HOOKNUM = 1, NFTA_HOOK_PRIORITY = 2;

    /// <summary>Reads struct nfgenmsg and its attributes; null where the bytes are no base chain.</summary>
    public static FirewallChain? Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length < 4)
        {
            return null;
        }
        string? table = null, name = null, type = null;
        uint? hook = null, policy = null, priority = null;
        var attributes = new AttributeReader(body[4..]);
        while (attributes.Read())
        {
            switch (attributes.Type)
            {
                case NFTA_CHAIN_TABLE: table = attributes.Text; break;
                case NFTA_CHAIN_NAME: name = attributes.Text; break;
                case NFTA_CHAIN_TYPE: type = attributes.Text; break;
                case NFTA_CHAIN_POLICY: policy = BigEndian(attributes.Value); break;
                case NFTA_CHAIN_HOOK:
                    var inner = new AttributeReader(attributes.Value);
                    while (inner.Read())
                    {
                        hook = inner.Type == NFTA_HOOK_HOOKNUM ? BigEndian(inner.Value) : hook;
                        priority = inner.Type == NFTA_HOOK_PRIORITY ? BigEndian(inner.Value) : priority;
                    }
                    break;
            }
        }
        // NF_DROP is 0, NF_ACCEPT 1.
        return table is not null && name is not null && hook is { } h
            ? new(body[0], table, name, h, policy == 0) { Priority = unchecked((int)(priority ?? 0)), IsNat = type == "nat" } : null;
    }

    private static uint? BigEndian(ReadOnlySpan<byte> value) => value.Length >= 4 ? BinaryPrimitives.ReadUInt32BigEndian(value) : null;
}
