using System.Text;

namespace Microvm.Declaration;

/// <summary>Stable MAC addresses from names.</summary>
internal static class MacFromName
{
    /// <summary>The locally administered unicast address of a name: the first six octets of SHA-256 over <c>microvm:NAME</c>
    /// in UTF-8, the two low bits of the first octet set to 10. <c>nix/lib/mac.nix</c> gives the same.</summary>
    public static MacAddress Of(string name)
    {
        var hash = Sha256.HashData(Encoding.UTF8.GetBytes($"microvm:{name}"));
        hash[0] = (byte)(hash[0] & 0xFC | 0x02);
        var text = string.Join(':', hash.Take(6).Select(b => b.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));
        return MacAddress.TryParse(text, out var mac, out var why) ? mac : throw new InvalidOperationException(why);
    }
}
