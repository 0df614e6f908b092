using System.CommandLine;
using Microvm.Host.GuestConsole;
using Microvm.Host.Systemd;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

internal static class ConsoleCommand
{
    internal static Command Create() => Verb.Define("console", $"Attach this terminal to the console of a running VM; {ConsoleKeys.Key} ends it, and the VM continues to run",
        ["sudo microvm console web", "echo poweroff | sudo microvm console web"], Run, VmHost.Name, VmHost.State);

    private static int Run(ParseResult result)
    {
        var vm = VmHost.Existing(VmHost.Directory(result), result.GetValue(VmHost.Name)!);
        if (Systemctl.States([vm.Name]).GetValueOrDefault(vm.Name.Unit) is not { Active: "active" or "activating" or "deactivating" or "reloading", MainPid: > 0 } unit)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}' is not running; start it with: sudo microvm start {vm.Name}");
            return 1;
        }
        using var console = ConsoleSocket.Attach(vm, unit.MainPid);
        if (console is null)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}' has no console to attach to, since it was started by an earlier version of microvm; 'sudo microvm restart {vm.Name}' gives it one, and what it prints is in: microvm logs {vm.Name}");
            return 1;
        }
        using var interrupts = new Interrupts();
        var isTerminal = TerminalDevice.IsTerminal(TerminalDevice.Input);
        if (isTerminal)
        {
            Console.Error.WriteLine($"microvm: this is the console of '{vm.Name}'; {ConsoleKeys.Key} ends it, and the VM continues to run");
        }
        bool ended;
        using (TerminalDevice.PassKeys(TerminalDevice.Input))
        {
            ended = ConsoleView.Show(console, interrupts.WakeUp);
        }
        if (isTerminal)
        {
            Console.Error.WriteLine(ended ? $"\nmicrovm: the run of '{vm.Name}' has ended" : $"\nmicrovm: left the console of '{vm.Name}'");
        }
        return 0;
    }
}
