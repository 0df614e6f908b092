using System.CommandLine;
using System.Globalization;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Control;
using Microvm.Host.Systemd;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

internal static class ShutdownCommand
{
    private static readonly Option<int> s_timeout = new("--timeout")
    {
        Description = "Seconds that the guest may take to power off; after that the hypervisor is told to end",
        HelpName = "SECONDS",
        DefaultValueFactory = _ => (int)GracefulStop.DefaultLimit.TotalSeconds,
    };

    private static readonly Argument<string> s_target = new("NAME") { Description = "A VM of this host by name, or a declaration file" };

    internal static Command Create() => Verb.Define("shutdown", "Ask the guest of a running VM to shut down, over its control socket, and wait until the VM has ended",
        ["microvm shutdown web", "microvm shutdown vm.nix", "microvm shutdown host.nix --vm web", "microvm shutdown --timeout 10 vm.nix"], Run, s_target, ChosenVm.Option, s_timeout, VmHost.State);

    private static int Run(ParseResult result)
    {
        var seconds = result.GetValue(s_timeout);
        if (seconds is < 0 or > 86_400)
        {
            throw new UsageException("--timeout is between 0 and 86400 seconds");
        }
        var target = result.GetValue(s_target)!;
        if (VmName.TryParse(target, out _) && !File.Exists(target) && !Directory.Exists(target))
        {
            return OfHost(VmHost.Existing(VmHost.Directory(result), target), result.GetResult(s_timeout) is { Implicit: false } ? seconds : null);
        }
        if (VmControlSession.Find(result, target) is not var (vm, socket))
        {
            return 2;
        }
        try
        {
            switch (GracefulStop.Stop(socket, vm.MemoryMiB, TimeSpan.FromSeconds(seconds), SocketHolders.Of(target, vm.User)))
            {
                case StopOutcome.WasNotRunning when Running(vm.Name) is { } unit:
                    Console.Error.WriteLine($"microvm: '{vm.Name}' runs as {unit.Unit} (process {unit.MainPid}), and nobody answers at {Printable.Of(socket.Path)}, so its guest can't be asked; end it with: sudo microvm stop {vm.Name}");
                    return 1;
                case StopOutcome.WasNotRunning:
                    Console.WriteLine($"'{vm.Name}' is not running");
                    return 0;
                case StopOutcome.ShutDown:
                    Console.WriteLine($"'{vm.Name}' has shut down");
                    return 0;
                case StopOutcome.EndedUnasked:
                    Console.WriteLine($"'{vm.Name}' was ended: {vm.Hypervisor} can't ask its guest");
                    return 0;
                case StopOutcome.Ended:
                    Console.Error.WriteLine($"microvm: '{vm.Name}' did not shut down within {seconds} s, so its hypervisor was told to end");
                    return 1;
                default:
                    Console.Error.WriteLine($"microvm: '{vm.Name}' did not shut down within {seconds} s and still runs; end its process");
                    return 1;
            }
        }
        catch (ControlException e)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}': {e.Message}");
            return 1;
        }
    }

    /// <summary>The VM's unit, where it runs: the unit itself, asking for its own VM, is told by <c>stop-guest</c>.</summary>
    private static UnitState? Running(string name) =>
        Environment.GetEnvironmentVariable("INVOCATION_ID") is null && VmName.TryParse(name, out var vm) && Systemctl.IsRunning
            && Systemctl.States([vm]).GetValueOrDefault(vm.Unit) is { Active: "active", MainPid: > 0 } unit ? unit : null;

    /// <summary>Becomes the script of the runner that was started, which may be microvm.nix's; its socket is in the VM's directory.</summary>
    private static int OfHost(VmDirectory vm, int? seconds)
    {
        var script = vm.Steer("booted/bin/microvm-shutdown");
        if (!File.Exists(script))
        {
            if (vm.Booted is null)
            {
                Console.WriteLine($"'{vm.Name}' is not running");
                return 0;
            }
            Console.Error.WriteLine($"microvm: the guest of '{vm.Name}' can't be asked to shut down; end it with: sudo microvm stop {vm.Name}");
            return 1;
        }
        if (Running(vm.Name.Value) is { } unit)
        {
            Console.Error.WriteLine($"microvm: note: {unit.Unit} starts '{vm.Name}' again once it has shut down; to keep it down: sudo microvm stop {vm.Name}");
        }
        Environment.CurrentDirectory = vm.Path;
        PosixProcess.Exec([script, .. seconds is { } limit ? (string[])["--timeout", limit.ToString(CultureInfo.InvariantCulture)] : []]);
        return 1;
    }
}
