using System.Net;
using System.Net.Sockets;
using Microvm.Linux;

namespace Microvm.Network.Reach;

/// <summary>What the host's routes and its setting for forwarding do with a packet.</summary>
internal static class Routing
{
    /// <summary>Whether the host hands packets from one link to another.</summary>
    internal static IEnumerable<ReachStep> Forwards(ReachScene scene, string? by, bool six)
    {
        if (!scene.IsLive)
        {
            yield break;
        }
        var all = scene.Setting(six ? "/proc/sys/net/ipv6/conf/all/forwarding" : "/proc/sys/net/ipv4/ip_forward");
        var own = by is null ? null : scene.Setting($"/proc/sys/net/{(six ? "ipv6" : "ipv4")}/conf/{by}/forwarding");
        // The link's own setting decides, which the host's sets for all of them.
        if ((own ?? all) == 0)
        {
            var setting = all != 0 ? $"net.{(six ? "ipv6" : "ipv4")}.conf.{by!.Replace('.', '/')}.forwarding" : six ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward";
            yield return new(ReachRule.Forwarding, ReachVerdict.No, $"the host forwards no {(six ? "IPv6" : "IPv4")} packets that come in by '{by}' ({setting}=0); switch it on with: sudo sysctl -w {setting}=1");
        }
    }

    /// <summary>The link by which packets to an address leave the host.</summary>
    internal static Link? LinkTo(ReachScene scene, IPAddress address) => scene.Link(scene.Routes.Where(r => r.Destination.BaseAddress.AddressFamily == address.AddressFamily && r.Destination.Contains(address))
        .OrderByDescending(r => r.Destination.PrefixLength).ThenBy(r => r.Metric).FirstOrDefault()?.Link);

    /// <summary>Whether the host's routes lead to a guest over the link that it is on.</summary>
    internal static ReachStep ToGuest(ReachScene scene, ReachEnd.Guest to, string link)
    {
        var known = scene.AddressesOf(to.Vm, to.Interface);
        if (!scene.IsLive || known.Count == 0)
        {
            var linked = scene.Link(link);
            var routes = linked is null ? [] : scene.Routes.Where(r => r.Link == linked.Index && !r.Destination.BaseAddress.IsIPv6LinkLocal && !r.Destination.BaseAddress.IsIPv6Multicast).ToList();
            return routes.Count == 0 && scene.IsLive ? new(ReachRule.Route, ReachVerdict.No, $"the host has no route over '{link}'")
                : routes.Count == 0 ? new(ReachRule.Route, ReachVerdict.Unknown, $"the host's routes decide what reaches '{link}', and they are no part of the declaration")
                : new(ReachRule.Route, ReachVerdict.Yes, $"the host's route to {string.Join(" and ", routes.Select(r => r.Destination))} leads over '{link}'");
        }
        var there = known.FirstOrDefault(a => LinkTo(scene, a)?.Name == link);
        return there is not null ? new(ReachRule.Route, ReachVerdict.Yes, $"the host's route to {there} leads over '{link}'")
            : new(ReachRule.Route, ReachVerdict.No, $"no route of the host leads to {string.Join(" or ", known)} over '{link}'");
    }

    /// <summary>Whether a guest can address the host: over an address of the link that both are on.</summary>
    internal static ReachStep ToHost(ReachScene scene, string link)
    {
        if (!scene.IsLive)
        {
            return new(ReachRule.Route, ReachVerdict.Unknown, $"whether the host has an address on '{link}' is no part of the declaration");
        }
        var own = scene.AddressesOn(scene.Link(link));
        return own.Count > 0 ? new(ReachRule.Route, ReachVerdict.Yes, $"the host has {string.Join(" and ", own)} on '{link}'")
            : new(ReachRule.Route, ReachVerdict.No, $"the host has no address on '{link}'");
    }

    /// <summary>The way out of the host.</summary>
    internal static ReachStep Beyond(ReachScene scene, IPAddress? address)
    {
        if (!scene.IsLive)
        {
            return new(ReachRule.Route, ReachVerdict.Unknown, "the host's routes decide what lies beyond it, and they are no part of the declaration");
        }
        var link = address is null ? scene.Uplink : LinkTo(scene, address);
        return link is null ? new(ReachRule.Route, ReachVerdict.No, address is null ? "the host has no default route" : $"the host has no route to {address}")
            : new(ReachRule.Route, ReachVerdict.Yes, $"the host's {(address is null ? "default route" : $"route to {address}")} leads over '{link.Name}'");
    }

    internal static bool IsSix(IPAddress? address) => address?.AddressFamily == AddressFamily.InterNetworkV6;
}
