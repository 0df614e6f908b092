using System.Net;
using System.Text.RegularExpressions;
using Microvm.Declaration;

namespace Microvm.Network.Resources;

/// <summary>The MAC and the addresses under which one guest may send.</summary>
/// <param name="Link">The name of its tap.</param>
/// <param name="Alias">Whose it is: the alias of the tap.</param>
/// <param name="Mac">Twelve hexadecimal digits.</param>
/// <param name="Addresses">8 or 32 hexadecimal digits each, in order, a space between.</param>
internal sealed partial record AddressGuard(string Link, string Alias, string Mac, string Addresses)
{
    /// <summary>As it is wanted; null where that is not known, since the network that gives the guest its addresses is not made yet.</summary>
    internal static AddressGuard? Of(DesiredLink want, HostState state)
    {
        var addresses = want.Network is null ? want.GuestAddresses : state.Reserved.GetValueOrDefault(want.GuestMac.ToString());
        return addresses is null ? null : new(want.Name, want.Alias, want.GuestMac.ToHex(),
            string.Join(' ', addresses.Append(LinkLocal(want.GuestMac)).Select(a => Convert.ToHexStringLower(a.GetAddressBytes())).Distinct().Order(StringComparer.Ordinal)));
    }

    /// <summary>Why nftables can't write it, as the end of "'ID' ..."; null where it can.</summary>
    internal static string? Unfit(DesiredLink want) => !Plain().IsMatch(want.Name) ? "has a name that rules can't hold; give it an id of letters, digits, '.', '_' and '-'"
        : !PlainAlias().IsMatch(want.Alias) ? "belongs to a VM whose name rules can't hold; give it a name of at most 80 letters, digits, '.', '_' and '-'" : null;

    /// <summary>The addresses alone, for a person.</summary>
    internal string Words => string.Join(", ", Addresses.Split(' ').Where(a => !a.StartsWith("fe80", StringComparison.Ordinal)).Select(a => new IPAddress(Convert.FromHexString(a))));

    /// <summary>The address that a guest makes of its MAC on every link (EUI-64, RFC 4291): neighbours and routers are found under it.</summary>
    private static IPAddress LinkLocal(MacAddress mac) => new([0xfe, 0x80, 0, 0, 0, 0, 0, 0, .. mac.InterfaceIdentifier()]);

    [GeneratedRegex(@"\A[A-Za-z0-9._-]+\z")] private static partial Regex Plain();

    // nft takes comments of 128 bytes.
    [GeneratedRegex(@"\A[A-Za-z0-9._:/-]{1,120}\z")] private static partial Regex PlainAlias();
}
