using System.Text.Json;
using Microvm.Network;

namespace Microvm.Cli;

/// <summary>Prints a plan, before or after it was carried out.</summary>
internal static class PlanOutput
{
    internal static void Print(Plan plan, bool json)
    {
        foreach (var refusal in plan.Refusals)
        {
            Console.Error.WriteLine($"microvm: {refusal}");
        }
        if (json)
        {
            var report = new PlanReport(plan.HasChanges, [.. plan.Steps.Select(s => new StepReport(s.Kind.ToString().ToLowerInvariant(), s.Vm, s.Name, s.Reason))], plan.Refusals);
            Console.WriteLine(JsonSerializer.Serialize(report, Reports.Default.PlanReport));
            return;
        }
        foreach (var step in plan.Steps)
        {
            Console.WriteLine($"{step.Kind.ToString().ToLowerInvariant(),-8} {step.Name,-15} of {step.Vm}: {step.Reason}");
        }
        if (plan.Refusals.Count > 0)
        {
            Console.WriteLine("nothing was changed");
        }
        else if (!plan.HasChanges)
        {
            Console.WriteLine("nothing to do");
        }
    }
}
