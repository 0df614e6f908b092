using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Run;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

internal static class VirtiofsdCommand
{
    private static readonly Option<bool> s_dry = new("--dry-run") { Description = "Print the command line of each share, and start nothing" };

    internal static Command Create() => Verb.Define("virtiofsd", "Start virtiofsd for each share and keep running until the VM ends, or until SIGTERM or Ctrl-C",
        ["sudo microvm virtiofsd vm.nix", "microvm virtiofsd --dry-run vm.nix"], Run, CommonOptions.Files, ChosenVm.Option, s_dry, Consent.Trust);

    private static int Run(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms)
        {
            return 2;
        }
        var vm = ChosenVm.Of(result, vms);
        if (!vm.HasVirtiofsd)
        {
            throw new UsageException($"'{vm.Name}' has no share of proto virtiofs{(vm.Hypervisor == "vfkit" ? " that vfkit doesn't serve itself" : "")}");
        }
        var program = VirtiofsdProgram.Find(vm);
        List<(Share, IReadOnlyList<string>)> lines = [.. vm.Shares.Where(s => s.IsVirtiofs).Select(s => (s, program.Words(vm, s)))];
        if (result.GetValue(s_dry))
        {
            lines.ForEach(l => Console.WriteLine(string.Join(' ', l.Item2.Select(Shell.Quote))));
            return 0;
        }
        if (program.IsOfQemu && PosixProcess.EffectiveUser != 0)
        {
            Console.Error.WriteLine($"microvm: {program.Path} is the virtiofsd of QEMU 7, which works as root only: run this with sudo");
            return 1;
        }
        Consent.AskOnce(result, result.GetValue(CommonOptions.Files)![0], vm, DeclaredPrograms.OfShares(vm), 0);
        VirtiofsDaemons.Prepare(lines.Select(l => l.Item1));
        Caller.Forget();
        using var interrupts = new Interrupts();
        using var notifier = new ServiceNotifier();
        using var daemons = new VirtiofsDaemons(lines, () => interrupts.Stop);
        notifier.Ready($"{lines.Count} shares");
        daemons.Wait(() => interrupts.Stop);
        return 0;
    }
}
