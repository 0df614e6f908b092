using System.Net;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Reach;

/// <summary>Whether frames get from one end to another, and what decides it: the ways between ends, made of the things that decide, one file each. Pure.</summary>
internal sealed class Ways(ReachScene scene, int? port = null, string proto = "tcp")
{
    /// <summary>The best way between any interface of one end and any of the other.</summary>
    internal ReachAnswer Between(IReadOnlyList<ReachEnd> starts, IReadOnlyList<ReachEnd> ends) =>
        (from f in starts from t in ends select Between(f, t)).MinBy(a => a.Verdict)!;

    private ReachAnswer Between(ReachEnd from, ReachEnd to)
    {
        IEnumerable<ReachStep> state = [.. Of(from), .. Of(to)];
        return new([.. state, .. (from, to) switch
        {
            (ReachEnd.Guest a, ReachEnd.Guest b) => a.Vm == b.Vm ? Same(a) : Guests(a, b),
            (ReachEnd.Guest a, ReachEnd.Host) => ToHost(a),
            (ReachEnd.Host, ReachEnd.Guest b) => FromHost(b),
            (ReachEnd.Guest a, ReachEnd.Outside o) => Out(a, o.Address),
            (ReachEnd.Outside, ReachEnd.Guest b) => In(b),
            (ReachEnd.Host, ReachEnd.Outside o) => [Routing.Beyond(scene, o.Address)],
            _ => [new(ReachRule.Outside, ReachVerdict.Unknown, "no VM is at either end, and microvm decides nothing there")],
        }]);
    }

    private IEnumerable<ReachStep> Of(ReachEnd end) => end is ReachEnd.Guest guest ? LinkState.Of(scene, guest) : [];

    private static IEnumerable<ReachStep> Same(ReachEnd.Guest guest) => [new(ReachRule.Link, ReachVerdict.Yes, $"both ends are '{guest.Vm.Name}' itself")];

    private IEnumerable<ReachStep> Guests(ReachEnd.Guest from, ReachEnd.Guest to)
    {
        var (a, b) = (Place.Of(scene, from.Interface), Place.Of(scene, to.Interface));
        if (b.IsUser)
        {
            return [IntoUserNetwork(to)];
        }
        if (a.IsUser)
        {
            // What it sends, its hypervisor sends as a program of the host.
            return [new(ReachRule.UserNetwork, ReachVerdict.Yes, $"what '{from.Interface.Id}' sends leaves as the host's own"), .. FromHost(to)];
        }
        if (a.Lower is not null && a.Lower == b.Lower)
        {
            return [MacvtapModes.Between(from, to, a.Lower)];
        }
        if ((a.Bridge ?? a.Lower) is { } bridge && bridge == (b.Bridge ?? b.Lower))
        {
            return OnBridge(from, to, bridge);
        }
        if (b.Network is { } wall)
        {
            var lets = NetworkWalls.In(to, wall, port, proto);
            return a.Network is { Kind: NetworkKind.Isolated or NetworkKind.Internal } closed ? NetworkWalls.Out(from, closed) : lets.Verdict == ReachVerdict.No ? [lets] : [.. Leave(from, a, scene.IsLive ? b.Bridge : null), lets];
        }
        if (a.Lower is not null || b.Lower is not null)
        {
            var at = (a.Lower ?? b.Lower)!;
            return [new(ReachRule.Outside, ReachVerdict.Unknown, $"only what is connected to '{at}' outside of this host could lead from one to the other")];
        }
        return [.. AntiSpoofing.Of(scene, to), .. Leave(from, a, b.Bridge ?? to.Interface.Id.Value), Routing.ToGuest(scene, to, b.Bridge ?? to.Interface.Id.Value)];
    }

    private IEnumerable<ReachStep> OnBridge(ReachEnd.Guest from, ReachEnd.Guest to, string bridge)
    {
        foreach (var step in AntiSpoofing.Of(scene, from).Concat(AntiSpoofing.Of(scene, to)).Concat(Isolation.Between(scene, from, to))
            .Concat(Firewalling.Bridged(scene, bridge, from.Interface.Id.Value, to.Interface.Id.Value)))
        {
            yield return step;
        }
        yield return new(ReachRule.Bridge, ReachVerdict.Yes, $"both are on the bridge '{bridge}'");
    }

    /// <summary>Over the host's routes, out of where a guest is.</summary>
    /// <param name="towards">The link that it leaves by; null where that is not known.</param>
    private IEnumerable<ReachStep> Leave(ReachEnd.Guest from, Place place, string? towards)
    {
        var link = place.Bridge ?? from.Interface.Id.Value;
        return [.. AntiSpoofing.Of(scene, from), .. place.Network is { } network ? NetworkWalls.Out(from, network) : [Routing.ToHost(scene, link)],
            .. Routing.Forwards(scene, link, six: false), .. towards is null ? [] : Routing.Forwards(scene, towards, six: false), .. Firewalling.Routed(scene, link, towards, six: false)];
    }

    private IEnumerable<ReachStep> ToHost(ReachEnd.Guest from)
    {
        var place = Place.Of(scene, from.Interface);
        if (place.IsUser)
        {
            return [new(ReachRule.UserNetwork, ReachVerdict.Yes, $"the gateway of the user network of '{from.Interface.Id}' is the host")];
        }
        if (place.Lower is { } lower)
        {
            return [Apart(from, lower)];
        }
        var link = place.Bridge ?? from.Interface.Id.Value;
        return [.. AntiSpoofing.Of(scene, from), .. Firewalling.OfHost(scene, link, opens: false, six: false), place.Network is { } network ? NetworkWalls.Gateway(network) : Routing.ToHost(scene, link)];
    }

    private IEnumerable<ReachStep> FromHost(ReachEnd.Guest to)
    {
        var place = Place.Of(scene, to.Interface);
        if (place.IsUser)
        {
            return [IntoUserNetwork(to)];
        }
        if (place.Lower is { } lower)
        {
            return [Apart(to, lower)];
        }
        var link = place.Bridge ?? to.Interface.Id.Value;
        return [.. AntiSpoofing.Of(scene, to), .. Firewalling.OfHost(scene, link, opens: true, six: false), place.Network is { } network ? NetworkWalls.Gateway(network) : Routing.ToGuest(scene, to, link)];
    }

    private ReachStep IntoUserNetwork(ReachEnd.Guest to) => PortForwards.To(to, port, proto, $"'{to.Interface.Id}' is in a user network of its own, which nobody reaches from outside", ReachRule.UserNetwork);

    private static ReachStep Apart(ReachEnd.Guest guest, string lower) => new(ReachRule.Macvtap, ReachVerdict.No,
        $"'{guest.Interface.Id}' is a macvtap on '{lower}', and a macvtap and the host behind its lower device don't hear each other, whatever its mode");

    private IEnumerable<ReachStep> Out(ReachEnd.Guest from, IPAddress? address)
    {
        var place = Place.Of(scene, from.Interface);
        if (place.IsUser)
        {
            return [new(ReachRule.UserNetwork, ReachVerdict.Yes, $"what '{from.Interface.Id}' sends leaves as the host's own"), .. scene.IsLive ? [Routing.Beyond(scene, address)] : Array.Empty<ReachStep>()];
        }
        if (place.Lower is { } lower)
        {
            return [OverLower(from, lower)];
        }
        var six = Routing.IsSix(address);
        if (place.Network is { } network)
        {
            IReadOnlyList<ReachStep> walls = [.. NetworkWalls.Out(from, network)];
            return [.. AntiSpoofing.Of(scene, from), .. walls, .. walls[0].Verdict == ReachVerdict.No || !scene.IsLive ? [] : (IEnumerable<ReachStep>)
                [.. Routing.Forwards(scene, place.Bridge, six), .. scene.Uplink is { } way ? Routing.Forwards(scene, way.Name, six) : [], .. Firewalling.Routed(scene, place.Bridge, scene.Uplink?.Name, six), Routing.Beyond(scene, address)]];
        }
        if (place.Bridge is { } bridge && UplinkOf(bridge) is { } uplink)
        {
            return [.. AntiSpoofing.Of(scene, from), .. Isolation.To(scene, from, uplink), .. Firewalling.Bridged(scene, bridge, from.Interface.Id.Value, uplink.Name),
                new(ReachRule.Bridge, ReachVerdict.Yes, $"the bridge '{bridge}' leads outside by its port '{uplink.Name}'")];
        }
        return [.. Leave(from, place, scene.Uplink?.Name), Routing.Beyond(scene, address), .. Translated()];
    }

    /// <summary>Without NAT, what is beyond has to know the way back.</summary>
    private IEnumerable<ReachStep> Translated() => !scene.IsLive || scene.Firewall is { } f && f.Chains.Any(c => c is { IsNat: true, Hook: FirewallChain.Postrouting } && !c.Table.StartsWith("microvm-", StringComparison.Ordinal)) ? []
        : [new(ReachRule.Route, ReachVerdict.Unknown, scene.Firewall is null ? "whether the host translates addresses is told to root alone; without that the routers beyond have to know the way back" : "no NAT is set up on the host, so the routers beyond have to know the way back")];

    private IEnumerable<ReachStep> In(ReachEnd.Guest to)
    {
        var place = Place.Of(scene, to.Interface);
        if (place.IsUser)
        {
            return [IntoUserNetwork(to)];
        }
        if (place.Lower is { } lower)
        {
            return [OverLower(to, lower)];
        }
        if (place.Network is { } network)
        {
            return [NetworkWalls.In(to, network, port, proto)];
        }
        if (place.Bridge is { } bridge && UplinkOf(bridge) is { } uplink)
        {
            return [.. AntiSpoofing.Of(scene, to), .. Isolation.To(scene, to, uplink), .. Firewalling.Bridged(scene, bridge, uplink.Name, to.Interface.Id.Value),
                new(ReachRule.Bridge, ReachVerdict.Yes, $"'{uplink.Name}' is a port of the bridge '{bridge}'")];
        }
        var link = place.Bridge ?? to.Interface.Id.Value;
        return [.. Routing.Forwards(scene, scene.Uplink?.Name, six: false), .. Firewalling.Routed(scene, scene.Uplink?.Name, link, six: false), Routing.ToGuest(scene, to, link)];
    }

    private ReachStep OverLower(ReachEnd.Guest guest, string lower) => guest.Interface.MacvtapMode == MacvtapMode.Source
        ? new(ReachRule.Macvtap, ReachVerdict.Unknown, $"'{guest.Interface.Id}' on '{lower}' takes frames from {guest.Interface.SourceMacs.Count} listed senders alone (mode source), and who sends them from outside is not known here")
        : new(ReachRule.Macvtap, ReachVerdict.Yes, $"'{guest.Interface.Id}' is on '{lower}', which leads outside");

    /// <summary>The port of a bridge that is no VM's; null where there is none, or nobody looked.</summary>
    private Link? UplinkOf(string bridge) => scene.Link(bridge) is { } master
        ? scene.Links.FirstOrDefault(l => l.Master == master.Index && l is { Tun: null, Up: true } && Ownership.Vm(l.Alias) is null) : null;
}
