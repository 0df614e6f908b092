using System.Diagnostics;
using Microvm.Host.Run;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>What the units do between a VM's runs.</summary>
public static class Boot
{
    /// <summary>Before anything of a runner is run: whether it is what was built.</summary>
    /// <exception cref="IOException">It is not, or there is none.</exception>
    public static void Verify(VmDirectory vm)
    {
        if (vm.Current is null)
        {
            throw new IOException($"'{vm.Name}' has no runner; build it with 'microvm update {vm.Name}'");
        }
        if (RunnerStore.Fault(vm) is { } fault)
        {
            throw new IOException($"'{vm.Name}' is not started: {fault}; build it again with 'microvm update {vm.Name}'");
        }
    }

    /// <summary>Notes that this start is made from <c>current</c>.</summary>
    /// <exception cref="IOException">It is not what was built.</exception>
    public static void SetBooted(VmDirectory vm)
    {
        Verify(vm);
        using var steering = vm.Hold();
        using var alone = StateDirectory.Lock(steering);
        // Pointed anew even at the same one: its age tells whether it is of a run since the host was started (VmDirectory.IsBooted).
        vm.Point(steering, "booted", vm.Current!);
    }

    /// <summary>Takes the interfaces of the booted runner down and forgets it. Runs each script even where one fails.</summary>
    /// <returns>Whether all scripts succeeded.</returns>
    public static bool Release(VmDirectory vm, string binary)
    {
        var good = true;
        foreach (var script in (string[])["macvtap-down", "tap-down"])
        {
            var path = vm.Steer($"booted/bin/{script}");
            good &= !File.Exists(path) || Run(path, vm.Path) == 0;
        }
        // What an earlier declaration made and the last one no longer has.
        good &= Run(binary, vm.Path, "down", "--vm", vm.Name.Value) == 0;
        if (good)
        {
            using var steering = vm.Hold();
            steering.Remove("booted");
            vm.Show("booted", null);
        }
        return good;
    }

    /// <summary>How long a hypervisor may take to end once its guest has shut down.</summary>
    private static readonly TimeSpan s_afterShutdown = TimeSpan.FromSeconds(3);

    /// <summary>How old a hypervisor is that has made its control socket.</summary>
    private static readonly TimeSpan s_young = TimeSpan.FromSeconds(10);

    /// <summary>Asks the guest to power off and waits for its hypervisor to end; where it can't be asked, the hypervisor gets SIGTERM from systemd.</summary>
    /// <param name="tell">Called with why it is not the guest that ends the VM.</param>
    /// <returns>Whether the hypervisor has ended.</returns>
    public static bool StopGuest(VmDirectory vm, int pid, Action<string> tell)
    {
        var path = vm.Steer("booted/bin/microvm-shutdown");
        if (pid <= 1)
        {
            return false;
        }
        if (!File.Exists(path))
        {
            tell($"'{vm.Name}' has no control socket, so its guest can't be asked to shut down; its hypervisor is ended");
            return false;
        }
        try
        {
            using var hypervisor = Process.GetProcessById(pid);
            for (; ; )
            {
                if (Run(path, vm.Path) != 0)
                {
                    tell($"'{vm.Name}': its guest could not be shut down; its hypervisor is ended");
                    return false;
                }
                if (hypervisor.WaitForExit(s_afterShutdown))
                {
                    return true;
                }
                if (DateTime.Now - hypervisor.StartTime > s_young)
                {
                    // Nobody listens behind the control socket, or somebody else: its file was deleted or replaced while the VM ran.
                    tell($"'{vm.Name}' runs (process {pid}), and nobody answers at its control socket, which is gone or not its own; its hypervisor is ended");
                    return false;
                }
                // It was started this very moment, and its control socket is still to come.
            }
        }
        catch (ArgumentException)
        {
            // It has ended already.
            return true;
        }
    }

    /// <summary>What keeps a VM from starting, as its user: units before it that failed, files that it boots from.</summary>
    /// <param name="run">/run but in tests: systemd keeps a folder there for each of the VM's units that is active.</param>
    public static IEnumerable<string> NotReady(VmDirectory vm, string run = "/run")
    {
        var held = Directory.Exists($"{run}/microvm-interfaces@{vm.Name}");
        foreach (var (kind, script) in (IEnumerable<(string, string?)>)[("tap-interfaces", "tap-up"), ("macvtap-interfaces", "macvtap-up"), ("pci-devices", "pci-setup"), ("set-booted", null), ("virtiofsd", "virtiofsd-run")])
        {
            if ((script is null || File.Exists(vm.Steer($"current/bin/{script}"))) && !Directory.Exists($"{run}/microvm-{kind}@{vm.Name}"))
            {
                // The units of the interfaces need this one, and never ran where it failed. Alone it tells nothing: one that an earlier version started has no folder.
                var first = held || kind is not ("tap-interfaces" or "macvtap-interfaces" or "set-booted") ? kind : "interfaces";
                return [$"{vm.Name.Part(first)} failed, and says why: journalctl -u {vm.Name.Part(first)}"];
            }
        }
        return vm.Declaration is { } config ? BootFiles.Missing(config, vm.Path).Select(m => m.Fault) : [];
    }

    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(60);

    /// <summary>How long to wait before a VM is started again by itself. Pure.</summary>
    /// <param name="restarts">How often it was, since somebody started it.</param>
    /// <param name="ran">How long it ran before, and how long ago that ended; zero and a long time where it did not.</param>
    public static TimeSpan PauseAfter(int restarts, TimeSpan ran, TimeSpan ago) =>
        restarts <= 1 || ran >= s_longestPause && ago < TimeSpan.FromSeconds(20) ? TimeSpan.Zero
        : TimeSpan.FromSeconds(Math.Min(1L << Math.Min(restarts - 1, 10), (long)s_longestPause.TotalSeconds));

    private static int Run(string program, string directory, params string[] arguments)
    {
        using var process = SearchPath.Start(new(program, arguments) { WorkingDirectory = directory });
        process.WaitForExit();
        return process.ExitCode;
    }
}
