using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Systemd;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Observation;

namespace Microvm.Cli.Commands;

internal static class ListCommand
{
    internal static Command Create() => Verb.Define("list", "List this host's VMs, whether they are running, and whether they run from their current declaration",
        ["microvm list", "microvm list --json"], Run, VmHost.State, CommonOptions.Json);

    private static int Run(ParseResult result)
    {
        var vms = VmHost.Directory(result).All();
        var states = Systemctl.States([.. vms.Select(v => v.Name)]);
        var interfaces = Interfaces(result);
        var rows = vms.Select(v => Row(v, states.GetValueOrDefault(v.Name.Unit)) with { Interfaces = [.. interfaces[v.Name.Value].Select(i => new InterfaceReport(i.Id, i.State.Word(), i.Reason, AddressReport.Of(i)))] }).ToArray();
        if (result.GetValue(CommonOptions.Json))
        {
            Console.WriteLine(JsonSerializer.Serialize(rows, VmReports.Default.VmReportArray));
            return 0;
        }
        if (rows.Length == 0)
        {
            Console.WriteLine($"no VM is in {VmHost.Directory(result).Path}; 'microvm create' makes one");
            return 0;
        }
        // A host whose VMs have none that it knows is spared an empty column.
        var hasAddresses = rows.Any(r => r.Interfaces.Any(i => i.Addresses.Count > 0));
        var table = new Table([new("VM", 100, 8), new("STATE", 90), new("RUNNER", 80), new("INTERFACES", 85), .. hasAddresses ? [new("ADDRESSES", 82, 15)] : Array.Empty<Column>(), new("AUTOSTART", 40), new("HYPERVISOR", 50), new("STOPS", 20), new("FROM", 30, 8)]);
        foreach (var r in rows)
        {
            Cell[] addresses = hasAddresses ? [Look.Addresses(r.Interfaces.SelectMany(i => i.Addresses).Select(a => a.Address))] : [];
            table.Add([r.Name, new Cell(r.State, r.State switch { "running" => Style.Green, "failed" => Style.Red, "restarting" => Style.Yellow, _ => Style.Dim }),
                new Cell(r.Runner, r.Runner == "stale" ? Style.Yellow : r.Runner == "broken" ? Style.Red : Style.Plain), Sum(r.Interfaces), .. addresses, r.Autostart ? "yes" : "no", Printable.Of(r.Hypervisor ?? "-"), r.AsksGuest is { } asks ? asks ? "by asking" : "at once" : "-", Printable.Of(r.From ?? "-")]);
        }
        table.Print(Terminal.Output, Console.Out);
        foreach (var (vm, i) in rows.SelectMany(r => r.Interfaces.Select(i => (r.Name, i))).Where(p => p.i.Reason is not null))
        {
            Console.WriteLine($"{vm}: {Printable.Of(i.Id)} is {i.State}: {Printable.Lines(i.Reason!)}");
        }
        foreach (var r in rows.Where(r => r.Reason is not null))
        {
            Console.WriteLine($"{r.Name} {(r.Restarts > 1 ? $"was restarted {r.Restarts} times without success" : r.Restarts == 1 ? "ended, and is started again" : "does not run")}: {r.Reason}");
        }
        foreach (var vm in vms)
        {
            if (!vm.IsMoved)
            {
                Console.Error.WriteLine($"microvm: note: '{vm.Name}' was laid out by microvm.nix or an earlier version, and is moved to where only root writes by: sudo microvm update {vm.Name}");
            }
            else if (RunnerStore.Fault(vm) is { } fault)
            {
                Console.Error.WriteLine($"microvm: '{vm.Name}': {Printable.Of(fault, int.MaxValue)}; build it again with: sudo microvm update {vm.Name}");
            }
        }
        return 0;
    }

    private static bool? AsksGuest(VmDirectory vm) => vm.Hypervisor is not { } name ? null
        : File.Exists(vm.Steer("current/bin/microvm-shutdown")) && HypervisorTable.Find(name)?.Facts.CanBeAsked != false;

    /// <summary>What <c>status</c> sees of each VM; nothing where the links can't be looked at.</summary>
    private static ILookup<string, InterfaceStatus> Interfaces(ParseResult result)
    {
        try
        {
            using var survey = Survey.OfHost(result);
            return survey.Take().ToLookup(i => i.Vm);
        }
        catch (LinuxException e)
        {
            Console.Error.WriteLine($"microvm: the interfaces can't be looked at: {e.Message}");
            return Array.Empty<InterfaceStatus>().ToLookup(i => i.Vm);
        }
    }

    /// <summary>How many are in which state, the bad ones first: <c>1 drifted, 2 up</c>.</summary>
    private static Cell Sum(IReadOnlyList<InterfaceReport> interfaces)
    {
        var good = interfaces.All(i => i.Reason is null && i.State is "up" or "unlinked");
        return interfaces.Count == 0 ? new("-", Style.Dim)
            : new(string.Join(", ", interfaces.GroupBy(i => i.State).OrderBy(g => g.Key is "up" or "unlinked").ThenBy(g => g.Key).Select(g => $"{g.Count()} {g.Key}")), good ? Style.Green : Style.Red);
    }

    private static VmReport Row(VmDirectory vm, UnitState? unit)
    {
        var state = unit switch
        {
            null => "unknown",
            { Active: "failed" } => "failed",
            { IsFailing: true } => "restarting",
            { Active: "active" } => "running",
            { Active: "activating" } or { Active: "inactive", Queued: true } => "starting",
            { Active: "deactivating" } => "stopping",
            _ => "stopped",
        };
        var runner = RunnerStore.Fault(vm) is not null ? "broken" : vm.Booted is not { } booted ? "not booted" : booted == vm.Current ? "current" : "stale";
        return new(vm.Name.Value, state, runner, unit?.Enabled ?? false, unit is { MainPid: > 0 } ? unit.MainPid : null, vm.Hypervisor,
            vm.Current, vm.Booted, vm.Source.Word(), vm.Reference,
            unit?.Restarts ?? 0, unit is { IsFailing: true } ? UnitFailure.Of(vm.Name, unit) : null, AsksGuest(vm));
    }
}

/// <summary>One VM of <c>microvm list --json</c>. Fields are only ever added.</summary>
/// <param name="State">running, starting, stopping, stopped, restarting (it ends soon after each start), failed or unknown.</param>
/// <param name="Runner">current, stale (a restart applies the current one), not booted, or broken (not what was built; 'update' mends it).</param>
/// <param name="AsksGuest">Whether a stop asks the guest; else the VM ends at once. Null before the first build.</param>
/// <param name="Restarts">How often it was started again by itself since somebody started it.</param>
/// <param name="Reason">Why it does not run, where it failed; null otherwise, and where the journal can't be read.</param>
internal sealed record VmReport(string Name, string State, string Runner, bool Autostart, int? Pid, string? Hypervisor, string? Current, string? Booted, string Source, string? From,
    int Restarts, string? Reason, bool? AsksGuest)
{
    /// <summary>Its interfaces as <c>microvm status</c> sees them; those of a VM that is stopped are not there.</summary>
    public IReadOnlyList<InterfaceReport> Interfaces { get; init; } = [];
}

internal sealed record InterfaceReport(string Id, string State, string? Reason, IReadOnlyList<AddressReport> Addresses);

internal sealed record InstallStepReport(string Action, string Path, string? Reason);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(VmReport[]))]
[JsonSerializable(typeof(InstallStepReport[]))]
internal sealed partial class VmReports : JsonSerializerContext;
