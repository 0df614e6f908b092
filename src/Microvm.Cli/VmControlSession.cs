using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Hypervisors;

namespace Microvm.Cli;

/// <summary>What the commands that talk to a running VM share.</summary>
internal static class VmControlSession
{
    /// <summary>The one declaration, or null after the reason was printed.</summary>
    internal static (MicrovmConfig Vm, IReadOnlyList<Attachment> Attachments)? Read(ParseResult result, string file)
    {
        var diagnostics = new DiagnosticBag();
        var vms = Declarations.Read([file], Console.In, diagnostics);
        DiagnosticOutput.Print(diagnostics.All, Terminal.Errors, Console.Error);
        if (diagnostics.HasErrors)
        {
            return null;
        }
        var vm = ChosenVm.Of(result, vms);
        return HostSession.Attach([vm]) is { } attachments ? (vm, attachments) : null;
    }

    /// <summary>The one declaration and its control socket, or null after the reason was printed.</summary>
    internal static (MicrovmConfig Vm, ControlSocket Socket)? Find(ParseResult result, string file)
    {
        if (Read(result, file) is not var (vm, attachments))
        {
            return null;
        }
        if (HypervisorTable.Find(vm.Hypervisor) is not { } hypervisor)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}': {vm.Hypervisor} is not known to this version");
            return null;
        }
        // Only the socket is asked for: who talks to a running VM need not say what it was booted from.
        if (hypervisor.Render(vm with { Kernel = vm.Kernel ?? "/" }, attachments, new HostFacts(Kvm: false)).Control is not { } socket)
        {
            Console.Error.WriteLine(hypervisor.Facts.Stop == StopWay.Signal
                ? $"microvm: '{vm.Name}' can't be asked while it runs: {hypervisor.Name} has no control socket; shut it down from inside, or end its process"
                : $"microvm: '{vm.Name}' has no control socket, so nothing can be asked of it while it runs; set microvm.socket = \"{vm.Name}.sock\"");
            return null;
        }
        return (vm, socket);
    }
}
