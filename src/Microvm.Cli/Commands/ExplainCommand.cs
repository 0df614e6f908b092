using System.CommandLine;
using Microvm.Cli.Explain;
using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Cli.Commands;

internal static class ExplainCommand
{
    private static readonly Argument<string[]> s_what = What();

    internal static Command Create() => Verb.Define(new DocumentedCommand("explain", "Explain an interface type, a hypervisor, or what a declaration will do",
        ["microvm explain macvtap", "microvm explain firecracker", "microvm explain vm.nix"])
    { Details = ["For a type: what it is, when to use it, and which hypervisors accept it. For a hypervisor: which types it accepts, and how. For a file: what will happen on the host, and which way the bytes take. Without an argument: a table of all types and hypervisors."] }, Run, s_what);

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
                code = Math.Max(code, ExplainFile(named));
            }
            else if (one != "-" && !File.Exists(one) && !Directory.Exists(one))
            {
                var near = Printable.Nearest(one, [.. Words.Types, .. DeclarationReader.Hypervisors]);
                throw new UsageException($"'{Printable.Of(one)}' is no type, no hypervisor, no file and no VM of this host{(near is null ? "" : $"; did you mean '{near}'?")}");
            }
            else
            {
                code = Math.Max(code, ExplainFile(one));
            }
        }
        return code;
    }

    private static int ExplainFile(string file)
    {
        var diagnostics = new DiagnosticBag();
        var vms = Declarations.Read([file], Console.In, diagnostics);
        DiagnosticOutput.Print(diagnostics.All, Terminal.Errors, Console.Error);
        if (diagnostics.HasErrors)
        {
            return 2;
        }
        foreach (var vm in vms)
        {
            var attachments = HypervisorTable.Attach(vm, out var refusal);
            Print(Words.OfVm(vm, attachments, refusal));
        }
        return 0;
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

    private static void Print(IEnumerable<string> lines)
    {
        var width = Math.Clamp(Terminal.Output.Width ?? 100, 40, 100);
        foreach (var line in lines)
        {
            var indent = line.Length - line.TrimStart(' ').Length;
            foreach (var (n, part) in Reference.HelpScreen.Wrap(line.Trim(), width - indent - 4).Index())
            {
                Console.WriteLine($"{new string(' ', indent + (n > 0 ? 4 : 0))}{part}");
            }
        }
    }
}
