using System.CommandLine;

namespace Microvm.Cli.Commands;

internal static class StopCommand
{
    internal static Command Create() => Verb.Define("stop", "Stop VMs: power off their guests, then delete their interfaces",
        ["sudo microvm stop web", "sudo microvm stop web db"], result => VmHost.Power(result, "stop"), VmHost.Names, VmHost.State);
}
