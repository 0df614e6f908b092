using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Install;
using Microvm.Host.Systemd;
using Microvm.Hypervisors;

namespace Microvm.Cli.Commands;

internal static class FleetCommand
{
    private static readonly Argument<string> s_file = new("FILE") { Description = "A host's VMs: microvm.vms.NAME.config or .flake, microvm.autostart, microvm.stateDir" };
    private static readonly Option<bool> s_noStart = new("--no-start") { Description = "Only create and update; start nothing" };

    internal static Command Create()
    {
        var fleet = new Command("fleet", "All VMs of one file together");
        fleet.Add(Verb.Define("up", "Create or update all VMs of the file, start those that aren't running, and set which of them start with the host",
            ["sudo microvm fleet up host.nix", "sudo microvm fleet up host.json --no-start"], Up, s_file, s_noStart, Consent.Trust, VmHost.State));
        fleet.Add(Verb.Define("down", "Stop all VMs of the file", ["sudo microvm fleet down host.nix"], Down, s_file, VmHost.State));
        return fleet;
    }

    /// <summary>The VM of that name, where the file is a fleet's; null where it is a single declaration or can't be read.</summary>
    internal static FleetVm? Find(string file, string name)
    {
        var diagnostics = new DiagnosticBag();
        return Declarations.Open(file, diagnostics) is { } node && FleetReader.IsFleet(node) ? FleetReader.Read(node, diagnostics)?.Vms.FirstOrDefault(v => v.Name == name) : null;
    }

    private static Fleet? Read(ParseResult result)
    {
        var diagnostics = new DiagnosticBag();
        var file = result.GetValue(s_file)!;
        if (file == "-")
        {
            throw new UsageException("a fleet's path is kept for updates; write it to a file");
        }
        Fleet? fleet = null;
        if (Declarations.Open(file, diagnostics) is { } node)
        {
            if (!FleetReader.IsFleet(node))
            {
                diagnostics.Error(node.At, "this declares no microvm.vms; a single VM is brought up with 'microvm create' and 'microvm start'");
            }
            else
            {
                fleet = FleetReader.Read(node, diagnostics);
                MicrovmConfig[] configs = [.. fleet?.Vms.Select(v => v.Config).OfType<MicrovmConfig>() ?? []];
                FleetRules.Check(configs, diagnostics);
                foreach (var config in configs)
                {
                    HypervisorTable.Check(config, diagnostics);
                }
            }
        }
        DiagnosticOutput.Print(diagnostics.All, Terminal.Errors, Console.Error);
        return diagnostics.HasErrors ? null : fleet;
    }

    /// <summary>The administrator's: a file may say where its VMs are, and never has root open or fill another directory.</summary>
    private static StateDirectory State(ParseResult result, Fleet fleet)
    {
        var state = VmHost.Directory(result);
        return fleet.StateDirectory is not { } wanted || result.GetResult(VmHost.State) is { Implicit: false } || Path.GetFullPath(wanted) == state.Path ? state
            : throw new UsageException($"the file wants its VMs in microvm.stateDir = \"{Printable.Of(wanted)}\", and where VMs are is the administrator's word, not a file's; if that is meant: microvm fleet up --state-dir {Shell.Quote(wanted)} {Shell.Quote(result.GetValue(s_file)!)}");
    }

    private static int Up(ParseResult result)
    {
        if (Read(result) is not { } fleet)
        {
            return 2;
        }
        var state = State(result, fleet);
        var file = result.GetValue(s_file)!;
        // Everything that can be refused is, before the first VM changes.
        if (fleet.Vms.Any(v => v.Config is { } config && VmHost.IsRefused(config, file)))
        {
            return 2;
        }
        var gone = state.All().Where(v => v.Source == VmSource.File && v.Reference == Path.GetFullPath(file) && fleet.Vms.All(f => f.Name != v.Name.Value)).ToList();
        if (LooksRenamed(fleet, state, gone, file))
        {
            return 1;
        }
        Consent.AskForUnits(result, file, fleet.Vms.Where(v => v.Config is not null).Select(v => (state.Of(VmName.Parse(v.Name)), v.Config!)));
        Consent.AskForFlakes(result, file, fleet.Vms.Where(v => v.Flake is not null).Select(v => (state.Of(VmName.Parse(v.Name)), v.Flake!)));
        var restart = new List<string>();
        foreach (var it in fleet.Vms)
        {
            var name = VmName.Parse(it.Name);
            var isNew = state.Of(name).Current is null;
            var changed = it.Flake is { } flake ? VmHost.BuildFlake(state, name, flake) : VmHost.Publish(state, name, it.Config!, it.Declaration!, file);
            if (changed && !isNew && it.RestartIfChanged)
            {
                restart.Add(name.Unit);
            }
            Console.WriteLine(isNew ? $"created {name}" : changed ? $"updated {name}" : $"{name} is current");
        }
        VmHost.Synchronise(state);
        foreach (var vm in gone)
        {
            Console.WriteLine($"{vm.Name} is no longer in {Printable.Of(file)} and stays as it is; to take it away: sudo microvm stop {vm.Name}; sudo microvm remove {vm.Name}");
        }
        if (!Systemctl.IsRunning || result.GetValue(s_noStart))
        {
            return 0;
        }
        var autostart = fleet.Vms.ToLookup(v => v.Autostart, v => VmName.Parse(v.Name).Unit);
        foreach (var (on, verb) in (ReadOnlySpan<(bool, string)>)[(true, "enable"), (false, "disable")])
        {
            if (autostart[on].Any() && Systemctl.Try(["--quiet", verb, "--", .. autostart[on]]) is { Code: not 0 } refused)
            {
                Console.Error.WriteLine($"microvm: {(new HostConfiguration("/").IsInstalled ? VmHost.Denied(refused.Said, $"microvm fleet up {Shell.Quote(file)}")
                    : $"the VMs are not started: this machine has no units for them yet; set it up with: sudo microvm host install; then: sudo microvm fleet up {Shell.Quote(file)}")}");
                return 1;
            }
        }
        // One call for all: systemd starts them side by side.
        // One that doesn't run is started below, with what it has become.
        if (restart.Count > 0 && Systemctl.Run(["try-restart", "--", .. restart]) != 0)
        {
            return 1;
        }
        List<VmDirectory> vms = [.. fleet.Vms.Select(v => state.Of(VmName.Parse(v.Name)))];
        var before = Systemctl.States([.. vms.Select(v => v.Name)]);
        var code = vms.Count == 0 ? 0 : VmHost.Power(vms, "start");
        var after = Systemctl.States([.. vms.Select(v => v.Name)]);
        var started = vms.Where(v => before.GetValueOrDefault(v.Name.Unit)?.Active != "active" && after.GetValueOrDefault(v.Name.Unit) is { Active: "active", IsFailing: false }).Select(v => v.Name.Value).ToList();
        if (started.Count > 0)
        {
            Console.WriteLine($"started {string.Join(", ", started)}");
        }
        foreach (var vm in fleet.Vms.Select(v => state.Of(VmName.Parse(v.Name))).Where(v => v.Booted is { } b && b != v.Current))
        {
            Console.WriteLine($"{vm.Name} runs from an older declaration; apply it with: microvm restart {vm.Name}");
        }
        return code == 0 ? 0 : 1;
    }

    /// <summary>Tells of new VMs that have interfaces of one that is no longer in the file. Two of that name or MAC could never run together, and a new
    /// VM would have empty disks where it was only given another name.</summary>
    private static bool LooksRenamed(Fleet fleet, StateDirectory state, List<VmDirectory> gone, string file)
    {
        var told = false;
        foreach (var (old, before) in gone.Select(v => (v.Name, v.Declaration)))
        {
            foreach (var vm in fleet.Vms.Where(v => v.Config is not null && state.Of(VmName.Parse(v.Name)).Current is null))
            {
                if (before?.Interfaces.FirstOrDefault(i => vm.Config!.Interfaces.Any(n => n.Id == i.Id || n.Mac == i.Mac)) is { } common)
                {
                    told = true;
                    Console.Error.WriteLine($"microvm: '{Printable.Of(vm.Name)}' has the interface '{common.Id}' (MAC {common.Mac}) of '{old}', which is no longer in {Printable.Of(file)}; if it is the same VM under a new name: "
                        + $"sudo microvm stop {old}; sudo microvm rename {old} {Shell.Quote(vm.Name)}; if it is another: sudo microvm stop {old}; sudo microvm remove {old}; then run this again");
                }
            }
        }
        return told;
    }

    private static int Down(ParseResult result)
    {
        if (Read(result) is not { } fleet)
        {
            return 2;
        }
        var state = State(result, fleet);
        return fleet.Vms.Count == 0 ? 0 : VmHost.Power([.. fleet.Vms.Select(v => state.Of(VmName.Parse(v.Name)))], "stop");
    }
}
