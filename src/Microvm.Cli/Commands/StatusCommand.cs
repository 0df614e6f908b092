using System.CommandLine;
using System.Text.Json;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class StatusCommand
{
    internal static Command Create() => Verb.Define("status", "Tell the state of declared interfaces, or of all that are ours",
        ["microvm status", "microvm status --json vm.nix"], Run,
        CommonOptions.MaybeFiles, CommonOptions.Json, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static int Run(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.MaybeFiles) is not { } vms || HostSession.Attach(vms) is not { } attachments)
        {
            return 2;
        }
        using var route = HostSession.Open(result);
        var links = route.Links();
        var desired = HostSession.Desired(result, attachments);
        var plan = Network.Plan.ForUp(desired, links);
        var names = result.GetValue(CommonOptions.MaybeFiles) is { Length: > 0 }
            ? desired.Select(d => (d.Vm, d.Name))
            : links.Where(l => Ownership.Vm(l.Alias) is not null).Select(l => (Vm: Ownership.Vm(l.Alias)!, l.Name));
        var rows = names.Select(n =>
        {
            var link = links.FirstOrDefault(l => l.Name == n.Name);
            var state = link is null ? "missing" : Ownership.Vm(link.Alias) != n.Vm ? "foreign"
                : plan.Steps.Any(s => s.Name == n.Name && s.Kind != StepKind.Keep) ? "drifted" : link.Up ? "up" : "down";
            return new LinkReport(n.Vm, n.Name, state, link?.Index, link?.Tun?.MultiQueue ?? false, link?.Tun?.Owner, link?.Tun?.Group,
                link?.Master is { } m ? links.FirstOrDefault(l => l.Index == m)?.Name : null);
        }).ToArray();
        if (result.GetValue(CommonOptions.Json))
        {
            Console.WriteLine(JsonSerializer.Serialize(rows, Reports.Default.LinkReportArray));
        }
        else
        {
            Console.WriteLine($"{"VM",-20} {"INTERFACE",-15} {"STATE",-8} {"QUEUES",-6} BRIDGE");
            foreach (var row in rows)
            {
                Console.WriteLine($"{row.Vm,-20} {row.Id,-15} {row.State,-8} {(row.MultiQueue ? "multi" : "one"),-6} {row.Bridge ?? "-"}");
            }
        }
        return 0;
    }
}
