using System.CommandLine;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Host.Run;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network.Reach;

namespace Microvm.Cli.Commands;

internal static class CheckCommand
{
    private static readonly Option<string[]> s_assert = new("--assert") { Description = "Also hold them to this: who reaches whom, or must not", HelpName = "ASSERTION", DefaultValueFactory = _ => [] };

    internal static Command Create() => Verb.Define("check", "Check declarations and print every finding as file:line:column",
        ["microvm check vm.nix", "microvm check --json a.nix b.json", "microvm check --assert 'web !-> db' web.nix db.nix"], Run, CommonOptions.Files, s_assert, CommonOptions.Json);

    private static int Run(ParseResult result)
    {
        var diagnostics = new DiagnosticBag();
        var survey = Declarations.Survey([.. result.GetValue(CommonOptions.Files)!.Select(f => NamedVm.File(result, f))], Console.In, diagnostics);
        var vms = survey.Vms;
        if (!diagnostics.HasErrors)
        {
            HoldToReach(result, vms, diagnostics);
        }
        LookAtHelpers(vms, diagnostics);
        LookAtFiles(vms, diagnostics);
        NoteWithoutEffect(survey.Nodes, diagnostics);
        if (result.GetValue(CommonOptions.Json))
        {
            var report = new CheckReport(!diagnostics.HasErrors, [.. vms.Select(v => v.Name)], survey.NotLookedAt,
                [.. diagnostics.All.Select(d => new DiagnosticReport(d.Severity == Severity.Error ? "error" : "warning", d.At.File, d.At.Line, d.At.Column, d.Message))], PlanOutput.ProgramReports(vms));
            Console.WriteLine(JsonSerializer.Serialize(report, Reports.Default.CheckReport));
        }
        else
        {
            DiagnosticOutput.Print(diagnostics.All, Terminal.Output, Console.Out);
            if (!diagnostics.HasErrors)
            {
                var interfaces = vms.Sum(v => v.Interfaces.Count);
                var missed = survey.NotLookedAt.Count;
                var verdict = missed > 0 ? Terminal.Output.Paint(Style.Yellow, $"{missed} more {(missed == 1 ? "was" : "were")} not looked at")
                    : vms.Count == 0 ? "this host declares no VMs" : Terminal.Output.Paint(Style.Green, "all right");
                Console.WriteLine($"{vms.Count} VM{(vms.Count == 1 ? "" : "s")}, {interfaces} interface{(interfaces == 1 ? "" : "s")}: {verdict}");
                PlanOutput.PrintPrograms(vms);
            }
        }
        return diagnostics.HasErrors ? 2 : 0;
    }

    private static void HoldToReach(ParseResult result, IReadOnlyList<MicrovmConfig> vms, DiagnosticBag diagnostics)
    {
        var here = new SourcePosition("--assert", 0, 0);
        ReachCheck.Check(vms, [.. result.GetValue(s_assert)!.Select(a => ReachAssertion.Read(a, here, diagnostics)).OfType<ReachAssertion>()], diagnostics);
    }

    /// <summary>Warns of files that this host does not have. What is to be built into the Nix store is not there yet.</summary>
    private static void LookAtFiles(IReadOnlyList<MicrovmConfig> vms, DiagnosticBag diagnostics)
    {
        foreach (var (at, fault) in vms.SelectMany(v => BootFiles.Missing(v, null)).Where(m => !m.Fault.Contains("'/nix/store/", StringComparison.Ordinal)))
        {
            diagnostics.Warning(at, $"on this host {fault}");
        }
    }

    /// <summary>Names, once and together, what is declared of the host or the guest and has no effect here.</summary>
    private static void NoteWithoutEffect(IReadOnlyList<Node> nodes, DiagnosticBag diagnostics)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        SourcePosition? first = null;
        foreach (var (name, at) in nodes.OfType<ObjectNode>().SelectMany(n => WithoutEffect.Of(n)))
        {
            first ??= at;
            found.Add(name);
        }
        if (first is { } here)
        {
            diagnostics.Warning(here, $"accepted, and without effect here: {string.Join(", ", found)}");
        }
    }

    /// <summary>Warns of a qemu-bridge-helper of this host that could not do what is declared. The declaration is not wrong for it: it may be for another host.</summary>
    private static void LookAtHelpers(IReadOnlyList<MicrovmConfig> vms, DiagnosticBag diagnostics)
    {
        foreach (var attachment in vms.SelectMany(v => HypervisorTable.Attach(v, out _)).Where(a => a.Kind == AttachmentKind.BridgeHelper))
        {
            foreach (var fault in BridgeHelperProgram.Faults([attachment], null, Caller.User))
            {
                diagnostics.Warning(attachment.Interface.At, $"on this host '{attachment.Interface.Id}' could not be attached: {fault}");
            }
        }
    }
}
