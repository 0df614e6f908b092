using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host.Run;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Observation;

namespace Microvm.Cli.Commands;

internal static class PlanCommand
{
    private static readonly Option<bool> s_exitCode = new("--exit-code") { Description = $"Exit with {Verb.DriftCode} if 'up' would change something" };

    internal static Command Create() => Verb.Define("plan", "Show what 'up' would change on the host",
        ["microvm plan vm.nix", "microvm plan --json vm.nix", "microvm plan --exit-code vm.nix || echo drift"], Run,
        CommonOptions.Files, s_exitCode, CommonOptions.Replace, CommonOptions.ReplaceRunning, CommonOptions.Only, CommonOptions.Attachment, CommonOptions.Json, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static int Run(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms || HostSession.Attach(vms, result) is not { } attachments)
        {
            return 2;
        }
        using var network = new HostNetwork { Netns = result.GetValue(CommonOptions.Netns) };
        var plan = HostSession.SpareTheNameless(network.PlanUp(HostSession.Desired(result, vms, attachments), UpCommand.Options(result, vms)));
        PlanOutput.Print(plan, result.GetValue(CommonOptions.Json), vms);
        var own = attachments.ToLookup(a => a.Vm);
        // User networks have one whatever the hypervisor does. What a fleet of like VMs has in common is told once.
        foreach (var alike in from vm in vms
                              where vm.Vcpu > 1
                              let why = HypervisorTable.Find(vm.Hypervisor)?.Facts.OneQueuePair
                              let first = why is null ? null : own[vm.Name].FirstOrDefault(a => a.Interface.Type != InterfaceType.User)
                              where first is not null
                              group $"'{first.Interface.Id}' of '{vm.Name}'" by $"one queue pair for {vm.Vcpu} vCPUs: {vm.Hypervisor} has one, since {why}")
        {
            var rest = alike.Count() - 1;
            Console.Error.WriteLine($"microvm: note: {alike.First()}{(rest == 0 ? "" : $" and those of {rest} more VMs")} get{(rest == 0 ? "s" : "")} {alike.Key}");
        }
        foreach (var vm in vms)
        {
            var faults = Prerequisites.OfHost(vm, [.. own[vm.Name]]);
            // Of a VM that runs, its hypervisor has the ports.
            if (faults.Count > 0 && (vm.Socket is not { } socket || ControlSocketGuard.Holder(socket) is null))
            {
                foreach (var fault in faults)
                {
                    Console.Error.WriteLine($"microvm: note: 'microvm run' of '{vm.Name}' would be refused: {fault}");
                }
            }
        }
        foreach (var i in Otherwise(attachments, plan, network))
        {
            Console.Error.WriteLine($"microvm: note: '{i.Id}' of '{i.Vm}' is declared, and {i.Guest!.Text}: {i.Guest.Why}");
        }
        foreach (var note in WirelessCard.Notes(attachments, () => network.Route.Links(statistics: false)))
        {
            Console.Error.WriteLine($"microvm: note: {note}");
        }
        return plan.Refusals.Count > 0 ? 1 : plan.HasChanges && result.GetValue(s_exitCode) ? Verb.DriftCode : 0;
    }

    /// <summary>What running guests have other than declared, which no change of the host mends. Where no VM runs, no process is looked at.</summary>
    private static IEnumerable<InterfaceStatus> Otherwise(IReadOnlyList<Attachment> attachments, Plan plan, HostNetwork network)
    {
        if (!plan.Steps.Any(s => s.Observed is { InUse: true } or { Kind: "macvtap" }))
        {
            return [];
        }
        var links = network.Route.Links(statistics: false);
        return InterfaceStatus.OfDeclared(attachments, plan, links, LinkHolder.Scan(links)).Where(i => i.Guest is not null);
    }
}
