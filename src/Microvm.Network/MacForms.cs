using Microvm.Declaration;

namespace Microvm.Network;

/// <summary>A MAC as the kernel shows it, and as a guest makes addresses of it.</summary>
internal static class MacForms
{
    /// <summary>A MAC as links show it: twelve digits.</summary>
    internal static string ToHex(this MacAddress mac) => Convert.ToHexStringLower(mac.ToBytes());

    /// <summary>The last eight octets of the IPv6 addresses that a guest makes for itself out of its MAC (EUI-64, RFC 4291, appendix A).</summary>
    internal static byte[] InterfaceIdentifier(this MacAddress mac)
    {
        var m = mac.ToBytes();
        return [(byte)(m[0] ^ 2), m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]];
    }
}
