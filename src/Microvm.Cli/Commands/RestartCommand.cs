using System.CommandLine;

namespace Microvm.Cli.Commands;

internal static class RestartCommand
{
    internal static Command Create() => Verb.Define("restart", "Restart VMs and apply changed declarations; interfaces that are as declared stay",
        ["sudo microvm restart web", "sudo microvm restart web db"], result => VmHost.Power(result, "restart"), VmHost.Names, VmHost.State);
}
