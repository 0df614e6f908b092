using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Observation.Topology;

/// <summary>What a node of the picture stands for.</summary>
public enum NodeKind { Nic, Bridge, Lower, Outside, Tap, Macvtap, User, Vm }

/// <summary>A box of the picture.</summary>
/// <param name="Key">Unique in the graph; never shown.</param>
/// <param name="State">How an interface stands, where the host was looked at.</param>
public sealed record TopologyNode(string Key, NodeKind Kind, string Label, string Detail, InterfaceState? State = null);

/// <summary>Who is joined to whom: edges go from the outside world towards the VMs.</summary>
public sealed class TopologyGraph
{
    private readonly Dictionary<string, TopologyNode> _byKey;
    private readonly ILookup<string, string> _below, _above;

    public TopologyGraph(IReadOnlyList<TopologyNode> nodes, IReadOnlyList<(string From, string To)> edges)
    {
        (Nodes, Edges) = (nodes, edges);
        _byKey = nodes.ToDictionary(n => n.Key);
        _below = edges.ToLookup(e => e.From, e => e.To);
        _above = edges.ToLookup(e => e.To, e => e.From);
    }

    public IReadOnlyList<TopologyNode> Nodes { get; }
    public IReadOnlyList<(string From, string To)> Edges { get; }
    public TopologyNode this[string key] => _byKey[key];

    /// <summary>The neighbours of a node on the side of the VMs, in the order in which they were joined.</summary>
    public IEnumerable<TopologyNode> Below(string key) => _below[key].Select(k => _byKey[k]);

    /// <summary>The neighbours of a node on the side of the outside world.</summary>
    public IEnumerable<TopologyNode> Above(string key) => _above[key].Select(k => _byKey[k]);

    /// <summary>The nodes that nothing stands before.</summary>
    public IEnumerable<TopologyNode> Roots => Nodes.Where(n => !_above[n.Key].Any());

    /// <summary>What declarations ask for. Pure.</summary>
    /// <param name="seen">How their interfaces stand on the host; null where that is not to be drawn.</param>
    /// <param name="links">The host's links, where it was looked at.</param>
    public static TopologyGraph Of(IReadOnlyList<MicrovmConfig> vms, IReadOnlyList<Attachment> attachments, IReadOnlyList<InterfaceStatus>? seen = null, IReadOnlyList<Link>? links = null)
    {
        var graph = new Builder();
        var states = (seen ?? []).DistinctBy(i => (i.Vm, i.Id)).ToDictionary(i => (i.Vm, i.Id));
        foreach (var a in attachments)
        {
            var i = a.Interface;
            var parent = i.Type switch
            {
                InterfaceType.Macvtap => Place(i.MacvtapLink!.Value.Value, NodeKind.Lower, "lower device"),
                InterfaceType.User => graph.Add(new("outside:user", NodeKind.Outside, "this host's sockets", "user-mode networking")),
                _ when i.Bridge is { } bridge => Place(bridge.Value, NodeKind.Bridge, "bridge"),
                _ => graph.Add(new("outside:host", NodeKind.Outside, "this host", "routed, or joined by you")),
            };
            var kind = i.Type switch { InterfaceType.Macvtap => NodeKind.Macvtap, InterfaceType.User => NodeKind.User, _ => NodeKind.Tap };
            var joined = a.Kind == AttachmentKind.TapRedirect ? " by a tap" : "";
            var queues = a.QueuePairs > 1 ? $", {a.QueuePairs} queues" : "";
            var now = states.GetValueOrDefault((a.Vm, i.Id.Value));
            var wrong = now?.Fault is { } words ? $", {words}" : "";
            var link = graph.Add(new($"if:{a.Vm}/{i.Id}", kind, $"{i.Id}", $"{i.Type.Word()}{joined}{queues}, {i.Mac}{wrong}", Drawn(now)));
            graph.Join(parent, link);
        }
        var ofVm = attachments.ToLookup(a => a.Vm);
        foreach (var vm in vms)
        {
            var node = graph.Add(new($"vm:{vm.Name}", NodeKind.Vm, vm.Name, $"{vm.Hypervisor}, {vm.Vcpu} vCPU, {vm.MemoryMiB} MiB"));
            foreach (var a in ofVm[vm.Name])
            {
                graph.Join($"if:{a.Vm}/{a.Interface.Id}", node);
            }
        }
        return graph.Graph;

        // Looked for once, however many interfaces are on it.
        string Place(string name, NodeKind kind, string what)
        {
            var key = $"link:{name}";
            if (links is null || graph.Has(key))
            {
                return graph.Add(new(key, kind, name, what));
            }
            var link = links.FirstOrDefault(l => l.IsNamed(name));
            var fault = link is null ? InterfaceState.Missing.Word() : Passage.Fault(link);
            return graph.Add(new(key, kind, name, fault is null ? what : $"{what}, {fault}", fault is null ? null : link is null ? InterfaceState.Missing : InterfaceState.Down));
        }
    }

    private static InterfaceState? Drawn(InterfaceStatus? i) => i is { State: InterfaceState.Up, Guest: not null } ? InterfaceState.Drifted : i?.State;

    /// <summary>What is there: our interfaces, and every link that they hang on. Pure.</summary>
    public static TopologyGraph Of(IReadOnlyList<InterfaceStatus> interfaces, IReadOnlyList<Link> links)
    {
        var graph = new Builder();
        var host = new HostLinks(links, []);
        foreach (var i in interfaces.Where(i => i.Link is not null))
        {
            var joined = i.Partner is { } partner ? $", joined to {partner.Name}" : "";
            var link = graph.Add(new($"link:{i.Link!.Index}", i.Type == "macvtap" || i.Link.Kind == "macvlan" ? NodeKind.Macvtap : NodeKind.Tap, i.Link.Name, $"{i.Type}{joined}, {i.Fault ?? i.State.Word()}", Drawn(i)));
            var parent = host.OfIndex(i.Link.Master ?? (i.Lower is null ? null : (i.Partner ?? i.Link).Lower));
            graph.Join(parent is null ? graph.Add(new("outside:host", NodeKind.Outside, "this host", "routed, or joined by you")) : Upstream(graph, parent, host), link);
            var holder = i.Holders.Count > 0 ? $"{i.Holders[0].Name}, pid {i.Holders[0].Pid}" : "not running";
            graph.Join(link, graph.Add(new($"vm:{i.Vm}", NodeKind.Vm, i.Vm, holder)));
        }
        foreach (var i in interfaces.Where(i => i is { Link: null, State: InterfaceState.Missing }))
        {
            graph.Join(graph.Add(new($"if:{i.Vm}/{i.Id}", i.Type == "macvtap" ? NodeKind.Macvtap : NodeKind.Tap, i.Id, $"{i.Type}, {i.State.Word()}", i.State)), graph.Add(new($"vm:{i.Vm}", NodeKind.Vm, i.Vm, "not running")));
        }
        return graph.Graph;
    }

    /// <summary>A link, and what carries it: a bridge's other ports, the device under a VLAN or a bond.</summary>
    private static string Upstream(Builder graph, Link link, HostLinks host)
    {
        // Its index is the link: two may have one name in one dump.
        var key = $"link:{link.Index}";
        if (graph.Has(key))
        {
            return key;
        }
        var isBridge = link.Kind == "bridge";
        var fault = Passage.Fault(link);
        graph.Add(new(key, isBridge ? NodeKind.Bridge : NodeKind.Nic, link.Name, $"{link.Kind ?? "NIC"}, {fault ?? "up"}", fault is null ? null : InterfaceState.Down));
        var lower = link.Kind is not (null or "veth") && !isBridge ? host.OfIndex(link.Lower) : null;
        var carriers = host.PortsOf(link).Where(l => l.Kind is not ("tun" or "macvtap" or "macvlan")).Concat(lower is null ? [] : [lower]);
        foreach (var carrier in carriers.Where(c => c.Index != link.Index))
        {
            graph.Join(Upstream(graph, carrier, host), key);
        }
        return key;
    }

    private sealed class Builder
    {
        private readonly List<TopologyNode> _nodes = [];
        private readonly List<(string, string)> _edges = [];
        private readonly HashSet<string> _keys = [];
        private readonly HashSet<(string, string)> _joined = [];
        internal TopologyGraph Graph => new(_nodes, _edges);
        internal bool Has(string key) => _keys.Contains(key);

        internal string Add(TopologyNode node)
        {
            if (_keys.Add(node.Key))
            {
                _nodes.Add(node);
            }
            return node.Key;
        }

        internal void Join(string from, string to)
        {
            if (_joined.Add((from, to)))
            {
                _edges.Add((from, to));
            }
        }
    }
}
