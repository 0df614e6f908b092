using System.Text.Json.Nodes;

namespace Microvm.Faults;

/// <summary>What the kernel and the file system say of the sandbox, as lines to compare, without what may differ between
/// two equal hosts (indexes, timers, random addresses).</summary>
internal static class HostState
{
    /// <summary>Numbers that the kernel hands out, timers, and what settles by itself after a change.</summary>
    private static readonly HashSet<string> s_volatile =
    [
        "ifindex", "link_index", "address", "broadcast", "permaddr", "operstate", "hello_timer", "tcn_timer", "topology_change_timer",
        "gc_timer", "root_id", "bridge_id", "root_port", "topology_change", "topology_change_detected", "message_age_timer", "forward_delay_timer", "hold_timer",
        "id", "no", "state", "designated_bridge", "designated_root", "designated_port", "designated_cost", "bridge_addr",
        // A bridge keeps what its last port had.
        "tso_max_size", "tso_max_segs",
        "index", "ref", "bind", "installed", "last_used", "first_used", "handle", "refcnt", "chain_id",
    ];
    private static readonly HashSet<string> s_settling = ["NO-CARRIER", "LOWER_UP", "M-DOWN", "LOWERLAYERDOWN"];

    /// <summary>Links, qdiscs, filters, forwarding entries, addresses, routes, neighbours, rules and every file under /run, sorted.</summary>
    internal static string Read()
    {
        var lines = new List<string>();
        var links = JsonNode.Parse(Shell.Must("ip", "-d", "-j", "link", "show"))!.AsArray();
        foreach (var link in links)
        {
            var name = link!["ifname"]!.GetValue<string>();
            // A link that is not ours must stay the very same one.
            var identity = name.StartsWith("foreign", StringComparison.Ordinal) ? $" index {link["ifindex"]} address {link["address"]}" : "";
            identity += link["linkinfo"]?["info_kind"]?.GetValue<string>() is "macvtap" or "macvlan" ? $" address {link["address"]}" : "";
            lines.Add($"link {name}{identity}");
            lines.AddRange(Leaves($"link {name}", link));
        }
        var nodes = links.Select(l => (Name: l!["ifname"]!.GetValue<string>(), Index: l["ifindex"]!.GetValue<int>()));
        lines.AddRange(nodes.Where(n => Directory.Exists($"/sys/class/net/{n.Name}/tap{n.Index}")).Select(n => $"node {n.Name} {Node($"/dev/tap{n.Index}")}"));
        var qdiscs = JsonNode.Parse(Shell.Must("tc", "-j", "qdisc", "show"))!.AsArray();
        foreach (var qdisc in qdiscs)
        {
            var device = qdisc!["dev"]!.GetValue<string>();
            lines.AddRange(Leaves($"qdisc {device} {qdisc["kind"]} {qdisc["parent"]}", qdisc));
            if (qdisc["kind"]!.GetValue<string>() is "clsact" or "ingress")
            {
                foreach (var side in (string[])["ingress", "egress"])
                {
                    lines.AddRange(JsonNode.Parse(Shell.Must("tc", "-j", "filter", "show", "dev", device, side))!.AsArray().SelectMany((f, n) => Leaves($"filter {device} {side} {n}", f)));
                }
            }
        }
        // Those of the links themselves follow from what they are; those that were added are the bridge's.
        lines.AddRange(Shell.Must("bridge", "fdb", "show").Split('\n').Where(l => l.Contains(" static", StringComparison.Ordinal)).Select(l => $"entry {l.Trim()}"));
        lines.AddRange(Shell.Must("nft", "list", "ruleset").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select((l, n) => $"rule {n} {l.Trim()}"));
        // Addresses of the link alone, and their routes, the kernel makes itself.
        lines.AddRange(Words("-o", "addr", "show", "scope", "global").Select(w => $"address {string.Join(' ', w[1..4])}"));
        lines.AddRange(Words("route", "show").Concat(Words("-6", "route", "show")).Where(w => !w[0].StartsWith("fe80:", StringComparison.Ordinal)).Select(w => $"route {string.Join(' ', w)}"));
        lines.AddRange(Words("neighbour", "show", "nud", "permanent").Select(w => $"neighbour {string.Join(' ', w)}"));
        lines.AddRange(Files("/run"));
        lines.Sort(StringComparer.Ordinal);
        return string.Join('\n', lines);
    }

    /// <summary>What one state has and the other has not.</summary>
    internal static string Difference(string expected, string found) => string.Join('\n',
        expected.Split('\n').Except(found.Split('\n')).Select(l => $"    lacks {l}").Concat(found.Split('\n').Except(expected.Split('\n')).Select(l => $"    has   {l}")));

    /// <summary>The words of each line that ip prints, without those that tell of a carrier.</summary>
    private static IEnumerable<string[]> Words(params string[] arguments) => Shell.Must("ip", arguments).Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries).Except(["linkdown", "dead"]).ToArray());

    private static string Node(string path)
    {
        var stat = Shell.Run("stat", "-c", "%F %U:%G %a", path);
        return stat.Code == 0 ? stat.Out.Trim() : "missing";
    }

    /// <summary>All that lies in the runtime directory, with owner and mode; an unlocked lock file is allowed to stay.</summary>
    private static IEnumerable<string> Files(string root) =>
        Shell.Must("find", root, "-mindepth", "1", "-printf", "file %p %y %U:%G %m\\n").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(l => !l.Contains("lock", StringComparison.Ordinal) && !l.StartsWith("file /run/microvm d", StringComparison.Ordinal));

    /// <summary>One line for each value, so that a difference names what differs.</summary>
    private static IEnumerable<string> Leaves(string path, JsonNode? node) => node switch
    {
        JsonObject o => o.Where(p => !s_volatile.Contains(p.Key)).SelectMany(p => Leaves($"{path}.{p.Key}", p.Value)),
        JsonArray a => a.SelectMany(i => i is JsonValue v && v.TryGetValue<string>(out var s) ? s_settling.Contains(s) ? [] : [$"{path} {s}"] : Leaves(path, i)),
        _ => [$"{path}={node}"],
    };
}
