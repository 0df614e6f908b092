using System.Text;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Host.Run;
using Microvm.Network;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>Prints a plan, before or after it was carried out.</summary>
internal static class PlanOutput
{
    private static readonly StepKind[] s_order = [StepKind.Create, StepKind.Change, StepKind.Replace, StepKind.Delete, StepKind.Keep];

    /// <summary>What the declarations have run, as whom and with which rights; nothing where they have nothing run.</summary>
    internal static void PrintPrograms(IEnumerable<MicrovmConfig> vms)
    {
        foreach (var (vm, program) in Programs(vms))
        {
            Console.WriteLine(Words(vm, program));
        }
    }

    /// <summary>The same for programs.</summary>
    internal static IReadOnlyList<ProgramReport> ProgramReports(IEnumerable<MicrovmConfig> vms) => [.. Programs(vms).Select(p => new ProgramReport(p.Vm, p.Program.What, p.Program.Who, p.Program.Rights))];

    internal static string Words(string vm, DeclaredProgram program) => $"'{Printable.Of(vm)}' has run: {Printable.Of(program.What)}, as {Printable.Of(program.Who)}, with {program.Rights}";

    private static IEnumerable<(string Vm, DeclaredProgram Program)> Programs(IEnumerable<MicrovmConfig> vms) => vms.SelectMany(v => DeclaredPrograms.Of(v).Select(p => (v.Name, p)));

    /// <param name="vms">Whose programs <c>plan</c> lists besides; none where the plan was carried out.</param>
    internal static void Print(Plan plan, bool json, IReadOnlyList<MicrovmConfig>? vms = null)
    {
        foreach (var refusal in plan.Refusals)
        {
            Console.Error.WriteLine($"microvm: {Terminal.Errors.Paint(Style.BoldRed, Printable.Lines(refusal.Text))}");
        }
        if (json)
        {
            var report = new PlanReport(plan.HasChanges, [.. plan.Steps.Select(s => new StepReport(s.Kind.Word(), s.Vm, s.Name, s.Reason))],
                [.. plan.Refusals.Select(r => r.Text)], [.. plan.Refusals.Select(r => new RefusalReport(r.Kind.Word(), r.Vm, r.Link, r.Text))], vms is null ? null : ProgramReports(vms),
                plan.Networks is null ? null : [.. plan.Networks.Steps.Select(s => new NetworkStepReport(s.Kind.Word(), s.Network, s.Name, s.Reason))]);
            Console.WriteLine(JsonSerializer.Serialize(report, Reports.Default.PlanReport));
            return;
        }
        // One write, however many links there are.
        var text = new StringBuilder();
        foreach (var step in plan.Networks?.Steps ?? [])
        {
            Append(text, step.Kind, Printable.Of(step.Name).PadRight(15), $"network {step.Network}", step.Reason, Terminal.Output);
        }
        foreach (var step in plan.Steps)
        {
            Append(text, step.Kind, CellText.Fit(Printable.Of(step.Name), 15), $"VM {step.Vm}", step.Reason, Terminal.Output);
        }
        text.Append(plan.Refusals.Count > 0 ? "nothing was changed"
            : plan.HasChanges ? Sums([.. plan.Steps.Select(s => s.Kind), .. plan.Networks?.Steps.Select(s => s.Kind) ?? []], Terminal.Output) : "nothing to do");
        Console.WriteLine(text);
        PrintPrograms(vms ?? []);
    }

    private static void Append(StringBuilder text, StepKind kind, string name, string whose, string why, Terminal terminal)
    {
        var (sign, style) = Look(kind);
        var word = kind.Word();
        var (owner, reason) = (Printable.Of(whose), Printable.Lines(why));
        // In a pipe the action's word comes first, for scripts; on a terminal its sign does.
        if (terminal.IsTerminal || terminal.Color)
        {
            text.Append(terminal.Paint(style, $"{sign} {word,-8} {name}")).Append(" (").Append(owner).Append(')').Append(terminal.Paint(Style.Dim, $": {reason}")).Append('\n');
        }
        else
        {
            text.Append(word.PadRight(8)).Append(' ').Append(name).Append(" (").Append(owner).Append("): ").Append(reason).Append('\n');
        }
    }

    /// <summary>How many steps of each kind; what was kept comes last.</summary>
    private static string Sums(IReadOnlyList<StepKind> steps, Terminal terminal)
    {
        var sums = new List<string>();
        foreach (var kind in s_order)
        {
            if (steps.Count(s => s == kind) is > 0 and var count)
            {
                sums.Add(terminal.Paint(Look(kind).Style, $"{count} {kind.Word()}"));
            }
        }
        return string.Join(", ", sums);
    }

    private static (string Sign, Style Style) Look(StepKind kind) => kind switch
    {
        StepKind.Create => ("  +", Style.Green),
        StepKind.Change => ("  ~", Style.Yellow),
        StepKind.Replace => ("-/+", Style.Magenta),
        StepKind.Delete => ("  -", Style.Red),
        _ => ("   ", Style.Dim),
    };
}
