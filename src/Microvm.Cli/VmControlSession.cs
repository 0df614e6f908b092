using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Hypervisors;

namespace Microvm.Cli;

/// <summary>What the commands that talk to a running VM share.</summary>
internal static class VmControlSession
{
    /// <summary>The one declaration and its control socket, or null after the reason was printed.</summary>
    internal static (MicrovmConfig Vm, ControlSocket Socket)? Find(ParseResult result)
    {
        var files = result.GetValue(CommonOptions.Files)!;
        if (files.Length != 1)
        {
            throw new UsageException($"'{result.CommandResult.Command.Name}' takes one declaration");
        }
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms || HostSession.Attach(vms) is not { } attachments)
        {
            return null;
        }
        var vm = vms[0];
        if (HypervisorTable.Find(vm.Hypervisor) is not { } hypervisor)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}': {vm.Hypervisor} is not known to this version");
            return null;
        }
        if (hypervisor.Render(vm, attachments, new HostFacts(Kvm: false)).Control is not { } socket)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}' has no control socket, so nothing can be asked of it while it runs; set microvm.socket = \"{vm.Name}.sock\"");
            return null;
        }
        return (vm, socket);
    }
}
