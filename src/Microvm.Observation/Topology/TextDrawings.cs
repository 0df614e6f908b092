using System.Text;
using Microvm.Declaration;

namespace Microvm.Observation.Topology;

/// <summary>The graph for Graphviz and for Mermaid.</summary>
public static class TextDrawings
{
    /// <summary>Graphviz (dot -Tsvg).</summary>
    public static string Dot(TopologyGraph graph)
    {
        var dot = new StringBuilder("graph microvm {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fillcolor=\"#f6f8fa\"];\n");
        var names = Names(graph);
        foreach (var node in graph.Nodes)
        {
            var (fill, line) = Palette.Light(node);
            dot.Append($"  {names[node.Key]} [label=\"{Quote(node.Label)}\\n{Quote(node.Detail)}\", fillcolor=\"{fill}\", color=\"{line}\"];\n");
        }
        foreach (var (from, to) in graph.Edges)
        {
            dot.Append($"  {names[from]} -- {names[to]};\n");
        }
        return dot.Append("}\n").ToString();

        static string Quote(string text) => Printable.Of(text).Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
    }

    /// <summary>A Mermaid flowchart, as GitHub and GitLab draw it in a ```mermaid block.</summary>
    public static string Mermaid(TopologyGraph graph)
    {
        var text = new StringBuilder("flowchart LR\n");
        var names = Names(graph);
        foreach (var node in graph.Nodes)
        {
            text.Append($"  {names[node.Key]}[\"{Escape(node.Label)}<br/><small>{Escape(node.Detail)}</small>\"]:::{node.Kind.ToString().ToLowerInvariant()}\n");
        }
        foreach (var (from, to) in graph.Edges)
        {
            text.Append($"  {names[from]} --- {names[to]}\n");
        }
        foreach (var kind in graph.Nodes.GroupBy(n => n.Kind))
        {
            var (fill, line) = Palette.Light(kind.First() with { State = null });
            text.Append($"  classDef {kind.Key.ToString().ToLowerInvariant()} fill:{fill},stroke:{line},color:#1f2328\n");
        }
        return text.ToString();

        // Mermaid reads #NUMBER; as that character, whatever else it would mean.
        static string Escape(string text) => string.Concat(Printable.Of(text).EnumerateRunes().Select(r =>
            r.IsAscii && !char.IsLetterOrDigit((char)r.Value) && r.Value is not (' ' or '-' or '.' or ',' or ':' or '_') ? $"#{r.Value};" : r.ToString()));
    }

    private static Dictionary<string, string> Names(TopologyGraph graph) => graph.Nodes.Index().ToDictionary(n => n.Item.Key, n => $"n{n.Index}");
}

/// <summary>Fill and line of each kind, on a light ground.</summary>
internal static class Palette
{
    internal static (string Fill, string Line) Light(TopologyNode node) => node.State is InterfaceState.Drifted or InterfaceState.Down ? ("#fff8c5", "#9a6700")
        : node.State is InterfaceState.Missing or InterfaceState.Foreign ? ("#ffebe9", "#cf222e")
        : node.Kind switch
        {
            NodeKind.Vm => ("#ddf4ff", "#0969da"),
            NodeKind.Bridge => ("#fbefff", "#8250df"),
            NodeKind.Tap or NodeKind.Macvtap or NodeKind.User => ("#dafbe1", "#1a7f37"),
            _ => ("#eaeef2", "#57606a"),
        };
}
