using System.CommandLine;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class UpCommand
{
    internal static Command Create() => Verb.Define("up", "Make the declared interfaces, all or nothing",
        ["sudo microvm up vm.nix", "sudo microvm up --user alice a.nix b.nix"], Run,
        CommonOptions.Files, CommonOptions.Json, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static int Run(ParseResult result)
    {
        // What can't be made is refused before anything is made.
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms || HostSession.Attach(vms) is not { } attachments)
        {
            return 2;
        }
        using var route = HostSession.Open(result);
        var desired = HostSession.Desired(result, attachments);
        var plan = Network.Plan.ForUp(desired, route.Links());
        if (plan.Refusals.Count == 0)
        {
            new Applier(route).Apply(plan);
            if (plan.HasChanges && Network.Plan.ForUp(desired, route.Links()) is { HasChanges: true } left)
            {
                var step = left.Steps.First(s => s.Kind != StepKind.Keep);
                Console.Error.WriteLine($"microvm: after 'up', '{step.Name}' is not as declared: {step.Reason}");
                return 1;
            }
        }
        PlanOutput.Print(plan, result.GetValue(CommonOptions.Json));
        return plan.Refusals.Count > 0 ? 1 : 0;
    }
}
