using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host.Systemd;

namespace Microvm.Cli.Commands;

internal static class RemoveCommand
{
    private static readonly Option<bool> s_data = new("--data") { Description = "Remove its disks and other files as well" };

    internal static Command Create() => Verb.Define("remove", "Remove a stopped VM from this host",
        ["sudo microvm remove web", "sudo microvm remove web --data"], Run, VmHost.Name, s_data, VmHost.State);

    private static int Run(ParseResult result)
    {
        var state = VmHost.Directory(result);
        var vm = VmHost.Existing(state, result.GetValue(VmHost.Name)!);
        var registry = VmHost.Registry(state);
        if (Systemctl.States([vm.Name]).GetValueOrDefault(vm.Name.Unit) is { Active: not ("inactive" or "failed") } unit)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}' is {unit.Active}; stop it first: microvm stop {vm.Name}");
            return 1;
        }
        if (registry.Data(vm.Name) is { Count: > 0 } data && !result.GetValue(s_data))
        {
            Console.Error.WriteLine($"microvm: {vm.Path} holds {string.Join(", ", data.Take(5).Select(d => Printable.Of(d)))}{(data.Count > 5 ? $" and {data.Count - 5} more" : "")}; take along what is worth keeping, then: microvm remove --data {vm.Name}");
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
}
