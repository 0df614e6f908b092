using System.Diagnostics;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>What the units do between a VM's runs.</summary>
public static class Boot
{
    /// <summary>Notes that this start is made from <c>current</c>.</summary>
    /// <returns>The runner that was booted before, where it was another.</returns>
    public static string? SetBooted(VmDirectory vm)
    {
        var current = vm.Current ?? throw new IOException($"'{vm.Name}' has no runner; build it with 'microvm update {vm.Name}'");
        var before = vm.Booted;
        if (before == current)
        {
            return null;
        }
        vm.Point("booted", current);
        return before;
    }

    /// <summary>Takes the interfaces of the booted runner down and forgets it. Runs each script even where one fails.</summary>
    /// <returns>Whether all scripts succeeded.</returns>
    public static bool Release(VmDirectory vm, string binary)
    {
        var good = true;
        foreach (var script in (string[])["macvtap-down", "tap-down"])
        {
            var path = vm.At($"booted/bin/{script}");
            good &= !File.Exists(path) || Run(path, vm.Path) == 0;
        }
        // What an earlier declaration made and the last one no longer has.
        good &= Run(binary, vm.Path, "down", "--vm", vm.Name.Value) == 0;
        if (good)
        {
            File.Delete(vm.At("booted"));
        }
        return good;
    }

    /// <summary>Asks the guest to power off and waits for its hypervisor to end; where it can't be asked, the hypervisor gets SIGTERM from systemd.</summary>
    public static bool StopGuest(VmDirectory vm, int pid)
    {
        var path = vm.At("booted/bin/microvm-shutdown");
        if (pid <= 1 || !File.Exists(path) || Run(path, vm.Path) != 0)
        {
            return false;
        }
        try
        {
            // Bounded by TimeoutStopSec= of the unit.
            using var hypervisor = Process.GetProcessById(pid);
            hypervisor.WaitForExit();
        }
        catch (ArgumentException)
        {
            // It has ended already.
        }
        return true;
    }

    private static int Run(string program, string directory, params string[] arguments)
    {
        using var process = SearchPath.Start(new(program, arguments) { WorkingDirectory = directory });
        process.WaitForExit();
        return process.ExitCode;
    }
}
