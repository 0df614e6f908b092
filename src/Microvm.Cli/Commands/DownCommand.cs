using System.CommandLine;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class DownCommand
{
    internal static Command Create() => Verb.Define("down", "Delete the interfaces of the declared VMs",
        ["sudo microvm down vm.nix"], Run, CommonOptions.Files, CommonOptions.Json, CommonOptions.Netns);

    private static int Run(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms)
        {
            return 2;
        }
        using var route = HostSession.Open(result);
        var plan = Network.Plan.ForDown([.. vms.Select(v => v.Name)], route.Links());
        new Applier(route).Apply(plan);
        PlanOutput.Print(plan, result.GetValue(CommonOptions.Json));
        return 0;
    }
}
