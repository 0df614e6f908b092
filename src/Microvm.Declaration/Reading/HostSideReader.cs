using System.Globalization;
using System.Net;

namespace Microvm.Declaration;

/// <summary>The rules of <c>host</c> of an interface: the host's own addresses and routes on a tap.</summary>
internal sealed class HostSideReader(DiagnosticBag diagnostics)
{
    internal (IReadOnlyList<PrefixedAddress> Addresses, IReadOnlyList<HostRoute> Routes) Read(ObjectNode it, InterfaceType? type, GuestSide? guest)
    {
        // The least MTU that IPv6 can do with (IPV6_MIN_MTU).
        const int leastOfV6 = 1280;
        if (it["host"] is not ObjectNode host)
        {
            return ([], []);
        }
        if (type is not null and not InterfaceType.Tap)
        {
            diagnostics.Error(host.At, type switch
            {
                InterfaceType.Macvtap => "'host' goes with type tap: what the host sends into a macvtap leaves by its lower device, and never reaches the guest",
                InterfaceType.Bridge => "'host' goes with type tap: the host's addresses belong on the bridge, not on its port",
                _ => $"'host' goes with type tap, not with {it.Text("type")}",
            });
        }
        else if (it.Text("bridge") is { } bridge)
        {
            diagnostics.Error(host.At, $"'host' goes with a tap without a bridge: the host's addresses belong on '{Printable.Of(bridge)}', not on its port");
        }
        else if (it.Text("network") is { } network)
        {
            diagnostics.Error(host.At, $"'host' goes with a tap without a network: the host's addresses in '{Printable.Of(network)}' are declared as microvm.networks.{Printable.Of(network)}.addresses");
        }
        var addresses = All(host, "addresses", Address);
        var routes = All(host, "routes", Route);
        if (it["mtu"] is NumberNode { Integer: < leastOfV6 } mtu && (addresses.Any(a => a.IsV6) || routes.Any(r => r.To.IsV6)))
        {
            diagnostics.Error(mtu.At, $"with an MTU below {leastOfV6} the kernel has no IPv6 on a link, and 'host' declares some");
        }
        // The guest's own address is written once: where the host has an address on the cable, it knows the way to the guest's too.
        if (guest is not null && addresses.Count > 0 && !routes.Any(r => r.Via is null && r.To.Holds(guest.Address.Address)))
        {
            routes.Add(new(new(guest.Address.Address, 32), null, null));
        }
        return (addresses, routes);
    }

    private List<T> All<T>(ObjectNode host, string option, Func<StringNode, T?> read) where T : class
    {
        var found = new List<T>();
        foreach (var node in host.Items(option).OfType<StringNode>())
        {
            if (read(node) is not { } one)
            {
                continue;
            }
            if (found.Contains(one))
            {
                diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' is in 'host.{option}' twice; keep one");
                continue;
            }
            found.Add(one);
        }
        return found;
    }

    private PrefixedAddress? Address(StringNode node)
    {
        if (Prefixed(node.Value) is { } address)
        {
            return address;
        }
        diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' is not an address of the host with its prefix; write it like \"10.0.9.1/32\" or \"fd00:9::1/128\"");
        return null;
    }

    private HostRoute? Route(StringNode node)
    {
        var words = node.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var (via, metric) = ((IPAddress?)null, (uint?)null);
        var isRead = words.Length % 2 == 1;
        for (var n = 1; isRead && n + 1 < words.Length; n += 2)
        {
            isRead = words[n] switch
            {
                "via" => via is null && NetworkReader.TryAddress(words[n + 1], out via),
                "metric" => metric is null && Number(words[n + 1], out metric),
                _ => false,
            };
        }
        if (!isRead || Prefixed(words[0]) is not { } to)
        {
            diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' is not a route; write a network, and where it needs them a next hop and a metric: \"10.0.9.2/32\", \"10.1.0.0/24 via 10.0.9.2 metric 100\"");
            return null;
        }
        if (!to.At(0).Equals(to.Address))
        {
            diagnostics.Error(node.At, $"{to} is an address in the network {to.At(0)}/{to.PrefixLength}; write that for a route to all of it, or {to.Address}/{(to.IsV6 ? 128 : 32)} for one to the address");
            return null;
        }
        if (via is not null && via.AddressFamily != to.Address.AddressFamily)
        {
            diagnostics.Error(node.At, $"a route to {to} can't go via {via}, which is {NetworkReader.Family(via)}");
            return null;
        }
        return new(to, via, metric);
    }

    private static bool Number(string word, out uint? number)
    {
        number = uint.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) && parsed > 0 ? parsed : null;
        return number is not null;
    }

    internal static PrefixedAddress? Prefixed(string text)
    {
        var slash = text.IndexOf('/');
        return slash > 0 && NetworkReader.TryAddress(text[..slash], out var address)
            && int.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            && length > 0 && length <= (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? 128 : 32) ? new(address, length) : null;
    }
}
