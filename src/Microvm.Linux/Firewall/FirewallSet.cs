using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>A set or a map of nf_tables whose elements are single values.</summary>
internal sealed class FirewallSet
{
    // linux/netfilter/nf_tables.h
    private const ushort NFTA_SET_TABLE = 1, NFTA_SET_NAME = 2, NFTA_SET_FLAGS = 3, NFTA_SET_KEY_LEN = 5, NFTA_SET_ELEM_LIST_ELEMENTS = 3,
        NFTA_SET_ELEM_KEY = 1, NFTA_SET_ELEM_DATA = 2, NFTA_SET_ELEM_FLAGS = 3, NFTA_SET_ELEM_USERDATA = 6, NFTA_DATA_VALUE = 1, NFTA_DATA_VERDICT = 2;
    private const uint NFT_SET_INTERVAL = 4, NFT_SET_ELEM_CATCHALL = 2;

    private readonly Dictionary<string, FirewallVerdict?> _elements = [];
    private readonly Dictionary<string, string> _comments = [];

    /// <summary>A set's own properties.</summary>
    /// <param name="KeyLength">The length of an element in bytes.</param>
    internal sealed record Head(byte Family, string Table, string Name, uint Flags, int KeyLength)
    {
        /// <summary>Whether an element may stand for more than one value.</summary>
        public bool HasRanges => (Flags & NFT_SET_INTERVAL) != 0;

        /// <summary>Reads struct nfgenmsg and its attributes; null where the bytes are no set.</summary>
        public static Head? Parse(ReadOnlySpan<byte> body)
        {
            if (body.Length < 4)
            {
                return null;
            }
            string? table = null, name = null;
            uint flags = 0, length = 0;
            var attributes = new AttributeReader(body[4..]);
            while (attributes.Read())
            {
                switch (attributes.Type)
                {
                    case NFTA_SET_TABLE: table = attributes.Text; break;
                    case NFTA_SET_NAME: name = attributes.Text; break;
                    case NFTA_SET_FLAGS: flags = BigEndian(attributes.Value); break;
                    case NFTA_SET_KEY_LEN: length = BigEndian(attributes.Value); break;
                }
            }
            return table is not null && name is not null && length is > 0 and <= 64 ? new(body[0], table, name, flags, (int)length) : null;
        }
    }

    /// <param name="messages">What the kernel tells of its elements, struct nfgenmsg in front.</param>
    public FirewallSet(Head head, IEnumerable<byte[]> messages)
    {
        KeyLength = head.KeyLength;
        foreach (var message in messages.Where(m => m.Length >= 4))
        {
            var elements = new AttributeReader(NftExpression.Find(message.AsSpan(4), NFTA_SET_ELEM_LIST_ELEMENTS));
            while (elements.Read())
            {
                var verdict = NftExpression.Verdict(NftExpression.Find(NftExpression.Find(elements.Value, NFTA_SET_ELEM_DATA), NFTA_DATA_VERDICT));
                if ((BigEndian(NftExpression.Find(elements.Value, NFTA_SET_ELEM_FLAGS)) & NFT_SET_ELEM_CATCHALL) != 0)
                {
                    (HasRest, Rest) = (true, verdict);
                }
                else
                {
                    var key = Convert.ToHexString(NftExpression.Find(NftExpression.Find(elements.Value, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE));
                    _elements[key] = verdict;
                    // As nft writes it: one byte for "comment", one for its length, and the text with a zero.
                    if (NftExpression.Find(elements.Value, NFTA_SET_ELEM_USERDATA) is [0, var length and > 0, ..] data && data.Length >= 2 + length)
                    {
                        _comments[key] = System.Text.Encoding.UTF8.GetString(data.Slice(2, length - 1));
                    }
                }
            }
        }
    }

    /// <summary>The length of an element in bytes.</summary>
    public int KeyLength { get; }

    /// <summary>Its single values, and what was noted with each; null for nothing.</summary>
    public IEnumerable<(byte[] Key, string? Comment)> Elements => _elements.Keys.Select(k => (Convert.FromHexString(k), _comments.GetValueOrDefault(k)));

    /// <summary>Whether it has an element for all that no other is for.</summary>
    public bool HasRest { get; }

    private FirewallVerdict? Rest { get; }

    /// <summary>Whether it has the value, and the verdict that a map has for it.</summary>
    public (bool Has, FirewallVerdict? Verdict) Find(byte[] key) => _elements.TryGetValue(Convert.ToHexString(key), out var verdict) ? (true, verdict) : (HasRest, Rest);

    /// <summary>Every verdict that it may give.</summary>
    public IEnumerable<FirewallVerdict> Verdicts => _elements.Values.Append(Rest).OfType<FirewallVerdict>().Distinct();

    private static uint BigEndian(ReadOnlySpan<byte> value) => value.Length >= 4 ? BinaryPrimitives.ReadUInt32BigEndian(value) : 0;
}
