using System.CommandLine;
using System.Globalization;
using Microvm.Host;
using Microvm.Host.Control;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

internal static class BalloonCommand
{
    private static readonly Argument<string> s_target = new("NAME") { Description = "A VM of this host by name, or a declaration file" };
    private static readonly Argument<string> s_size = new("MIB") { Description = "The memory that the guest should have, in MiB" };

    internal static Command Create() => Verb.Define("balloon", "Set the memory of a running VM, over its control socket, and print how much the guest has now",
        ["microvm balloon web 256", "microvm balloon vm.nix 256"], Run, s_target, s_size, ChosenVm.Option, VmHost.State);

    private static int Run(ParseResult result)
    {
        if (!long.TryParse(result.GetValue(s_size), NumberStyles.None, CultureInfo.InvariantCulture, out var size) || size is < 1 or > 16 * 1024 * 1024)
        {
            throw new UsageException("the size is a whole number of MiB, like 256");
        }
        var target = result.GetValue(s_target)!;
        if (VmName.TryParse(target, out _) && !File.Exists(target) && !Directory.Exists(target))
        {
            return OfHost(VmHost.Existing(VmHost.Directory(result), target), size);
        }
        if (VmControlSession.Find(result, target) is not var (vm, socket))
        {
            return 2;
        }
        try
        {
            using var control = VmControl.Open(socket, vm.MemoryMiB, SocketHolders.Of(target, vm.User));
            if (control is null)
            {
                Console.Error.WriteLine($"microvm: '{vm.Name}' is not running");
                return 1;
            }
            Console.WriteLine((control.SetMemory(size) ?? size).ToString(CultureInfo.InvariantCulture));
            return 0;
        }
        catch (ControlException e)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}': {e.Message}");
            return 1;
        }
    }

    /// <summary>Becomes the script of the runner that was started, which may be microvm.nix's; its socket is in the VM's directory.</summary>
    private static int OfHost(VmDirectory vm, long size)
    {
        var script = vm.Steer("booted/bin/microvm-balloon");
        if (!File.Exists(script))
        {
            Console.Error.WriteLine(vm.Booted is null ? $"microvm: '{vm.Name}' is not running" : $"microvm: '{vm.Name}' has no control socket or no balloon; set microvm.socket and microvm.balloon");
            return 1;
        }
        Environment.CurrentDirectory = vm.Path;
        PosixProcess.Exec([script, size.ToString(CultureInfo.InvariantCulture)]);
        return 1;
    }
}
