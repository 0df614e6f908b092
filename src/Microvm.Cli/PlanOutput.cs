using System.Text.Json;
using Microvm.Declaration;
using Microvm.Network;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>Prints a plan, before or after it was carried out.</summary>
internal static class PlanOutput
{
    internal static void Print(Plan plan, bool json)
    {
        foreach (var refusal in plan.Refusals)
        {
            Console.Error.WriteLine($"microvm: {Terminal.Errors.Paint(Style.BoldRed, Printable.Lines(refusal))}");
        }
        if (json)
        {
            var report = new PlanReport(plan.HasChanges, [.. plan.Steps.Select(s => new StepReport(s.Kind.ToString().ToLowerInvariant(), s.Vm, s.Name, s.Reason))], plan.Refusals);
            Console.WriteLine(JsonSerializer.Serialize(report, Reports.Default.PlanReport));
            return;
        }
        var terminal = Terminal.Output;
        foreach (var step in plan.Steps)
        {
            var kind = step.Kind.ToString().ToLowerInvariant();
            var (sign, style) = Look(step.Kind);
            var (name, vm, reason) = (CellText.Fit(Printable.Of(step.Name), 15), Printable.Of(step.Vm), Printable.Lines(step.Reason));
            // In a pipe the action's word comes first, for scripts; on a terminal its sign does.
            Console.WriteLine(terminal.IsTerminal || terminal.Color
                ? $"{terminal.Paint(style, $"{sign} {kind,-8} {name}")} {terminal.Paint(Style.Dim, "of")} {vm}{terminal.Paint(Style.Dim, $": {reason}")}"
                : $"{kind,-8} {name} of {vm}: {reason}");
        }
        if (plan.Refusals.Count > 0)
        {
            Console.WriteLine("nothing was changed");
        }
        else if (!plan.HasChanges)
        {
            Console.WriteLine("nothing to do");
        }
        else
        {
            Console.WriteLine(string.Join(", ", plan.Steps.GroupBy(s => s.Kind).OrderBy(g => g.Key == StepKind.Keep).ThenBy(g => g.Key)
                .Select(g => terminal.Paint(Look(g.Key).Style, $"{g.Count()} {g.Key.ToString().ToLowerInvariant()}"))));
        }
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
