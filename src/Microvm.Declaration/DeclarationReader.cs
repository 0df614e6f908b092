namespace Microvm.Declaration;

/// <summary>Turns nodes into a typed declaration by the rules of the specification; every finding goes into the bag.</summary>
public sealed class DeclarationReader(DiagnosticBag diagnostics)
{
    /// <summary>The hypervisors whose declarations are known.</summary>
    public static readonly IReadOnlyList<string> Hypervisors =
        ["qemu", "cloud-hypervisor", "firecracker", "crosvm", "kvmtool", "stratovirt", "alioth", "vfkit"];

    private static readonly string[] s_options =
        ["interfaces", "vcpu", "mem", "hypervisor", "forwardPorts", "kernel", "initrdPath", "kernelParams", "binScripts", "qemu"];

    /// <summary>The declaration, or null where a rule was broken.</summary>
    public MicrovmConfig? Read(Node root)
    {
        var before = diagnostics.All.Count(d => d.Severity == Severity.Error);
        if (root is not ObjectNode top)
        {
            diagnostics.Error(root.At, $"a declaration is an attribute set with 'microvm'; this is {root.Kind}");
            return null;
        }
        if (top["microvm"] is not { } found)
        {
            diagnostics.Error(top.At, "there is no 'microvm' in this declaration; start with microvm.interfaces = [ … ]");
            return null;
        }
        if (As<ObjectNode>(found, "microvm") is not { } microvm)
        {
            return null;
        }
        Known(microvm, "microvm", s_options);
        var name = HostName(top);
        var hypervisor = Text(microvm, "hypervisor") ?? "qemu";
        if (!Hypervisors.Contains(hypervisor))
        {
            diagnostics.Error(microvm["hypervisor"]!.At, $"'{Printable.Of(hypervisor)}' is not a known hypervisor; choose one of {string.Join(", ", Hypervisors)}");
        }
        var vcpu = Positive(microvm, "vcpu", 1, 1024);
        var mem = Positive(microvm, "mem", 512, 16 * 1024 * 1024);
        var interfaces = Items(microvm, "interfaces").Select(Interface).OfType<NetworkInterface>().ToList();
        var ports = Items(microvm, "forwardPorts").Select(Port).OfType<ForwardPort>().ToList();
        if (microvm["forwardPorts"] is ArrayNode { Items.Count: > 0 } given)
        {
            if (interfaces.All(i => i.Type != InterfaceType.User))
            {
                diagnostics.Error(given.At, "forwardPorts needs an interface of type \"user\"; add one");
            }
            if (hypervisor != "qemu")
            {
                diagnostics.Error(given.At, $"forwardPorts works with the hypervisor qemu, not with {Printable.Of(hypervisor)}");
            }
        }
        var kernel = Text(microvm, "kernel");
        var initrd = Text(microvm, "initrdPath");
        var parameters = string.Join(' ', Items(microvm, "kernelParams").Select(n => As<StringNode>(n, "microvm.kernelParams")?.Value));
        var machine = "microvm";
        if (microvm["qemu"] is { } q && As<ObjectNode>(q, "microvm.qemu") is { } qemu)
        {
            Known(qemu, "microvm.qemu", ["machine"]);
            machine = Text(qemu, "machine") ?? machine;
            if (machine.Contains(','))
            {
                diagnostics.Error(qemu["machine"]!.At, "microvm.qemu.machine is a machine type alone, like \"microvm\" or \"q35\"");
            }
        }
        var scripts = BinScript.ReadAll(microvm["binScripts"], diagnostics);
        return diagnostics.All.Count(d => d.Severity == Severity.Error) > before ? null
            : new(name, hypervisor, vcpu, mem, interfaces, ports, kernel, initrd, parameters, machine) { BinScripts = scripts };
    }

    private string HostName(ObjectNode top)
    {
        if (top["networking"] is not { } n || As<ObjectNode>(n, "networking") is not { } networking || Text(networking, "hostName") is not { } name)
        {
            return "nixos";
        }
        if (name.Length is 0 or > 63 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_')) || name[0] == '-')
        {
            diagnostics.Error(networking["hostName"]!.At, $"'{Printable.Of(name)}' is not a host name: use 1 to 63 of a-z, 0-9, '-' and '_', no '-' in front");
        }
        return name;
    }

    private NetworkInterface? Interface(Node node)
    {
        if (As<ObjectNode>(node, "an entry of microvm.interfaces") is not { } it)
        {
            return null;
        }
        Known(it, "microvm.interfaces.*", ["type", "id", "mac", "bridge", "macvtap", "tap"]);
        var typeText = Required(it, "type");
        var type = typeText is null ? null : typeText.Value switch
        {
            "user" => InterfaceType.User,
            "tap" => InterfaceType.Tap,
            "macvtap" => InterfaceType.Macvtap,
            "bridge" => (InterfaceType?)InterfaceType.Bridge,
            _ => null,
        };
        if (typeText is not null && type is null)
        {
            diagnostics.Error(typeText.At, $"'{Printable.Of(typeText.Value)}' is not an interface type; choose user, tap, macvtap or bridge");
        }
        var id = Required(it, "id") is { } idNode ? Name(idNode, "id") : null;
        MacAddress? mac = null;
        if (Required(it, "mac") is { } macNode)
        {
            if (!MacAddress.TryParse(macNode.Value, out var parsed, out var why))
            {
                diagnostics.Error(macNode.At, $"'{Printable.Of(macNode.Value)}' can't be the MAC of a VM: {why}");
            }
            else
            {
                mac = parsed;
                if (!parsed.IsLocallyAdministered)
                {
                    diagnostics.Warning(macNode.At, $"{parsed} isn't locally administered and may belong to a real card; use 2, 6, a or e as the second nibble");
                }
            }
        }
        var bridge = it["bridge"] is { } b && As<StringNode>(b, "bridge") is { } bridgeNode ? Name(bridgeNode, "bridge") : null;
        if (type == InterfaceType.Bridge && it["bridge"] is null)
        {
            diagnostics.Error(it.At, "type \"bridge\" needs the bridge's name: bridge = \"br0\"");
        }
        if (type is InterfaceType.User or InterfaceType.Macvtap && it["bridge"] is { } stray)
        {
            diagnostics.Error(stray.At, $"'bridge' goes with type bridge or tap, not with {typeText!.Value}");
        }
        var (link, mode) = Macvtap(it, type);
        var vhost = false;
        if (it["tap"] is { } t && As<ObjectNode>(t, "tap") is { } tap)
        {
            Known(tap, "microvm.interfaces.*.tap", ["vhost"]);
            vhost = tap["vhost"] is { } v && As<BoolNode>(v, "tap.vhost") is { Value: true };
            if (vhost && type is not null and not InterfaceType.Tap)
            {
                diagnostics.Error(tap.At, $"tap.vhost goes with type tap, not with {typeText!.Value}");
            }
        }
        return type is { } ty && id is { } i && mac is { } m ? new(ty, i, m, it.At, bridge, link, mode, vhost) : null;
    }

    private (InterfaceName?, MacvtapMode?) Macvtap(ObjectNode it, InterfaceType? type)
    {
        if (it["macvtap"] is not { } node)
        {
            if (type == InterfaceType.Macvtap)
            {
                diagnostics.Error(it.At, "type \"macvtap\" needs its lower device and mode: macvtap = { link = \"eth0\"; mode = \"bridge\"; }");
            }
            return default;
        }
        if (type is not null and not InterfaceType.Macvtap)
        {
            diagnostics.Error(node.At, $"'macvtap' goes with type macvtap, not with {type.ToString()!.ToLowerInvariant()}");
        }
        if (As<ObjectNode>(node, "macvtap") is not { } macvtap)
        {
            return default;
        }
        Known(macvtap, "microvm.interfaces.*.macvtap", ["link", "mode"]);
        var link = Required(macvtap, "link") is { } l ? Name(l, "macvtap.link") : null;
        MacvtapMode? mode = null;
        if (Required(macvtap, "mode") is { } m)
        {
            mode = Enum.GetValues<MacvtapMode>().Cast<MacvtapMode?>().FirstOrDefault(x => x.ToString()!.ToLowerInvariant() == m.Value);
            if (mode is null)
            {
                diagnostics.Error(m.At, $"'{Printable.Of(m.Value)}' is not a macvtap mode; choose private, vepa, bridge, passthru or source");
            }
        }
        return (link, mode);
    }

    private ForwardPort? Port(Node node)
    {
        if (As<ObjectNode>(node, "an entry of microvm.forwardPorts") is not { } it)
        {
            return null;
        }
        Known(it, "microvm.forwardPorts.*", ["from", "proto", "host", "guest"]);
        var from = OneOf(it, "from", "host", ["host", "guest"]);
        var proto = OneOf(it, "proto", "tcp", ["tcp", "udp"]);
        var (hostAddress, hostPort) = End(it, "host");
        var (guestAddress, guestPort) = End(it, "guest");
        return from is null || proto is null || hostPort is null || guestPort is null ? null
            : new(from, proto, hostAddress, hostPort.Value, guestAddress, guestPort.Value);
    }

    private (string, int?) End(ObjectNode it, string side)
    {
        if (it[side] is not { } node)
        {
            diagnostics.Error(it.At, $"this forward has no '{side}.port'");
            return ("", null);
        }
        if (As<ObjectNode>(node, side) is not { } end)
        {
            return ("", null);
        }
        Known(end, $"microvm.forwardPorts.*.{side}", ["address", "port"]);
        var address = Text(end, "address") ?? "";
        if (address.Length > 0 && (!System.Net.IPAddress.TryParse(address, out var ip) || ip.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork || ip.ToString() != address))
        {
            diagnostics.Error(end["address"]!.At, $"'{Printable.Of(address)}' is not an IPv4 address");
        }
        if (end["port"] is not { } port)
        {
            diagnostics.Error(end.At, $"'{side}.port' is missing");
            return (address, null);
        }
        return (address, Positive(end, "port", 0, 65535));
    }

    private string? OneOf(ObjectNode it, string name, string standard, string[] choices)
    {
        var text = Text(it, name) ?? standard;
        if (choices.Contains(text))
        {
            return text;
        }
        diagnostics.Error(it[name]!.At, $"'{Printable.Of(text)}' is not a choice for '{name}'; use {string.Join(" or ", choices)}");
        return null;
    }

    private InterfaceName? Name(StringNode node, string what)
    {
        if (InterfaceName.TryParse(node.Value, out var name, out var why))
        {
            return name;
        }
        diagnostics.Error(node.At, $"{what} '{Printable.Of(node.Value)}' can't be an interface name: {why}");
        return null;
    }

    private StringNode? Required(ObjectNode it, string name)
    {
        if (it[name] is { } node)
        {
            return As<StringNode>(node, name);
        }
        diagnostics.Error(it.At, $"'{name}' is missing");
        return null;
    }

    private string? Text(ObjectNode it, string name) => it[name] is { } node ? As<StringNode>(node, name)?.Value : null;

    private int Positive(ObjectNode it, string name, int standard, int most)
    {
        if (it[name] is not { } node || As<NumberNode>(node, name) is not { } number)
        {
            return standard;
        }
        if (number.Integer is { } n && n >= 1 && n <= most)
        {
            return (int)n;
        }
        diagnostics.Error(number.At, $"'{name}' must be a whole number from 1 to {most}");
        return standard;
    }

    private IEnumerable<Node> Items(ObjectNode it, string name) =>
        it[name] is { } node && As<ArrayNode>(node, name) is { } list ? list.Items : [];

    private T? As<T>(Node node, string what) where T : Node
    {
        if (node is T t)
        {
            return t;
        }
        var wanted = typeof(T) == typeof(ObjectNode) ? "an attribute set" : typeof(T) == typeof(ArrayNode) ? "a list"
            : typeof(T) == typeof(StringNode) ? "a string" : typeof(T) == typeof(NumberNode) ? "a number" : "true or false";
        diagnostics.Error(node.At, $"{what} must be {wanted}; this is {node.Kind}");
        return null;
    }

    private void Known(ObjectNode it, string where, string[] known)
    {
        foreach (var member in it.Members.Where(m => !known.Contains(m.Name)))
        {
            var near = Printable.Nearest(member.Name, known) is { } n ? $"; did you mean '{n}'?" : $"; it has {string.Join(", ", known)}";
            diagnostics.Error(member.At, $"'{where}' has no option '{Printable.Of(member.Name)}'{near}");
        }
    }
}
