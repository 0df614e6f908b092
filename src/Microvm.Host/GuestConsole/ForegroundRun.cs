using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Host.Control;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.GuestConsole;

/// <summary>A VM at a terminal: this process passes keys and output on, and <see cref="ConsoleKeys.Key"/> ends the VM.</summary>
/// <param name="vm">The VM.</param>
/// <param name="control">Where its guest is asked to power off; null where it can't be.</param>
/// <param name="tell">Called with what a person should know.</param>
internal sealed class ForegroundRun(MicrovmConfig vm, ControlSocket? control, Action<string> tell)
{
    private Process? _job;
    private int _pressed;

    /// <summary>Whether a person sits at standard input.</summary>
    internal static bool IsWanted => TerminalDevice.IsOurs(TerminalDevice.Input);

    /// <summary>Runs a program as the guest's hypervisor, and puts the terminal back at its end.</summary>
    /// <param name="words">The program first.</param>
    /// <param name="name">What the process calls itself; null for the program's own name.</param>
    /// <param name="descriptors">Descriptors to hand over: the first becomes fd 3, the next fd 4, and so on.</param>
    /// <param name="close">Closes them here: a link must not stay open when the hypervisor has closed it.</param>
    /// <returns>The program's exit code.</returns>
    /// <exception cref="LinuxException">There is no pseudo-terminal, or the program can't be started.</exception>
    internal int Run(IReadOnlyList<string> words, string? name, IReadOnlyList<int> descriptors, Action close)
    {
        var (master, slave) = TerminalDevice.OpenPair();
        using (master)
        using (slave)
        using (TerminalDevice.PassKeys(TerminalDevice.Input))
        {
            TerminalDevice.CopySize(TerminalDevice.Input, slave.Value);
            using var job = _job = ConsoleJob.Start(slave, words, descriptors, name);
            close();
            using var relay = new ConsoleRelay(master, job) { Keys = new ConsoleKeys(Pressed).Of };
            return relay.Run();
        }
    }

    private void Pressed()
    {
        switch (++_pressed)
        {
            case 1:
                tell($"{ConsoleKeys.Key} again powers '{Printable.Of(vm.Name)}' off");
                break;
            case 2 when control is not null:
                tell($"asking the guest to power off; {ConsoleKeys.Key} again ends {vm.Hypervisor} at once");
                _ = Task.Run(Ask);
                break;
            case 2 or 3:
                tell($"ending {vm.Hypervisor}");
                PosixProcess.Terminate(_job!.Id);
                break;
            default:
                PosixProcess.Kill(_job!.Id);
                break;
        }
    }

    private void Ask()
    {
        try
        {
            if (GracefulStop.Stop(control!, vm.MemoryMiB, GracefulStop.DefaultLimit) == StopOutcome.WasNotRunning)
            {
                tell($"nobody answers at the control socket {Printable.Of(control!.Path)}; {ConsoleKeys.Key} again ends {vm.Hypervisor}");
            }
        }
        catch (ControlException e)
        {
            tell($"{Printable.Lines(e.Message)}; {ConsoleKeys.Key} again ends {vm.Hypervisor}");
        }
    }
}
