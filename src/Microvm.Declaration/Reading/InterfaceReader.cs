using System.Net;

namespace Microvm.Declaration;

/// <summary>The rules of one entry of <c>microvm.interfaces</c>.</summary>
internal sealed class InterfaceReader(DiagnosticBag diagnostics)
{
    internal NetworkInterface? Read(ObjectNode it)
    {
        InterfaceType? type = it.Text("type") switch
        {
            "user" => InterfaceType.User,
            "tap" => InterfaceType.Tap,
            "macvtap" => InterfaceType.Macvtap,
            "bridge" => InterfaceType.Bridge,
            _ => null,
        };
        var id = Name(it, "id", "id");
        var mac = it["mac"] is StringNode macNode ? GuestMac(macNode) : null;
        var bridge = Bridge(it, type);
        var (network, addresses) = Network(it, type);
        var guest = new GuestSideReader(diagnostics).Read(it, type);
        addresses = WithOwn(it, addresses, guest, network);
        var (link, mode, sources) = Macvtap(it, type);
        if (id is { } own && bridge is { } above && own.Value == above.Value)
        {
            diagnostics.Error(it.PositionOf("bridge"), $"the bridge '{above}' is the interface itself; 'bridge' names a bridge of the host, and 'id' the new interface");
        }
        if (id is { } self && link is { } below && self.Value == below.Value)
        {
            diagnostics.Error(it.Set("macvtap")!.PositionOf("link"), $"the lower device '{below}' is the interface itself; 'link' names a device of the host, and 'id' the new interface");
        }
        var vhost = Vhost(it, type);
        var mtu = Mtu(it, type);
        var isolated = Isolated(it, type);
        var antiSpoof = AntiSpoofing(it, type, bridge is not null || network is not null, network is not null || addresses.Count > 0);
        var helper = BridgeHelper(it, type);
        var (hostAddresses, hostRoutes) = new HostSideReader(diagnostics).Read(it, type, guest);
        var kernelIp = it.Set("user").Flag("kernelIp", false);
        if (it["user"] is { } user && type is not null and not InterfaceType.User)
        {
            diagnostics.Error(user.At, $"'user' goes with type user, not with {it.Text("type")}");
        }
        if (type is not { } t || id is not { } i || mac is not { } m)
        {
            return null;
        }
        var optionAt = it.Set("tap")?["vhost"]?.At ?? it["bridgeHelper"]?.At ?? it.Set("user")?["kernelIp"]?.At ?? it.At;
        return new()
        {
            Type = t,
            Id = i,
            Mac = m,
            At = it.At,
            Bridge = network is null ? bridge : DeclaredNetwork.BridgeOf(network),
            Network = network,
            Addresses = addresses,
            Egress = Egress(it, network),
            Guest = guest,
            HostAddresses = hostAddresses,
            HostRoutes = hostRoutes,
            MacvtapLink = link,
            MacvtapMode = mode,
            SourceMacs = sources,
            Vhost = vhost,
            Mtu = mtu,
            Isolated = isolated,
            AntiSpoof = antiSpoof,
            TxQueueLength = TxQueueLength(it, type),
            BridgeHelper = helper,
            KernelIp = kernelIp,
            OptionAt = optionAt,
            Detached = t == InterfaceType.Tap && it.Members.Any(member => member is { Name: "bridge", Value: NullNode }),
        };
    }

    private MacAddress? GuestMac(StringNode node)
    {
        if (!MacAddress.TryParse(node.Value, out var mac, out var why))
        {
            diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' can't be the MAC of a VM: {why}");
            return null;
        }
        if (!mac.IsLocallyAdministered)
        {
            diagnostics.Warning(node.At, $"{mac} isn't locally administered and may belong to a real card; use 2, 6, a or e as the second nibble");
        }
        return mac;
    }

    private InterfaceName? Bridge(ObjectNode it, InterfaceType? type)
    {
        if (it["bridge"] is null)
        {
            if (type == InterfaceType.Bridge)
            {
                diagnostics.Error(it.At, "type \"bridge\" needs the bridge's name: bridge = \"br0\"");
            }
            return null;
        }
        if (type is InterfaceType.User or InterfaceType.Macvtap)
        {
            diagnostics.Error(it.PositionOf("bridge"), $"'bridge' goes with type bridge or tap, not with {it.Text("type")}");
        }
        return Name(it, "bridge", "bridge", isDevice: true);
    }

    private EgressPolicy Egress(ObjectNode it, string? network)
    {
        var egress = new EgressReader(diagnostics).Read(it);
        if (!egress.IsNone && network is null)
        {
            diagnostics.Error(it.PositionOf("egress"), "'egress' goes with 'network': the rules are in the network's table");
        }
        return egress;
    }

    private (string?, IReadOnlyList<IPAddress>) Network(ObjectNode it, InterfaceType? type)
    {
        var network = it.Text("network");
        if (network is not null && type is not null and not InterfaceType.Tap)
        {
            diagnostics.Error(it.PositionOf("network"), $"'network' goes with type tap, not with {it.Text("type")}");
        }
        if (network is not null && it.Members.Any(m => m.Name == "bridge"))
        {
            diagnostics.Error(it.PositionOf("network"), $"an interface joins a network or a bridge, not both; leave out 'bridge', since microvm makes the network's own ({DeclaredNetwork.BridgeOf(network)})");
        }
        var addresses = new List<IPAddress>();
        foreach (var node in it.Items("addresses").OfType<StringNode>())
        {
            if (!NetworkReader.TryAddress(node.Value, out var address))
            {
                diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' is not an address of a guest; write it without a prefix, like \"10.20.0.20\"");
            }
            else if (network is not null && addresses.Exists(a => a.AddressFamily == address.AddressFamily))
            {
                diagnostics.Error(node.At, $"the guest would have a second {NetworkReader.Family(address)} address here; keep one of each family");
            }
            else
            {
                addresses.Add(address);
            }
        }
        if (addresses.Count > 0 && network is null && it.Text("antiSpoof") != "ip")
        {
            diagnostics.Error(it.PositionOf("addresses"), "'addresses' goes with 'network': the network's DHCP server hands them out; or with antiSpoof = \"ip\": the guest may send under them alone; the host's own addresses on a tap without one are host.addresses");
        }
        return (network, addresses);
    }

    private IReadOnlyList<IPAddress> WithOwn(ObjectNode it, IReadOnlyList<IPAddress> addresses, GuestSide? guest, string? network)
    {
        if (guest is null || addresses.Contains(guest.Address.Address))
        {
            return addresses;
        }
        if (network is not null && addresses.FirstOrDefault(a => a.AddressFamily == guest.Address.Address.AddressFamily) is { } other)
        {
            diagnostics.Error(it.PositionOf("guest"), $"the guest is told {guest.Address.Address}, and the network is to give it {other}; leave {other} out of 'addresses'");
        }
        return [.. addresses, guest.Address.Address];
    }

    private bool? BridgeHelper(ObjectNode it, InterfaceType? type)
    {
        if (it["bridgeHelper"] is not BoolNode helper)
        {
            return null;
        }
        if (type is not null and not InterfaceType.Bridge)
        {
            diagnostics.Error(helper.At, $"'bridgeHelper' goes with type bridge, not with {it.Text("type")}");
        }
        return helper.Value;
    }

    private int? Mtu(ObjectNode it, InterfaceType? type)
    {
        // MAX_MTU of drivers/net/tun.c is for the whole frame.
        const int tap = 65521;
        // Out of the option's range it was told already.
        if (it["mtu"] is not NumberNode { Integer: >= 68 and <= 65535 and var mtu } node)
        {
            return null;
        }
        if (type == InterfaceType.User)
        {
            diagnostics.Error(it.PositionOf("mtu"), "'mtu' goes with types tap, macvtap and bridge: a user network has no link on the host");
        }
        else if (type is InterfaceType.Tap or InterfaceType.Bridge && mtu > tap)
        {
            diagnostics.Error(node.At, $"a tap's MTU is at most {tap}");
        }
        return (int)mtu;
    }

    private bool? Isolated(ObjectNode it, InterfaceType? type)
    {
        if (it["isolated"] is not BoolNode node)
        {
            return null;
        }
        if (type is InterfaceType.Macvtap)
        {
            diagnostics.Error(node.At, "'isolated' goes with types tap and bridge; for a macvtap, macvtap.mode = \"private\" means the same");
        }
        else if (type is InterfaceType.User)
        {
            diagnostics.Error(node.At, "'isolated' goes with types tap and bridge: a user network has no neighbours");
        }
        return node.Value;
    }

    private AntiSpoof? AntiSpoofing(ObjectNode it, InterfaceType? type, bool hasBridge, bool hasAddresses)
    {
        AntiSpoof? antiSpoof = it.Text("antiSpoof") switch { "off" => AntiSpoof.Off, "mac" => AntiSpoof.Mac, "ip" => AntiSpoof.Ip, _ => null };
        if (antiSpoof is null)
        {
            return null;
        }
        if (type is InterfaceType.User)
        {
            diagnostics.Error(it.PositionOf("antiSpoof"), "'antiSpoof' goes with types tap and bridge: a user network sends under the host's own addresses");
        }
        else if (type is InterfaceType.Macvtap)
        {
            diagnostics.Error(it.PositionOf("antiSpoof"), "'antiSpoof' goes with types tap and bridge: it is the bridge that drops a false sender's frames, and a macvtap hands them to its lower device as they are");
        }
        else if (type is InterfaceType.Tap && !hasBridge && antiSpoof != AntiSpoof.Off)
        {
            diagnostics.Error(it.PositionOf("antiSpoof"), "'antiSpoof' needs a bridge, which drops a false sender's frames; name it with 'bridge', or join a 'network'");
        }
        else if (antiSpoof == AntiSpoof.Ip && !hasAddresses)
        {
            diagnostics.Error(it.PositionOf("antiSpoof"), "antiSpoof = \"ip\" needs the guest's addresses; write them with 'addresses' (like [ \"192.0.2.20\" ]), or join a 'network', which gives it some");
        }
        return antiSpoof;
    }

    private int? TxQueueLength(ObjectNode it, InterfaceType? type)
    {
        if (it.Set("tap")?["txQueueLength"] is not NumberNode { Integer: > 0 and <= int.MaxValue and var length })
        {
            return null;
        }
        if (type is not null and not InterfaceType.Tap)
        {
            diagnostics.Error(it.PositionOf("tap"), $"tap.txQueueLength goes with type tap, not with {it.Text("type")}");
        }
        return (int)length;
    }

    private bool Vhost(ObjectNode it, InterfaceType? type)
    {
        var vhost = it.Set("tap").Flag("vhost", false);
        if (vhost && type is not null and not InterfaceType.Tap)
        {
            diagnostics.Error(it.PositionOf("tap"), $"tap.vhost goes with type tap, not with {it.Text("type")}");
        }
        return vhost;
    }

    private (InterfaceName?, MacvtapMode?, IReadOnlyList<MacAddress>) Macvtap(ObjectNode it, InterfaceType? type)
    {
        if (it["macvtap"] is not { } node)
        {
            if (type == InterfaceType.Macvtap)
            {
                diagnostics.Error(it.At, "type \"macvtap\" needs its lower device and mode: macvtap = { link = \"eth0\"; mode = \"bridge\"; }");
            }
            return (null, null, []);
        }
        if (type is not null and not InterfaceType.Macvtap)
        {
            diagnostics.Error(node.At, $"'macvtap' goes with type macvtap, not with {it.Text("type")}");
        }
        if (node is not ObjectNode macvtap)
        {
            return (null, null, []);
        }
        MacvtapMode? mode = macvtap.Text("mode") switch
        {
            "private" => MacvtapMode.Private,
            "vepa" => MacvtapMode.Vepa,
            "bridge" => MacvtapMode.Bridge,
            "passthru" => MacvtapMode.Passthru,
            "source" => MacvtapMode.Source,
            _ => null,
        };
        return (Name(macvtap, "link", "macvtap.link", isDevice: true), mode, Sources(macvtap, mode));
    }

    private List<MacAddress> Sources(ObjectNode macvtap, MacvtapMode? mode)
    {
        var given = macvtap.Items("sourceMacs");
        if (mode == MacvtapMode.Source && given.Count == 0)
        {
            diagnostics.Error(macvtap.PositionOf("mode"), "mode \"source\" lets in only frames of macvtap.sourceMacs, and there is none: it would drop every frame. Give the senders' MACs: sourceMacs = [ \"02:00:00:00:00:02\" ]");
        }
        if (mode is not null and not MacvtapMode.Source && given.Count > 0)
        {
            diagnostics.Error(macvtap.PositionOf("sourceMacs"), $"'sourceMacs' goes with mode source, not with {macvtap.Text("mode")}");
        }
        var sources = new List<MacAddress>();
        foreach (var node in given.OfType<StringNode>())
        {
            if (!MacAddress.TryParse(node.Value, out var mac, out var why))
            {
                diagnostics.Error(node.At, $"'{Printable.Of(node.Value)}' can't be the MAC of a sender: {why}");
            }
            else if (sources.Contains(mac))
            {
                diagnostics.Error(node.At, $"{mac} is in 'sourceMacs' twice; keep one");
            }
            else
            {
                sources.Add(mac);
            }
        }
        return sources;
    }

    /// <param name="isDevice">It is a device that is there, which may go by an altname too.</param>
    private InterfaceName? Name(ObjectNode it, string option, string what, bool isDevice = false)
    {
        if (it[option] is not StringNode node)
        {
            return null;
        }
        if (isDevice ? InterfaceName.TryParseOfDevice(node.Value, out var name, out var why) : InterfaceName.TryParse(node.Value, out name, out why))
        {
            return name;
        }
        diagnostics.Error(node.At, $"{what} '{Printable.Of(node.Value)}' can't be an interface name: {why}");
        return null;
    }
}
