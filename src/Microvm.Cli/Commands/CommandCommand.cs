using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Run;
using Microvm.Hypervisors;

namespace Microvm.Cli.Commands;

internal static class CommandCommand
{
    internal static Command Create() => Verb.Define("command", "Print the hypervisor's command line (--json: an array)",
        ["microvm command vm.nix", "microvm command --json vm.nix"], Run, CommonOptions.Files, CommonOptions.Json);

    private static int Run(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms || Render(vms, result.GetValue(CommonOptions.Files)!) is not { } lines)
        {
            return 2;
        }
        foreach (var words in lines.Select(l => l.Words))
        {
            Console.WriteLine(result.GetValue(CommonOptions.Json) ? JsonSerializer.Serialize([.. words], Reports.Default.StringArray) : string.Join(' ', words.Select(Shell.Quote)));
        }
        return 0;
    }

    /// <summary>How each VM is started, or null after a refusal was printed.</summary>
    internal static List<Invocation>? Render(IReadOnlyList<MicrovmConfig> vms, IReadOnlyList<string> files)
    {
        var host = new HostFacts(Accelerator.KvmUsable(), RuntimeInformation.OSArchitecture);
        var lines = new List<Invocation>();
        foreach (var vm in vms)
        {
            if (HostSession.Attach([vm]) is not { } attachments)
            {
                return null;
            }
            if (HypervisorTable.Missing(vm, files.Any(Nix.NixFrontDoor.IsFlake)) is { } why)
            {
                Console.Error.WriteLine($"microvm: '{vm.Name}': {why}");
                return null;
            }
            foreach (var words in files.Take(1).SelectMany(f => StoreBuild.Words(f, vm)))
            {
                Console.Error.WriteLine($"microvm: note: {words}");
            }
            var hypervisor = HypervisorTable.Find(vm.Hypervisor)!;
            lines.Add(hypervisor.Render(vm, attachments, HypervisorProcess.Look(vm, attachments, hypervisor.Render(vm, attachments, host).Words[0], host)));
        }
        return lines;
    }
}
