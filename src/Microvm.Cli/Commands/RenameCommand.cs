using System.CommandLine;
using Microvm.Host;
using Microvm.Host.Systemd;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class RenameCommand
{
    private static readonly Argument<string> s_old = new("OLD") { Description = "The VM's name until now" };
    private static readonly Argument<string> s_new = new("NEW") { Description = "Its new name, as in its declaration" };

    internal static Command Create() => Verb.Define("rename", "Give a VM another name: its links in place, also while it runs; as a VM of this host, while it is stopped, its disks and its unit",
        ["sudo microvm rename web shop", "sudo microvm rename --netns lab web shop"], Run, s_old, s_new, Consent.Trust, VmHost.State, CommonOptions.Netns);

    private static int Run(ParseResult result)
    {
        var (old, name) = (VmName.Parse(result.GetValue(s_old)!), VmName.Parse(result.GetValue(s_new)!));
        if (old == name)
        {
            throw new UsageException($"'{name}' is its name already");
        }
        var state = VmHost.Directory(result);
        var vm = state.Of(old);
        var isOfHost = vm.Exists && vm.Current is not null;
        if (isOfHost && OfHost(result, state, VmHost.Existing(state, old.Value), name) is not 0 and var code)
        {
            return code;
        }
        using var interrupts = new Interrupts();
        using var network = HostSession.Network(result, interrupts);
        IReadOnlyList<string> links;
        try
        {
            links = network.Rename(old.Value, name.Value);
        }
        catch (InvalidOperationException e)
        {
            throw new IOException($"{e.Message}; 'microvm status' shows it", e);
        }
        if (!isOfHost && links.Count == 0)
        {
            throw new UsageException($"there is no VM '{old}' in {state.Path}, and no link of a VM of that name; 'microvm list' and 'microvm status' show what there is");
        }
        Console.WriteLine($"{old} is {name} now{(links.Count > 0 ? $", and so are its links {string.Join(", ", links.Select(l => Declaration.Printable.Of(l)))}" : "")}");
        return 0;
    }

    /// <summary>Moves a stopped VM, and builds its runner under the new name; where that fails, all is as it was.</summary>
    private static int OfHost(ParseResult result, StateDirectory state, VmDirectory vm, VmName name)
    {
        var (old, isEnabled) = (vm.Name, false);
        if (Systemctl.States([old]).GetValueOrDefault(old.Unit) is { } unit)
        {
            if (unit.Active is not ("inactive" or "failed"))
            {
                Console.Error.WriteLine($"microvm: '{old}' is {unit.Active}; stop it first: sudo microvm stop {old}");
                return 1;
            }
            isEnabled = unit.Enabled;
        }
        if (vm.Source == VmSource.Toplevel)
        {
            throw new UsageException($"'{old}' is declared in this host's NixOS configuration; change it there and rebuild the host");
        }
        var registry = VmHost.Registry(state);
        registry.Rename(old, name);
        var renamed = state.Of(name);
        var done = false;
        try
        {
            Declarations.Evaluation = Declarations.Evaluation with { Arguments = NotedArguments.Parse(renamed.Arguments) };
            done = renamed.Source == VmSource.Unknown || UpdateCommand.Build(result, state, renamed) is not null;
        }
        finally
        {
            if (!done)
            {
                registry.Rename(name, old);
                Console.Error.WriteLine($"microvm: '{old}' has its old name still, since no runner could be built under the new one; give the VM its new name in its declaration first");
            }
        }
        VmHost.Synchronise(state);
        if (isEnabled && (VmHost.Autostart(old, false) | VmHost.Autostart(name, true)) != 0)
        {
            return 1;
        }
        return done ? 0 : 2;
    }
}
