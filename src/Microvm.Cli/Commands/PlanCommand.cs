using System.CommandLine;

namespace Microvm.Cli.Commands;

internal static class PlanCommand
{
    internal static Command Create() => Verb.Define("plan", "Show what 'up' would change on the host",
        ["microvm plan vm.nix", "microvm plan --json vm.nix"], Run,
        CommonOptions.Files, CommonOptions.Json, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static int Run(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms || HostSession.Attach(vms) is not { } attachments)
        {
            return 2;
        }
        using var route = HostSession.Open(result);
        var plan = Network.Plan.ForUp(HostSession.Desired(result, attachments), route.Links());
        PlanOutput.Print(plan, result.GetValue(CommonOptions.Json));
        return plan.Refusals.Count > 0 ? 1 : 0;
    }
}
