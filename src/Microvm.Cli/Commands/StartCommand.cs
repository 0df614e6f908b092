using System.CommandLine;

namespace Microvm.Cli.Commands;

internal static class StartCommand
{
    internal static Command Create() => Verb.Define("start", "Start VMs: their interfaces first, then the hypervisor",
        ["sudo microvm start web", "sudo microvm start web db"], result => VmHost.Power(result, "start"), VmHost.Names, VmHost.State);
}
