using System.CommandLine;
using Microvm.Network;
using Microvm.Network.Networks;

namespace Microvm.Cli.Commands;

internal static class UpCommand
{
    private static readonly Option<bool> s_adopt = new("--adopt") { Description = "Take over existing links that have a declared name and were not created by microvm, if all their properties match" };

    private static readonly Option<bool> s_made = new("--made") { Description = "Print only the names of the links that were created, one a line, for 'down --link'" };

    internal static Command Create() => Verb.Define("up", "Create the declared interfaces, all or nothing",
        ["sudo microvm up vm.nix", "sudo microvm up --user alice a.nix b.nix", "sudo microvm up --replace-running vm.nix"], Run,
        CommonOptions.Files, s_adopt, s_made, CommonOptions.Replace, CommonOptions.ReplaceRunning, CommonOptions.Only, CommonOptions.Attachment, CommonOptions.Json, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    /// <summary>What <c>up</c> and <c>plan</c> are told beyond the declarations.</summary>
    internal static PlanOptions Options(ParseResult result, IReadOnlyList<Declaration.MicrovmConfig> vms) => new()
    {
        Adopt = result.CommandResult.Command.Options.Contains(s_adopt) && result.GetValue(s_adopt),
        Replace = result.GetValue(CommonOptions.Replace),
        ReplaceRunning = result.GetValue(CommonOptions.ReplaceRunning),
        Only = result.GetValue(CommonOptions.Only),
        Networks = result.GetValue(CommonOptions.Only) == LinkSelection.Macvtap ? [] : DesiredNetwork.Of(vms),
        Vms = [.. vms.Select(v => v.Name)],
    };

    private static int Run(ParseResult result)
    {
        // What can't be made is refused before anything is made.
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms || HostSession.Attach(vms, result) is not { } attachments)
        {
            return 2;
        }
        using var interrupts = new Interrupts();
        using var network = HostSession.Network(result, interrupts);
        var plan = network.Up(HostSession.Desired(result, vms, attachments), Options(result, vms), HostSession.SpareTheNameless);
        return Verb.Report(plan.HasChanges && plan.Refusals.Count == 0, () => Print(plan, result));
    }

    private static int Print(Plan plan, ParseResult result)
    {
        if (result.GetValue(s_made) && plan.Refusals.Count == 0)
        {
            foreach (var step in plan.Steps.Where(s => s.Kind is StepKind.Create or StepKind.Replace))
            {
                Console.WriteLine(step.Name);
            }
            return 0;
        }
        PlanOutput.Print(plan, result.GetValue(CommonOptions.Json));
        return plan.Refusals.Count > 0 ? 1 : 0;
    }
}
