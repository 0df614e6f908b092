using System.CommandLine;
using Microvm.Cli.Explain;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Observation;

namespace Microvm.Cli.Commands;

internal static class ExplainCommand
{
    private static readonly Argument<string[]> s_what = What();

    internal static Command Create() => Verb.Define(new DocumentedCommand("explain", "Explain an interface type, a hypervisor, or what a declaration will do",
        ["microvm explain macvtap", "microvm explain firecracker", "microvm explain vm.nix"])
    { Details = ["For a type: what it is, when to use it, and which hypervisors accept it. For a hypervisor: which types it accepts, and how. For a file: what will happen on the host, which way the bytes take, and what is broken on that way on this host now. Without an argument: a table of all types and hypervisors."] }, Run, s_what, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static Argument<string[]> What()
    {
        var argument = new Argument<string[]>("WHAT") { HelpName = "TYPE|HYPERVISOR|FILE", Description = "user, tap, macvtap, bridge; a hypervisor; or a declaration", Arity = ArgumentArity.ZeroOrMore };
        argument.CompletionSources.Add([.. Words.Types, .. DeclarationReader.Hypervisors]);
        return argument;
    }

    private static int Run(ParseResult result)
    {
        var what = result.GetValue(s_what) ?? [];
        if (what.Length == 0)
        {
            Matrix();
            return 0;
        }
        var code = 0;
        foreach (var (n, one) in what.Index())
        {
            if (n > 0)
            {
                Console.WriteLine();
            }
            if (Words.Types.Contains(one))
            {
                Print(Words.OfType(Enum.Parse<InterfaceType>(one, true)));
            }
            else if (HypervisorTable.Find(one) is { } hypervisor)
            {
                Print(Words.OfHypervisor(hypervisor));
            }
            else if (NamedVm.File(result, one) is var named && named != one)
            {
                code = Math.Max(code, ExplainFile(result, named));
            }
            else if (one != "-" && !File.Exists(one) && !Directory.Exists(one))
            {
                var near = Printable.Nearest(one, [.. Words.Types, .. DeclarationReader.Hypervisors]);
                throw new UsageException($"'{Printable.Of(one)}' is no type, no hypervisor, no file and no VM of this host{(near is null ? "" : $"; did you mean '{near}'?")}");
            }
            else
            {
                code = Math.Max(code, ExplainFile(result, one));
            }
        }
        return code;
    }

    private static int ExplainFile(ParseResult result, string file)
    {
        var diagnostics = new DiagnosticBag();
        var vms = Declarations.Read([file], Console.In, diagnostics);
        DiagnosticOutput.Print(diagnostics.All, Terminal.Errors, Console.Error);
        if (diagnostics.HasErrors)
        {
            return 2;
        }
        var attached = vms.Select(v => (Vm: v, Attachments: HypervisorTable.Attach(v, out var refusal), Refusal: refusal)).ToList();
        var (seen, links) = Look(result, vms, [.. attached.SelectMany(a => a.Attachments)]);
        var ofVm = seen.ToLookup(i => i.Vm);
        foreach (var (vm, attachments, refusal) in attached)
        {
            Print(Words.OfVm(vm, attachments, refusal, [.. ofVm[vm.Name]], links), marks: true);
        }
        return 0;
    }

    /// <summary>The interfaces as they are on this host; none where it can't be looked at, as on macOS.</summary>
    private static (IReadOnlyList<InterfaceStatus> Seen, IReadOnlyList<Link> Links) Look(ParseResult result, IReadOnlyList<MicrovmConfig> vms, IReadOnlyList<Attachment> attachments)
    {
        try
        {
            using var survey = Survey.Of(result, vms, attachments);
            return (survey.Take(), survey.Links);
        }
        catch (LinuxException e)
        {
            Console.Error.WriteLine($"microvm: the interfaces can't be looked at: {e.Message}");
            return ([], []);
        }
    }

    private static void Matrix()
    {
        var table = new Table([new Column("HYPERVISOR", 9), .. Words.Types.Select(t => new Column(t.ToUpperInvariant(), 1, 8))]);
        foreach (var h in HypervisorTable.All)
        {
            table.Add([new Cell(h.Name), .. Enum.GetValues<InterfaceType>().Select(t => new Cell(h.Accepts(t) is [var first, ..] ? first.Text() : "-"))]);
        }
        table.Print(Terminal.Output, Console.Out);
    }

    /// <param name="marks">What stands in square brackets is broken.</param>
    private static void Print(IEnumerable<string> lines, bool marks = false)
    {
        var width = Math.Clamp(Terminal.Output.Width ?? 100, 40, 100);
        foreach (var line in lines)
        {
            var inside = false;
            var indent = line.Length - line.TrimStart(' ').Length;
            foreach (var (n, part) in Reference.HelpScreen.Wrap(line.Trim(), width - indent - 4).Index())
            {
                Console.WriteLine($"{new string(' ', indent + (n > 0 ? 4 : 0))}{(marks ? Marked(part, ref inside) : part)}");
            }
        }
    }

    /// <summary>Paints what stands in square brackets, which may begin in one line and end in another.</summary>
    private static string Marked(string text, ref bool inside)
    {
        var result = new System.Text.StringBuilder();
        for (var at = 0; at < text.Length;)
        {
            var bracket = text.IndexOf(inside ? ']' : '[', at);
            var end = bracket < 0 ? text.Length : inside ? bracket + 1 : bracket;
            result.Append(inside ? Terminal.Output.Paint(Style.BoldRed, text[at..end]) : text[at..end]);
            inside ^= bracket >= 0;
            at = end;
        }
        return result.ToString();
    }
}
