namespace Microvm.Observation.Topology;

/// <summary>Parts of a picture that is too large to be read. Pure.</summary>
public static class TopologyPart
{
    /// <summary>As many interfaces of a bridge or lower device are drawn one by one.</summary>
    public const int Most = 20;

    /// <summary>What stands before and behind the nodes that are chosen, and these: the ways of their frames.</summary>
    public static TopologyGraph Around(this TopologyGraph graph, Func<TopologyNode, bool> chosen)
    {
        var kept = new HashSet<string>();
        foreach (var node in graph.Nodes.Where(chosen))
        {
            Follow(node, graph.Above, []);
            Follow(node, graph.Below, []);
        }
        return new([.. graph.Nodes.Where(n => kept.Contains(n.Key))], [.. graph.Edges.Where(e => kept.Contains(e.From) && kept.Contains(e.To))]);

        void Follow(TopologyNode node, Func<string, IEnumerable<TopologyNode>> next, HashSet<string> seen)
        {
            if (seen.Add(node.Key))
            {
                kept.Add(node.Key);
                foreach (var neighbour in next(node.Key))
                {
                    Follow(neighbour, next, seen);
                }
            }
        }
    }

    /// <summary>Of more than <see cref="Most"/> interfaces at one place those that are right, and whose VMs have no other, become one node. What is
    /// missing or drifted stays to be seen.</summary>
    public static TopologyGraph Folded(this TopologyGraph graph)
    {
        var (gone, added, joined) = (new HashSet<string>(), new List<TopologyNode>(), new List<(string, string)>());
        foreach (var place in graph.Nodes.Where(n => n.Kind is NodeKind.Bridge or NodeKind.Lower or NodeKind.Nic or NodeKind.Outside))
        {
            var alike = graph.Below(place.Key).Where(IsPlain).ToList();
            if (alike.Count <= Most)
            {
                continue;
            }
            var names = alike.Select(i => graph.Below(i.Key).Single().Label).Order(StringComparer.Ordinal).ToList();
            var (link, vms) = ($"folded:{place.Key}", $"folded-vms:{place.Key}");
            added.Add(new(link, alike[0].Kind, $"{alike.Count} interfaces", "each with --all", alike[0].State));
            added.Add(new(vms, NodeKind.Vm, $"{names.Count} VMs", $"{names[0]} to {names[^1]}"));
            joined.AddRange([(place.Key, link), (link, vms)]);
            gone.UnionWith(alike.Select(i => i.Key).Concat(alike.Select(i => graph.Below(i.Key).Single().Key)));
        }
        return gone.Count == 0 ? graph
            : new([.. graph.Nodes.Where(n => !gone.Contains(n.Key)), .. added], [.. graph.Edges.Where(e => !gone.Contains(e.From) && !gone.Contains(e.To)), .. joined]);

        bool IsPlain(TopologyNode node) => node.Kind is NodeKind.Tap or NodeKind.Macvtap or NodeKind.User && node.State is null or InterfaceState.Up or InterfaceState.Unlinked
            && graph.Below(node.Key).ToList() is [{ Kind: NodeKind.Vm } vm] && graph.Above(vm.Key).Count() == 1;
    }
}
