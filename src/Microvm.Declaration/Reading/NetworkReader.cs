using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Microvm.Declaration;

/// <summary>The rules of <c>microvm.networks</c>.</summary>
internal sealed partial class NetworkReader(DiagnosticBag diagnostics)
{
    internal IReadOnlyList<DeclaredNetwork> Read(ObjectNode microvm)
    {
        var networks = new List<DeclaredNetwork>();
        foreach (var member in microvm.Set("networks")?.Members ?? [])
        {
            if (!Name().IsMatch(member.Name))
            {
                diagnostics.Error(member.At, $"'{Printable.Of(member.Name)}' can't be the name of a network: use 1 to 32 of a-z, 0-9 and '-', with a letter in front");
            }
            else if (member.Value is ObjectNode it)
            {
                networks.Add(One(member, it));
            }
        }
        return networks;
    }

    private DeclaredNetwork One(Member member, ObjectNode it)
    {
        var addresses = new List<PrefixedAddress>();
        foreach (var node in it.Items("addresses").OfType<StringNode>())
        {
            if (Address(node) is not { } address)
            {
                continue;
            }
            if (addresses.Exists(a => a.IsV6 == address.IsV6))
            {
                diagnostics.Error(node.At, $"the network would have a second {Family(address.Address)} address here; keep one of each family");
                continue;
            }
            addresses.Add(address);
        }
        var domain = it.Text("domain");
        if (domain is not null && !Domain().IsMatch(domain))
        {
            diagnostics.Error(it.PositionOf("domain"), $"'{Printable.Of(domain)}' can't be a domain: use labels of a-z, 0-9 and '-' with dots between, like \"home.internal\"");
        }
        var kind = Kind(it);
        InterfaceName? uplink = null;
        if (it.Set("nat")?.Text("uplink") is { } name)
        {
            uplink = InterfaceName.TryParse(name, out var parsed, out var why) ? parsed : null;
            if (uplink is null)
            {
                diagnostics.Error(it.Set("nat")!.PositionOf("uplink"), $"'{Printable.Of(name)}' can't be an interface name: {why}");
            }
        }
        if (kind == NetworkKind.Internal && ((string[])["addresses", "domain"]).FirstOrDefault(o => it[o] is ArrayNode { Items.Count: > 0 } or StringNode) is { } more)
        {
            diagnostics.Error(it.PositionOf(more), $"'{more}' needs an address of the host in the network, and with kind = \"internal\" it has none; isolated networks have one");
        }
        return new()
        {
            Name = member.Name,
            At = member.At,
            Addresses = addresses,
            Kind = kind,
            Uplink = uplink,
            NatV6 = it.Set("nat")?.Flag("ipv6", true) ?? true,
            Dhcp = kind != NetworkKind.Internal && it.Flag("dhcp", true),
            Dns = kind != NetworkKind.Internal && it.Flag("dns", true),
            Domain = domain,
            Mtu = it.Number("mtu"),
            Egress = new EgressReader(diagnostics).Read(it),
        };
    }

    private NetworkKind Kind(ObjectNode it)
    {
        var index = it.Text("kind") is { } word ? Array.IndexOf(DeclaredNetwork.Kinds, word) : -1;
        if (index < 0)
        {
            return it["nat"] is BoolNode { Value: false } ? NetworkKind.Isolated : NetworkKind.Nat;
        }
        var kind = (NetworkKind)index;
        // True may be the default that NixOS wrote out.
        if (it["nat"] is BoolNode { Value: false } ? kind == NetworkKind.Nat : it["nat"] is ObjectNode && kind != NetworkKind.Nat)
        {
            diagnostics.Error(it.PositionOf("nat"), $"'nat' and kind = \"{DeclaredNetwork.Kinds[index]}\" contradict each other; keep one of them");
        }
        return kind;
    }

    private PrefixedAddress? Address(StringNode node)
    {
        var slash = node.Value.IndexOf('/');
        if (slash < 0 || !TryAddress(node.Value[..slash], out var address) || !int.TryParse(node.Value[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var length))
        {
            diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' is not an address with its prefix; write the host's own in the network, like \"10.20.0.1/24\" or \"fd00:20::1/64\"");
            return null;
        }
        var found = new PrefixedAddress(address, length);
        // Beside the gateway there have to be guests, and dnsmasq's own limit is a /64 for router advertisements.
        if (found.IsV6 ? length is < 48 or > 120 : length is < 8 or > 29)
        {
            diagnostics.Error(node.At, $"a prefix of {length} bits is {(found.IsV6 ? "not from 48 to 120, as IPv6 needs it" : "not from 8 to 29, as IPv4 needs it")}");
            return null;
        }
        if (found.At(0).Equals(address) || (!found.IsV6 && found.At((1ul << 32 - length) - 1).Equals(address)))
        {
            diagnostics.Error(node.At, $"{address} is the {(found.At(0).Equals(address) ? "first" : "last")} address of {found}, which no host may have; the host's own is mostly {found.At(1)}/{length}");
            return null;
        }
        return found;
    }

    /// <summary>An address of one station, written as this program would write it, or as IPv6 may be.</summary>
    internal static bool TryAddress(string text, [NotNullWhen(true)] out IPAddress? address) =>
        // IPAddress reads 10.1, 0x7f000001 and fe80::1%eth0 too.
        IPAddress.TryParse(text, out address) && !text.Contains('%') && !text.Contains('[')
        && (address.AddressFamily == AddressFamily.InterNetworkV6 || address.ToString() == text)
        && !address.IsIPv6LinkLocal && !address.IsIPv6Multicast && !address.IsIPv4MappedToIPv6 && !IPAddress.IsLoopback(address)
        && (address.AddressFamily == AddressFamily.InterNetworkV6 ? !address.Equals(IPAddress.IPv6Any) : address.GetAddressBytes()[0] is > 0 and < 224);

    internal static string Family(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? "IPv6" : "IPv4";

    [GeneratedRegex(@"\A[a-z][a-z0-9-]{0,31}\z")] private static partial Regex Name();
    [GeneratedRegex(@"\A(?=.{1,200}\z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\z")] private static partial Regex Domain();
}
