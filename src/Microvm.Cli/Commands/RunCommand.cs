using System.CommandLine;
using Microvm.Host;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class RunCommand
{
    internal static Command Create() => Verb.Define("run", "Start the VM in the place of this process",
        ["microvm run vm.nix"], Run, CommonOptions.Files, CommonOptions.Netns);

    private static int Run(ParseResult result)
    {
        var files = result.GetValue(CommonOptions.Files)!;
        if (files.Length != 1)
        {
            throw new UsageException("'run' takes one declaration; start each VM by its own 'run'");
        }
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms || HostSession.Attach(vms) is not { } attachments || CommandCommand.Render(vms) is not { } lines)
        {
            return 2;
        }
        if (vms[0].Hypervisor == "vfkit")
        {
            throw new UsageException("vfkit runs on macOS only; 'microvm command' prints its command line, or choose another microvm.hypervisor");
        }
        using (var route = HostSession.Open(result))
        {
            var links = route.Links().ToDictionary(l => l.Name);
            var netns = result.GetValue(CommonOptions.Netns) is { } name ? $"--netns {Shell.Quote(name)} " : "";
            var faults = DesiredLink.Of(attachments, null, null).Select(d => Preflight.Fault(d, links.GetValueOrDefault(d.Name), Caller.User)).OfType<string>().ToList();
            if (faults.Count > 0)
            {
                faults.ForEach(f => Console.Error.WriteLine($"microvm: {f}: sudo microvm up {netns}{Shell.Quote(files[0])}"));
                return 1;
            }
        }
        Console.Error.WriteLine(Accelerator.KvmUsable() ? "microvm: running on KVM" : "microvm: KVM can't be used here; running on TCG, which is slower");
        Privilege.GiveUpFor(attachments);
        PosixProcess.Exec(lines[0].Words);
        return 1;
    }
}
