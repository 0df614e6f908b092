using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Run;
using Microvm.Host.Systemd;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class RemoveCommand
{
    private static readonly Option<bool> s_data = new("--data") { Description = "Remove its disks and other files as well" };

    private static readonly Option<bool> s_stop = new("--stop") { Description = "Stop it first, if it runs" };

    internal static Command Create() => Verb.Define("remove", "Remove a stopped VM from this host",
        ["sudo microvm remove web", "sudo microvm remove web --stop --data"], Run, VmHost.Name, s_stop, s_data, CommonOptions.DeleteRunning, VmHost.State);

    private static int Run(ParseResult result)
    {
        var state = VmHost.Directory(result);
        var vm = VmHost.Existing(state, result.GetValue(VmHost.Name)!);
        var registry = VmHost.Registry(state);
        var unit = Systemctl.States([vm.Name]).GetValueOrDefault(vm.Name.Unit);
        var runs = unit is { Active: not ("inactive" or "failed") };
        if (runs && !result.GetValue(s_stop))
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}' is {unit!.Active}; stop it first: microvm stop {vm.Name}, or use --stop");
            return 1;
        }
        if (registry.Data(vm.Name) is { Count: > 0 } data && !result.GetValue(s_data))
        {
            Console.Error.WriteLine($"microvm: {vm.Path} holds {string.Join(", ", data.Take(5).Select(d => Printable.Of(d)))}{(data.Count > 5 ? $" and {data.Count - 5} more" : "")}; take along what is worth keeping, then: microvm remove --data {vm.Name}");
            return 1;
        }
        if (runs && VmHost.Power([vm], "stop") is not 0 and var failed)
        {
            return failed;
        }
        // One that was started by hand is in no unit.
        if (!result.GetValue(CommonOptions.DeleteRunning) && Holder(vm) is { } holder)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}' runs: {holder}; end it first: microvm shutdown {vm.Name}, or use --delete-running");
            return 1;
        }
        if (Systemctl.IsRunning)
        {
            _ = VmHost.Autostart(vm.Name, false);
        }
        registry.Remove(vm.Name);
        VmHost.Synchronise(state);
        Console.WriteLine($"removed {vm.Name}");
        return 0;
    }

    /// <summary>What a process has of the VM; null where none has anything.</summary>
    private static string? Holder(VmDirectory vm)
    {
        using var route = new RouteSocket();
        var state = HostState.Read(route, [], vms: [vm.Name.Value]);
        return state.Links.Where(l => Ownership.Vm(l.Alias) == vm.Name.Value).Select(l => Occupation.Of(l, state) is { } by ? $"'{l.Name}' is its link, and {by}" : null).FirstOrDefault(h => h is not null)
            ?? Directory.EnumerateFiles(vm.Path, "*.sock").Where(s => FileStatus.Of(s) is { IsSocket: true }).Select(s => ControlSocketGuard.Holder(s) is { } by ? $"its socket {Path.GetFileName(s)} is served by {by}" : null).FirstOrDefault(h => h is not null);
    }
}
