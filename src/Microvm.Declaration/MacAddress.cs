using System.Globalization;

namespace Microvm.Declaration;

/// <summary>A 48-bit Ethernet address that one station can have: unicast and not all zero (IEEE 802).</summary>
public readonly record struct MacAddress
{
    private readonly ulong _bits;
    private MacAddress(ulong bits) => _bits = bits;

    /// <summary>Set where no vendor assigned it: 2, 6, A or E in the second nibble.</summary>
    public bool IsLocallyAdministered => (_bits >> 41 & 1) == 1;

    /// <summary>Six octets, in the order in which they go over the wire.</summary>
    public byte[] ToBytes() =>
        [(byte)(_bits >> 40), (byte)(_bits >> 32), (byte)(_bits >> 24), (byte)(_bits >> 16), (byte)(_bits >> 8), (byte)_bits];

    /// <summary>Lower case with colons, as <c>ip link</c> prints it.</summary>
    public override string ToString() => string.Join(':', ToBytes().Select(b => b.ToString("x2", CultureInfo.InvariantCulture)));

    /// <summary>Takes <c>02:00:00:00:00:01</c>, or says in <paramref name="why"/> what is wrong.</summary>
    public static bool TryParse(string text, out MacAddress mac, out string why)
    {
        mac = default;
        ulong bits = 0;
        for (var i = 0; i < 6; i++)
        {
            if (text.Length != 17 || (i > 0 && text[(3 * i) - 1] != ':')
                || !byte.TryParse(text.AsSpan(3 * i, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var octet))
            {
                why = "it must be six octets of two hexadecimal digits, like 02:00:00:00:00:01";
                return false;
            }
            bits = bits << 8 | octet;
        }
        why = bits == 0 ? "it is all zero" : (bits >> 40 & 1) == 1 ? "it is a multicast address: the second nibble must be even" : "";
        mac = why.Length == 0 ? new(bits) : default;
        return why.Length == 0;
    }
}
