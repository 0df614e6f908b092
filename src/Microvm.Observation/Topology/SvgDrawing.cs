using System.Globalization;
using System.Security;
using System.Text;
using Microvm.Declaration;

namespace Microvm.Observation.Topology;

/// <summary>The graph as an SVG for a page: columns from the outside world at the left to the VMs at the right, in light or dark as the reader's system is.</summary>
public static class SvgDrawing
{
    private const double Letter = 7.9, SmallLetter = 6.1, BoxHeight = 46, RowGap = 16, ColumnGap = 70, WidestGap = 150, Margin = 24, CaptionHeight = 24;

    private const string Styles = """
        .page{fill:#ffffff}.box{stroke-width:1.5}.edge{fill:none;stroke:#8c959f;stroke-width:1.8}.name{fill:#1f2328;font:600 13px ui-monospace,monospace}.detail{fill:#57606a;font:10px ui-monospace,monospace}.head{fill:#57606a;font:600 11px system-ui,sans-serif}
        .nic,.lower,.outside{fill:#f6f8fa;stroke:#8c959f}.bridge{fill:#fbefff;stroke:#8250df}.tap,.macvtap,.user{fill:#dafbe1;stroke:#1a7f37}.vm{fill:#ddf4ff;stroke:#0969da}.drifted,.down{fill:#fff8c5;stroke:#9a6700}.missing,.foreign{fill:#ffebe9;stroke:#cf222e}
        @media (prefers-color-scheme:dark){.page{fill:#0d1117}.edge{stroke:#6e7681}.name{fill:#e6edf3}.detail,.head{fill:#9da7b3}.nic,.lower,.outside{fill:#161b22;stroke:#6e7681}.bridge{fill:#271a3f;stroke:#a371f7}.tap,.macvtap,.user{fill:#12261e;stroke:#3fb950}.vm{fill:#0c2d4f;stroke:#58a6ff}.drifted,.down{fill:#2e2a1f;stroke:#d29922}.missing,.foreign{fill:#331c1e;stroke:#f85149}}
        """;

    private sealed class Box(TopologyNode node)
    {
        internal TopologyNode Node { get; } = node;
        internal double X { get; set; }
        internal double Y { get; set; }
        internal double Width { get; set; }
        internal string Label { get; } = CellText.Cut(Printable.Of(node.Label), 48);
        internal string Detail { get; } = CellText.Cut(Printable.Of(node.Detail), 56);
        internal double Middle => Y + BoxHeight / 2;
    }

    /// <summary>The picture, whole: a title for those who hear it, its own colours, no font or file from elsewhere.</summary>
    /// <param name="title">Heard, not seen.</param>
    /// <param name="caption">Stands below the picture.</param>
    public static string Draw(TopologyGraph graph, string title, string caption)
    {
        var boxes = graph.Nodes.ToDictionary(n => n.Key, n => new Box(n));
        Place(graph, boxes);
        var width = boxes.Values.Select(b => b.X + b.Width).Append(240).Max() + Margin;
        var height = boxes.Values.Select(b => b.Y + BoxHeight).Append(80).Max() + Margin + CaptionHeight;
        var svg = new StringBuilder();
        svg.Append($$"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{{N(width)}}" height="{{N(height)}}" viewBox="0 0 {{N(width)}} {{N(height)}}" role="img" aria-labelledby="title">
            <title id="title">{{Text(title)}}</title>
            <style>
            {{Styles}}
            </style>
            <rect class="page" width="100%" height="100%" rx="8"/>

            """);
        foreach (var (from, to) in graph.Edges.Select(e => (boxes[e.From], boxes[e.To])))
        {
            double x1 = from.X + from.Width, x2 = to.X, bend = (x2 - x1) / 2;
            svg.Append($"<path class=\"edge\" d=\"M{N(x1)} {N(from.Middle)}C{N(x1 + bend)} {N(from.Middle)} {N(x2 - bend)} {N(to.Middle)} {N(x2)} {N(to.Middle)}\"/>\n");
        }
        foreach (var b in boxes.Values)
        {
            var look = b.Node.State is { } s and not (InterfaceState.Up or InterfaceState.Unlinked) ? s.ToString() : b.Node.Kind.ToString();
            svg.Append($"<rect class=\"box {look.ToLowerInvariant()}\" x=\"{N(b.X)}\" y=\"{N(b.Y)}\" width=\"{N(b.Width)}\" height=\"{N(BoxHeight)}\" rx=\"7\"/>\n");
            svg.Append($"<text class=\"name\" x=\"{N(b.X + 12)}\" y=\"{N(b.Y + 20)}\">{Text(b.Label)}</text>\n");
            svg.Append($"<text class=\"detail\" x=\"{N(b.X + 12)}\" y=\"{N(b.Y + 36)}\">{Text(b.Detail)}</text>\n");
        }
        if (boxes.Count == 0)
        {
            svg.Append($"<text class=\"head\" x=\"{N(Margin)}\" y=\"44\">no interface of a VM</text>\n");
        }
        svg.Append($"<text class=\"head\" x=\"{N(Margin)}\" y=\"{N(height - Margin)}\">{Text(caption)}</text>\n");
        return svg.Append("</svg>\n").ToString();
    }

    private static void Place(TopologyGraph graph, Dictionary<string, Box> boxes)
    {
        // Columns from the right: a VM, its interface, what that hangs on, and so on outwards, by the longest way.
        var depths = new Dictionary<string, int>();
        var most = boxes.Keys.Select(Depth).DefaultIfEmpty(0).Max();
        var columns = boxes.Values.ToLookup(b => most - depths[b.Node.Key]);
        var lines = graph.Edges.ToLookup(e => most - depths[e.From]);
        var x = Margin;
        for (var column = 0; column <= most; column++)
        {
            var here = columns[column].ToList();
            var width = here.Select(b => Math.Max(CellText.Width(b.Label) * Letter, CellText.Width(b.Detail) * SmallLetter) + 24).DefaultIfEmpty(0).Max();
            here.ForEach(b => (b.X, b.Width) = (x, width));
            // Many lines to the next column cross at a gentler slope where there is more room.
            x += width + Math.Clamp(lines[column].Count() * 6, ColumnGap, WidestGap);
        }
        // Interfaces stand in the order of what they hang on; everything else goes to the middle of its neighbours.
        var order = graph.Nodes.Index().ToDictionary(n => n.Item.Key, n => n.Index);
        int First(IEnumerable<TopologyNode> nodes) => nodes.Select(n => order[n.Key]).DefaultIfEmpty(0).Min();
        var links = columns[most - 1].Select(b => (Box: b, Parent: First(graph.Above(b.Node.Key)), Vm: First(graph.Below(b.Node.Key))));
        var y = Margin;
        int? last = null;
        foreach (var (b, parent, _) in links.OrderBy(l => l.Parent).ThenBy(l => l.Vm).ThenBy(l => order[l.Box.Node.Key]))
        {
            y += last is { } l && l != parent ? RowGap : 0;
            last = parent;
            b.Y = y;
            y += BoxHeight + RowGap;
        }
        Spread([.. columns[most]], b => graph.Above(b.Node.Key).Select(n => boxes[n.Key].Y));
        for (var column = most - 2; column >= 0; column--)
        {
            Spread([.. columns[column]], b => graph.Below(b.Node.Key).Select(n => boxes[n.Key].Y));
        }

        // A ring of devices, which the kernel forbids and a dump taken amid changes can show, ends where it meets itself.
        int Depth(string key)
        {
            if (!depths.TryGetValue(key, out var depth))
            {
                depths[key] = 0;
                depths[key] = depth = graph.Below(key).Select(n => 1 + Depth(n.Key)).DefaultIfEmpty(0).Max();
            }
            return depth;
        }
    }

    /// <summary>Puts each box of a column at the middle of its neighbours, and then apart.</summary>
    private static void Spread(List<Box> here, Func<Box, IEnumerable<double>> neighbours)
    {
        here.ForEach(b => b.Y = neighbours(b).DefaultIfEmpty(Margin).Average());
        var y = Margin;
        foreach (var b in here.OrderBy(b => b.Y).ToList())
        {
            b.Y = Math.Max(b.Y, y);
            y = b.Y + BoxHeight + RowGap;
        }
    }

    private static string Text(string text) => SecurityElement.Escape(Printable.Of(text)) ?? "";
    private static string N(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
