using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Install;
using Microvm.Host.Systemd;
using Microvm.Hypervisors;

namespace Microvm.Cli;

/// <summary>What the commands that work on a host's VMs share.</summary>
internal static class VmHost
{
    internal const string DefaultState = "/var/lib/microvms";
    internal static readonly Option<string> State = new("--state-dir") { Description = "Where each VM has its directory", HelpName = "DIR", DefaultValueFactory = _ => DefaultState };
    internal static readonly Argument<string> Name = new("NAME") { Description = "The VM's name" };
    internal static readonly Argument<string[]> Names = new("NAME") { Description = "The VMs' names", Arity = ArgumentArity.OneOrMore };

    internal static StateDirectory Directory(ParseResult result) => new(result.GetValue(State)!);

    /// <summary>The path that runners and units call: what was started, whatever link it was started through.</summary>
    internal static string Binary => Environment.ProcessPath ?? throw new IOException("/proc/self/exe can't be read");

    internal static VmRegistry Registry(StateDirectory state) => new(state, Binary);

    /// <summary>The VM of that name, which must be there.</summary>
    internal static VmDirectory Existing(StateDirectory state, string name)
    {
        var vm = state.Of(VmName.Parse(name));
        if (!vm.Exists || vm.Current is null)
        {
            var near = Printable.Nearest(name, state.All().Select(v => v.Name.Value));
            throw new UsageException($"there is no VM '{vm.Name}' in {state.Path}{(near is null ? "; 'microvm list' shows those that are" : $"; did you mean '{near}'?")}");
        }
        return vm;
    }

    /// <summary>Reads one VM's declaration under its name and publishes its runner; null after diagnostics were printed.</summary>
    internal static bool? Publish(StateDirectory state, VmName name, string file)
    {
        var diagnostics = new DiagnosticBag();
        var node = Declarations.Open(file, diagnostics);
        MicrovmConfig? config = null;
        if (node is not null && FleetReader.IsFleet(node))
        {
            diagnostics.Error(node.At, "this declares a host's VMs; bring them up with: microvm fleet up");
        }
        else if (node is not null && new DeclarationReader(diagnostics).Read(node) is { } read)
        {
            config = FleetReader.Named(read, name.Value);
            if (config is null)
            {
                diagnostics.Error(node.At, $"this declares networking.hostName = \"{read.Name}\"; leave it out, or name the VM so");
            }
            else
            {
                FleetRules.Check([config], diagnostics);
                HypervisorTable.Check(config, diagnostics);
            }
        }
        DiagnosticOutput.Print(diagnostics.All, Terminal.Errors, Console.Error);
        return diagnostics.HasErrors || config is null ? null : Publish(state, name, config, (ObjectNode)node!, file);
    }

    /// <summary>Publishes a runner after a look whether its hypervisor can serve it; null after a refusal was printed.</summary>
    internal static bool? Publish(StateDirectory state, VmName name, MicrovmConfig config, ObjectNode declaration, string file)
    {
        var refusal = "";
        if (HostSession.Attach([config]) is null || (refusal = HypervisorTable.Missing(config)) is not null)
        {
            if (refusal is { Length: > 0 })
            {
                Console.Error.WriteLine($"microvm: '{config.Name}': {refusal}");
            }
            return null;
        }
        var changed = Registry(state).Publish(name, config, declaration, file);
        return changed;
    }

    /// <summary>Says what a new runner means for a VM that may be running.</summary>
    internal static void Tell(VmDirectory vm, bool changed, bool isNew)
    {
        Console.WriteLine(isNew ? $"created {vm.Name}; start it with: microvm start {vm.Name}"
            : !changed && (vm.Booted is null || vm.Booted == vm.Current) ? $"{vm.Name} is current"
            : vm.Booted is { } booted && booted != vm.Current ? $"{vm.Name} is updated; it applies on the next start: microvm restart {vm.Name}"
            : $"{vm.Name} is updated");
    }

    /// <summary>Brings bridge.conf and the units' exceptions in step with the VMs, where this machine is their host.</summary>
    internal static void Synchronise(StateDirectory state)
    {
        var host = new HostConfiguration("/");
        if (host.IsInstalled && host.Update(state.All()) && Systemctl.IsRunning)
        {
            _ = Systemctl.Run("daemon-reload");
        }
    }

    /// <summary>Starts with the host, or no longer.</summary>
    internal static int Autostart(VmName name, bool on) => Systemctl.Run("--quiet", on ? "enable" : "disable", "--", name.Unit);

    /// <summary>Runs a verb of systemctl on the VMs' services.</summary>
    internal static int Power(ParseResult result, string verb)
    {
        var state = Directory(result);
        var vms = result.GetValue(Names)!.Select(n => Existing(state, n)).ToList();
        return Systemctl.Run([verb, "--", .. vms.Select(v => v.Name.Unit), .. verb == "stop" ? vms.Select(v => v.Name.InterfacesUnit) : []]) == 0 ? 0 : 1;
    }
}
