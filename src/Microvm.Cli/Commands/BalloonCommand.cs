using System.CommandLine;
using System.Globalization;
using Microvm.Host.Control;

namespace Microvm.Cli.Commands;

internal static class BalloonCommand
{
    private static readonly Option<string?> s_size = new("--size") { Description = "What the guest shall have, in MiB", HelpName = "MIB", Required = true };

    internal static Command Create() => Verb.Define("balloon", "Set the memory of a running VM, over its control socket",
        ["microvm balloon --size 256 vm.nix"], Run, CommonOptions.Files, s_size);

    private static int Run(ParseResult result)
    {
        if (!long.TryParse(result.GetValue(s_size), NumberStyles.None, CultureInfo.InvariantCulture, out var size) || size is < 1 or > 16 * 1024 * 1024)
        {
            throw new UsageException("--size is a whole number of MiB, like 256");
        }
        if (VmControlSession.Find(result) is not var (vm, socket))
        {
            return 2;
        }
        try
        {
            using var control = VmControl.Open(socket, vm.MemoryMiB);
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
}
