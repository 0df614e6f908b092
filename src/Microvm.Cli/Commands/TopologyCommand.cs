using System.CommandLine;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Observation;
using Microvm.Observation.Topology;

namespace Microvm.Cli.Commands;

internal static class TopologyCommand
{
    private static readonly Option<bool> s_host = new("--host") { Description = "Draw what exists on this host (the default without FILE)" };
    private static readonly Option<bool> s_dot = new("--dot") { Description = "For Graphviz" };
    private static readonly Option<bool> s_mermaid = new("--mermaid") { Description = "As a Mermaid flowchart" };
    private static readonly Option<bool> s_svg = new("--svg") { Description = "As an image for a web page, light or dark like the reader's system" };
    private static readonly Option<string[]> s_vm = new("--vm") { Description = "Only this VM and what its frames pass; may be repeated", HelpName = "NAME", DefaultValueFactory = _ => [] };
    private static readonly Option<string[]> s_bridge = new("--bridge") { Description = "Only what is at this bridge or lower device; may be repeated", HelpName = "NAME", DefaultValueFactory = _ => [] };
    private static readonly Option<bool> s_all = new("--all") { Description = $"Draw each interface, also where more than {TopologyPart.Most} at one bridge are as declared" };
    private static readonly Option<string?> s_output = new("--output", "-o") { Description = "Write to this file, completely or not at all", HelpName = "FILE" };

    internal static Command Create() => Verb.Define("topology", "Draw how NICs, bridges, lower devices, taps, macvtaps and VMs are connected",
        ["microvm topology", "microvm topology vm.nix", "microvm topology --svg -o network.svg a.nix b.nix", "microvm topology --bridge br0 --all", "microvm topology --mermaid"], Run,
        CommonOptions.MaybeFiles, s_host, s_vm, s_bridge, s_all, s_dot, s_mermaid, s_svg, s_output, VmHost.State, CommonOptions.User, CommonOptions.Group, CommonOptions.Netns);

    private static int Run(ParseResult result)
    {
        var declared = result.GetValue(CommonOptions.MaybeFiles) is { Length: > 0 };
        if (declared && result.GetValue(s_host))
        {
            throw new UsageException("--host draws what is on this host, so it takes no declaration");
        }
        if (new[] { s_dot, s_mermaid, s_svg }.Count(result.GetValue) > 1)
        {
            throw new UsageException("--dot, --mermaid and --svg exclude each other");
        }
        if (HostSession.Read(result, CommonOptions.MaybeFiles) is not { } vms || HostSession.Attach(vms) is not { } attachments)
        {
            return 2;
        }
        using var survey = declared ? Survey.Of(result, vms, attachments) : Survey.OfHost(result);
        var seen = survey.Take();
        // Of what is not brought up at all, the declaration alone is drawn.
        var isUp = seen.Any(i => i.Link is not null);
        var whole = declared ? TopologyGraph.Of(vms, attachments, isUp ? seen : null, isUp ? survey.Links : null) : TopologyGraph.Of(seen, survey.Links);
        var vm = result.GetValue(s_vm)!;
        // One that is asked for by name may be of a crowd.
        var graph = Part(vm.Length > 0 || result.GetValue(s_all) ? whole : whole.Folded(), vm, result.GetValue(s_bridge)!);
        var output = result.GetValue(s_output);
        var text = result.GetValue(s_dot) ? TextDrawings.Dot(graph)
            : result.GetValue(s_mermaid) ? TextDrawings.Mermaid(graph)
            : result.GetValue(s_svg) ? SvgDrawing.Draw(graph, $"Network of {(declared ? string.Join(", ", vms.Select(v => v.Name)) : Environment.MachineName)}", Caption(seen, declared && !isUp))
            : Tree(graph, output is null ? Terminal.Output : null);
        if (output is not null)
        {
            Save(output, text);
        }
        else
        {
            Console.Write(text);
        }
        return 0;
    }

    private static TopologyGraph Part(TopologyGraph whole, string[] vms, string[] bridges)
    {
        bool IsVm(TopologyNode node) => node.Kind == NodeKind.Vm && vms.Contains(node.Label);
        bool IsPlace(TopologyNode node) => node.Kind is NodeKind.Bridge or NodeKind.Lower or NodeKind.Nic && bridges.Contains(node.Label);
        if (vms.Length + bridges.Length == 0)
        {
            return whole;
        }
        if (vms.FirstOrDefault(v => whole.Nodes.All(n => n.Kind != NodeKind.Vm || n.Label != v)) is { } vm)
        {
            throw new UsageException($"there is no VM '{Printable.Of(vm)}' in the picture; 'microvm topology' without --vm shows all");
        }
        return bridges.FirstOrDefault(b => whole.Nodes.All(n => n.Kind is not (NodeKind.Bridge or NodeKind.Lower or NodeKind.Nic) || n.Label != b)) is { } place
            ? throw new UsageException($"no VM is at a bridge or lower device '{Printable.Of(place)}'; 'microvm topology' without --bridge shows all")
            : whole.Around(n => IsVm(n) || IsPlace(n));
    }

    /// <summary>Whole or not at all; into what is no file (a pipe, /dev/stdout) as it comes.</summary>
    private static void Save(string path, string text)
    {
        try
        {
            if (FileStatus.OfTarget(path) is { IsRegular: false } special)
            {
                using var stream = NamedFile.Open(special.IsDirectory ? throw new IOException("it is a directory") : path);
                stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
                return;
            }
            using (Caller.Act())
            {
                AtomicFile.Write(path, text);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The exception's own words name a file beside it.
            throw new IOException($"can't write '{path}': {(e is DirectoryNotFoundException ? "its directory is not there" : e is UnauthorizedAccessException ? "permission denied" : e.Message)}");
        }
    }

    /// <summary>What is drawn, and what of it is not as it should be.</summary>
    private static string Caption(IReadOnlyList<InterfaceStatus> seen, bool asDeclared)
    {
        var vms = seen.Select(i => i.Vm).Distinct().Count();
        var wrong = asDeclared ? [] : seen.Where(i => i.State is not (InterfaceState.Up or InterfaceState.Unlinked)).GroupBy(i => i.State).OrderBy(g => g.Key).Select(g => $"{g.Count()} {g.Key.Word()}");
        var otherwise = asDeclared ? 0 : seen.Count(i => i is { State: InterfaceState.Up, IsRight: false });
        return string.Join(", ", [$"{vms} VM{(vms == 1 ? "" : "s")}", $"{seen.Count} interface{(seen.Count == 1 ? "" : "s")}", .. wrong, .. otherwise > 0 ? [$"{otherwise} up and not right"] : Array.Empty<string>()]) + (asDeclared ? ", as declared" : "");
    }

    /// <summary>A tree from the outside in; a VM with several interfaces stands at each.</summary>
    private static string Tree(TopologyGraph graph, Terminal? terminal)
    {
        var lines = new List<string>();
        var unicode = terminal?.Unicode ?? true;
        foreach (var root in graph.Roots)
        {
            Walk(root, "", "");
        }
        return lines.Count == 0 ? "no interface of a VM\n" : string.Join('\n', lines) + "\n";

        void Walk(TopologyNode node, string first, string rest)
        {
            var label = Printable.Of(node.Label);
            var width = terminal?.Width ?? int.MaxValue;
            var room = Math.Max(0, width - first.Length);
            var shown = CellText.Cut(label, room);
            var detail = CellText.Cut($" ({Printable.Of(node.Detail)})", Math.Max(0, room - CellText.Width(shown)));
            var style = node.State is { } s ? Look.Style(s) : node.Kind switch { NodeKind.Vm => Style.Bold, NodeKind.Bridge => Style.Magenta, NodeKind.Tap or NodeKind.Macvtap or NodeKind.User => Style.Green, _ => Style.Cyan };
            lines.Add(first + (terminal?.Paint(style, shown) ?? shown) + (terminal?.Paint(Style.Dim, detail) ?? detail));
            var below = graph.Below(node.Key).ToList();
            foreach (var (i, child) in below.Index())
            {
                var last = i == below.Count - 1;
                Walk(child, rest + (unicode ? last ? "└─ " : "├─ " : last ? "`- " : "|- "), rest + (last ? "   " : unicode ? "│  " : "|  "));
            }
        }
    }
}
