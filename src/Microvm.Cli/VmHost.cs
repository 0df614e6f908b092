using System.CommandLine;
using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Install;
using Microvm.Host.Systemd;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>What the commands that work on a host's VMs share.</summary>
internal static class VmHost
{
    internal const string DefaultState = "/var/lib/microvms";
    internal static readonly Option<string> State = new("--state-dir") { Description = "The directory that contains each VM's directory (default: stateDir in /etc/microvm.conf)", HelpName = "DIR", DefaultValueFactory = _ => DefaultState };
    internal static readonly Argument<string> Name = new("NAME") { Description = "The VM's name" };
    internal static readonly Argument<string[]> Names = new("NAME") { Description = "The VMs' names", Arity = ArgumentArity.OneOrMore };

    internal static StateDirectory Directory(ParseResult result) => new(StatePath(result));

    /// <summary>The administrator's word: the option, which units give, else the file in /etc.</summary>
    internal static string StatePath(ParseResult result) =>
        result.GetResult(State) is { Implicit: false } ? result.GetValue(State)! : HostSettings.StateDirectory(HostSettings.File) ?? DefaultState;

    /// <summary>The path that runners and units call: what was started, whatever link it was started through.</summary>
    internal static string Binary => Environment.ProcessPath ?? throw new IOException("/proc/self/exe can't be read");

    internal static VmRegistry Registry(StateDirectory state) => new(state, Binary);

    /// <summary>The VM of that name, which must be there. One that an earlier version or microvm.nix laid out is moved to where only root writes.</summary>
    /// <param name="adopt">Such a one is taken as it is, whoever wrote it.</param>
    /// <param name="told">The command line tells what it is made from.</param>
    internal static VmDirectory Existing(StateDirectory state, string name, bool adopt = false, bool told = false)
    {
        var vm = state.Of(VmName.Parse(name));
        if (!vm.IsMoved && vm.Exists && PosixProcess.EffectiveUser == 0)
        {
            Earlier.Move(state, vm, adopt, told);
            if (told && vm.IsMoved)
            {
                return vm;
            }
        }
        if (!vm.Exists || vm.Current is null)
        {
            var near = Printable.Nearest(name, state.All().Select(v => v.Name.Value));
            throw new UsageException($"there is no VM '{vm.Name}' in {state.Path}{(near is null ? "; 'microvm list' shows those that are" : $"; did you mean '{near}'?")}");
        }
        return vm;
    }

    /// <summary>Reads one VM's declaration under its name and publishes its runner; null after diagnostics were printed.</summary>
    /// <exception cref="UsageException">What it has run was not agreed to.</exception>
    internal static bool? Publish(ParseResult result, StateDirectory state, VmName name, string file)
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
            config = FleetReader.Renamed(read, name.Value);
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
        // Consent comes last: there is nothing to agree to if it can't be done.
        if (diagnostics.HasErrors || config is null || IsRefused(config, file))
        {
            return null;
        }
        Consent.AskForUnits(result, file, [(state.Of(name), config)]);
        return Publish(state, name, config, (ObjectNode)node!, file);
    }

    /// <summary>Has nix build a VM's runner out of a flake, and publishes it.</summary>
    /// <exception cref="UsageException">The flake was not agreed to.</exception>
    internal static bool? PublishFlake(ParseResult result, StateDirectory state, VmName name, string flake)
    {
        Consent.AskForFlakes(result, null, [(state.Of(name), flake)]);
        return BuildFlake(state, name, flake);
    }

    /// <summary>Builds and publishes what was agreed to, with the arguments of this evaluation, which are kept for the next.</summary>
    internal static bool BuildFlake(StateDirectory state, VmName name, string flake)
    {
        var arguments = Declarations.Evaluation.Arguments;
        return Registry(state).Publish(name, flake, arguments.Count > 0 ? Nix.NixArgument.Set(arguments) : null, NotedArguments.Lines(arguments));
    }

    /// <summary>Publishes a runner that is not refused, and of which what it has run is agreed to.</summary>
    internal static bool Publish(StateDirectory state, VmName name, MicrovmConfig config, ObjectNode declaration, string file) =>
        Registry(state).Publish(name, config, declaration, file, NotedArguments.Lines(Declarations.Evaluation.Arguments));

    /// <summary>Whether its hypervisor can't serve it; then that was printed.</summary>
    internal static bool IsRefused(MicrovmConfig config, string file)
    {
        if (HostSession.Attach([config]) is null)
        {
            return true;
        }
        var missing = HypervisorTable.Missing(config, Nix.NixFrontDoor.IsFlake(file));
        if (missing is not null)
        {
            Console.Error.WriteLine($"microvm: '{config.Name}': {missing}");
        }
        return missing is not null;
    }

    /// <summary>Says what a new runner means for a VM that may be running.</summary>
    internal static void Tell(VmDirectory vm, bool changed, bool isNew)
    {
        Console.WriteLine(isNew ? $"created {vm.Name}; start it with: {(new HostConfiguration("/").IsInstalled ? "" : "sudo microvm host install (once: this machine has no units for VMs yet), then: ")}sudo microvm start {vm.Name}"
            : !changed && (vm.Booted is null || vm.Booted == vm.Current) ? $"{vm.Name} is current"
            : vm.Booted is { } booted && booted != vm.Current ? $"{vm.Name} is updated; it applies on the next start: microvm restart {vm.Name}"
            : $"{vm.Name} is updated");
    }

    /// <summary>Brings bridge.conf and the units' exceptions in step with the VMs, where this machine is their host.</summary>
    internal static void Synchronise(StateDirectory state)
    {
        var host = new HostConfiguration("/");
        if (!host.IsInstalled)
        {
            return;
        }
        bool changed;
        using (state.Lock())
        {
            changed = host.Update(state.All(), state.Path);
        }
        if (changed && Systemctl.IsRunning)
        {
            _ = Systemctl.Run("daemon-reload");
        }
    }

    /// <summary>Starts with the host, or no longer.</summary>
    internal static int Autostart(VmName name, bool on)
    {
        var (code, said) = Systemctl.Try("--quiet", on ? "enable" : "disable", "--", name.Unit);
        if (code != 0)
        {
            Console.Error.WriteLine(new HostConfiguration("/").IsInstalled ? $"microvm: {Denied(said, $"microvm update {name} --autostart {(on ? "true" : "false")}")}"
                : $"microvm: '{name}' can't start with the host, which has no units for VMs yet; set it up with: sudo microvm host install; then: sudo microvm update {name} --autostart true");
        }
        return code;
    }

    /// <summary>How long a VM is watched after a start: a hypervisor that misses something ends within it.</summary>
    private static readonly TimeSpan s_watched = TimeSpan.FromSeconds(1.5);

    /// <summary>Runs a verb of systemctl on the VMs' services.</summary>
    internal static int Power(ParseResult result, string verb)
    {
        var state = Directory(result);
        var vms = result.GetValue(Names)!.Select(n => Existing(state, n)).ToList();
        MustHaveSystemd();
        return Power(vms, verb);
    }

    /// <summary>Before anything is changed.</summary>
    /// <exception cref="IOException">There is none.</exception>
    internal static void MustHaveSystemd()
    {
        if (!Systemctl.IsRunning)
        {
            throw new IOException("this needs systemd, which does not run this host; start one VM by itself with: microvm run FILE");
        }
    }

    /// <summary>Runs a verb of systemctl on VMs' services, all at once, and tells of each that did not come up why.</summary>
    internal static int Power(IReadOnlyList<VmDirectory> vms, string verb)
    {
        var names = vms.Select(v => v.Name).ToList();
        if (verb == "start" && Systemctl.States(names).Values.Where(u => u is { IsFailing: true, Active: not "active" }).Select(u => u.Unit).ToList() is { Count: > 0 } failing)
        {
            // One that waits for its next try is tried now.
            _ = Systemctl.Try(["stop", "--", .. failing]);
        }
        if (verb != "stop")
        {
            MustBeInstalled(names);
        }
        var (code, said) = Systemctl.Try([verb, "--", .. names.Select(n => n.Unit), .. verb == "stop" ? names.Select(n => n.InterfacesUnit) : []]);
        var untold = code != 0;
        if (verb != "stop" && !IsDenied(said))
        {
            foreach (var (name, unit) in Watch(names).Where(f => f.Unit is not { Active: "active" } || f.Unit.IsFailing))
            {
                var why = unit is null ? null : UnitFailure.Of(name, unit);
                Console.Error.WriteLine($"microvm: '{name}' did not start: {why ?? $"its unit is {unit?.Active ?? "not there"}; see: microvm logs {name}"}");
                if (unit is { IsFailing: true, Active: not "failed" })
                {
                    Console.Error.WriteLine($"microvm: '{name}' is retried automatically, less and less often; stop that with: sudo microvm stop {name}");
                }
                (code, untold) = (1, false);
            }
        }
        if (untold)
        {
            Console.Error.WriteLine($"microvm: {Denied(said, $"microvm {verb} {string.Join(' ', names)}")}");
        }
        return code == 0 ? 0 : 1;
    }

    /// <summary>What the units say once none of them changes any more, or the time to watch is over.</summary>
    private static List<(VmName Name, UnitState? Unit)> Watch(List<VmName> names)
    {
        var clock = Stopwatch.StartNew();
        for (; ; )
        {
            var states = Systemctl.States(names);
            if (clock.Elapsed > s_watched || states.Values.All(u => u.Active is "failed" or "inactive" || u.Sub == "auto-restart"))
            {
                return [.. names.Select(n => (n, states.GetValueOrDefault(n.Unit)))];
            }
            Thread.Sleep(100);
        }
    }

    private static void MustBeInstalled(IEnumerable<VmName> names)
    {
        if (!new HostConfiguration("/").IsInstalled && Systemctl.Show([names.First().Unit])[0].Load == "not-found")
        {
            throw new IOException("this machine has no units for VMs yet; set it up with: sudo microvm host install");
        }
    }

    /// <summary>Of what systemctl said, what a person can do something with.</summary>
    internal static string Denied(string said, string command) =>
        IsDenied(said) ? $"user {PosixProcess.EffectiveUser} may not do this; run it with sudo: sudo {command}" : Printable.Lines(said);

    private static bool IsDenied(string said) =>
        ((string[])["Access denied", "Interactive authentication required", "Permission denied"]).Any(d => said.Contains(d, StringComparison.OrdinalIgnoreCase));
}
