using System.CommandLine;
using Microvm.Host;
using Microvm.Host.Systemd;

namespace Microvm.Cli.Commands;

internal static class UpdateCommand
{
    private static readonly Option<bool> s_restart = new("--restart", "-R") { Description = "Restart the VM if its runner changed" };
    private static readonly Option<string?> s_file = new("--file", "-f") { Description = "Take it from this declaration from now on", HelpName = "FILE" };
    private static readonly Option<string?> s_flake = new("--flake") { Description = "Take it from this flake from now on", HelpName = "REF" };
    private static readonly Option<bool> s_adopt = new("--adopt") { Description = "Accept the files of a VM that microvm.nix laid out, although its hypervisor could have changed them" };
    private static readonly Option<bool?> s_autostart = new("--autostart") { Description = "Whether it starts with the host", HelpName = "true|false" };

    internal static Command Create() => Verb.Define("update", "Rebuild VMs from their declaration or flake; the result is used at the next start",
        ["sudo microvm update web", "sudo microvm update --restart web db", "sudo microvm update web --autostart false"], Run,
        VmHost.Names, s_restart, s_file, s_flake, s_adopt, s_autostart, Consent.Trust, VmHost.State);

    private static int Run(ParseResult result)
    {
        var state = VmHost.Directory(result);
        var names = result.GetValue(VmHost.Names)!;
        var (file, flake) = (result.GetValue(s_file), result.GetValue(s_flake));
        if ((file ?? flake) is not null && names.Length > 1 || file is not null && flake is not null)
        {
            throw new UsageException("--file or --flake goes with one VM");
        }
        var vms = names.Select(n => VmHost.Existing(state, n, result.GetValue(s_adopt), (file ?? flake) is not null)).ToList();
        var code = 0;
        var told = Declarations.Evaluation;
        foreach (var vm in vms)
        {
            // Evaluated as it was created, unless it is told otherwise now.
            Declarations.Evaluation = told.Arguments.Count > 0 || (file ?? flake) is not null ? told : told with { Arguments = NotedArguments.Parse(vm.Arguments) };
            var changed = file is not null ? VmHost.Publish(result, state, vm.Name, file)
                : flake is not null ? VmHost.PublishFlake(result, state, vm.Name, flake)
                : result.GetValue(s_adopt) && vm.Source == VmSource.Unknown ? false : Build(result, state, vm);
            if (changed is null)
            {
                code = 2;
                continue;
            }
            VmHost.Synchronise(state);
            VmHost.Tell(vm, changed.Value, false);
            if (result.GetValue(s_autostart) is { } on && VmHost.Autostart(vm.Name, on) != 0)
            {
                code = 1;
            }
            if (result.GetValue(s_restart) && vm.Booted != vm.Current && VmHost.Power([vm], "restart") != 0)
            {
                code = 1;
            }
        }
        return code;
    }

    /// <summary>Builds a VM's runner from what it was made from; null after diagnostics were printed.</summary>
    internal static bool? Build(ParseResult result, StateDirectory state, VmDirectory vm) => vm.Source switch
    {
        VmSource.File => Again(result, state, vm),
        VmSource.Flake => VmHost.BuildFlake(state, vm.Name, vm.Reference!),
        VmSource.Toplevel => throw new UsageException($"'{vm.Name}' is declared in this host's NixOS configuration; change it there and rebuild the host"),
        _ => throw new UsageException($"nothing in {vm.Path} tells what '{vm.Name}' is made from; give --file FILE"),
    };

    private static bool? Again(ParseResult result, StateDirectory state, VmDirectory vm)
    {
        // A VM out of a fleet file is looked up there under its name.
        var reference = vm.Reference!;
        if (FleetCommand.Find(reference, vm.Name.Value) is not { } found)
        {
            return VmHost.Publish(result, state, vm.Name, reference);
        }
        if (found is not { Config: { } config, Declaration: { } declaration } || VmHost.IsRefused(config, reference))
        {
            return null;
        }
        Consent.AskForUnits(result, reference, [(vm, config)]);
        return VmHost.Publish(state, vm.Name, config, declaration, reference);
    }
}
