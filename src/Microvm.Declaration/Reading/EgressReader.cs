using System.Globalization;
using System.Net;

namespace Microvm.Declaration;

/// <summary>The rules of an <c>egress</c> policy.</summary>
internal sealed class EgressReader(DiagnosticBag diagnostics)
{
    /// <summary>Addresses that are not the Internet's: private ones (RFC 1918, RFC 4193), shared ones of providers (RFC 6598), link-local ones, under which
    /// clouds have their metadata (RFC 3927, RFC 4291).</summary>
    private static readonly IReadOnlyList<PrefixedAddress> s_private = ValueList<PrefixedAddress>.Of([.. ((string[])["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"])
        .Select(n => IPNetwork.Parse(n)).Select(n => new PrefixedAddress(n.BaseAddress, n.PrefixLength))]);

    internal EgressPolicy Read(ObjectNode it) => it.Set("egress") is { } egress ? new() { Allow = Entries(egress, "allow"), Deny = Entries(egress, "deny") } : EgressPolicy.None;

    private List<EgressEntry> Entries(ObjectNode egress, string list)
    {
        var entries = new List<EgressEntry>();
        foreach (var node in egress.Items(list).OfType<StringNode>())
        {
            if (Entry(node.Value) is { } entry)
            {
                entries.Add(entry);
            }
            else
            {
                diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' is no entry of egress: write an address, a network, any, private or host, and a port after it if need be, like \"10.0.0.0/8\", \"any tcp/443\" or \"host udp/123\"");
            }
        }
        return entries;
    }

    private static EgressEntry? Entry(string text)
    {
        if (text.Split(' ') is not [var where, .. { Length: <= 1 } rest])
        {
            return null;
        }
        (string? proto, var first, var last) = (null, 0, 0);
        if (rest is [var service])
        {
            if (service.Split('/') is not [("tcp" or "udp") and var word, var ports] || ports.Split('-') is not [var from, .. { Length: <= 1 } to] || !Port(from, out first) || !Port(to is [var end] ? end : from, out last) || last < first)
            {
                return null;
            }
            proto = word;
        }
        return where switch
        {
            "any" => new(false, ValueList<PrefixedAddress>.Empty, proto, first, last),
            "host" => new(true, ValueList<PrefixedAddress>.Empty, proto, first, last),
            "private" => new(false, s_private, proto, first, last),
            _ => Network(where) is { } network ? new(false, ValueList<PrefixedAddress>.Of([network]), proto, first, last) : null,
        };
    }

    private static bool Port(string text, out int port) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and <= ushort.MaxValue;

    private static PrefixedAddress? Network(string text)
    {
        var slash = text.IndexOf('/');
        if (!NetworkReader.TryAddress(slash < 0 ? text : text[..slash], out var address))
        {
            return null;
        }
        var bits = address.GetAddressBytes().Length * 8;
        var length = bits;
        return slash >= 0 && (!int.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out length) || length < 1 || length > bits) ? null
            : new PrefixedAddress(address, length) is var network ? network with { Address = network.At(0) } : null;
    }
}
