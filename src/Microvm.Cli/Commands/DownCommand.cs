using System.CommandLine;
using Microvm.Declaration;

namespace Microvm.Cli.Commands;

internal static class DownCommand
{
    private static readonly Option<string[]> s_vm = new("--vm") { Description = "Of the files this VM alone; without a file, a VM whose declaration is gone; may be repeated", HelpName = "NAME", DefaultValueFactory = _ => [] };

    private static readonly Option<string[]> s_link = new("--link") { Description = "Only this one of their links; may be repeated", HelpName = "NAME", DefaultValueFactory = _ => [] };

    internal static Command Create() => Verb.Define("down", "Delete the interfaces of the declared VMs",
        ["sudo microvm down vm.nix", "sudo microvm down host.nix --vm web", "sudo microvm down --vm gone"], Run, CommonOptions.FilesOrVm, s_vm, s_link, CommonOptions.DeleteRunning, CommonOptions.Only, CommonOptions.Json, CommonOptions.Netns);

    private static int Run(ParseResult result)
    {
        var named = result.GetValue(s_vm)!;
        if (named.Length == 0 && result.GetValue(CommonOptions.FilesOrVm) is not { Length: > 0 })
        {
            throw new UsageException("'down' needs a declaration, or --vm NAME");
        }
        if (HostSession.Read(result, CommonOptions.FilesOrVm) is not { } vms)
        {
            return 2;
        }
        if (named.Length > 0 && result.GetValue(CommonOptions.FilesOrVm) is { Length: > 0 })
        {
            vms = Chosen(vms, named);
            named = [];
        }
        var links = result.GetValue(s_link)!.SelectMany(l => l.Split('\n', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        using var interrupts = new Interrupts();
        using var network = HostSession.Network(result, interrupts);
        if (!named.Contains("nixos") && links.Length == 0)
        {
            HostSession.SpareTheNameless(vms, network.Route.Links(statistics: false));
        }
        var plan = network.Down([.. vms.Select(v => v.Name), .. named], result.GetValue(CommonOptions.Only), links.Length > 0 ? links : null, result.GetValue(CommonOptions.DeleteRunning),
            [.. DeclaredNetwork.Of(vms).Select(n => n.Name)]);
        return Verb.Report(plan.HasChanges && plan.Refusals.Count == 0, () =>
        {
            PlanOutput.Print(plan, result.GetValue(CommonOptions.Json));
            return plan.Refusals.Count > 0 ? 1 : 0;
        });
    }

    private static IReadOnlyList<MicrovmConfig> Chosen(IReadOnlyList<MicrovmConfig> vms, string[] names) =>
        names.FirstOrDefault(n => vms.All(v => v.Name != n)) is not { } unknown ? [.. vms.Where(v => names.Contains(v.Name))]
            : throw new UsageException($"the declaration has no VM '{Printable.Of(unknown)}'; it has: {ChosenVm.Names(vms)}. For one whose declaration is gone, leave the file out: sudo microvm down --vm {Printable.Of(Shell.Quote(unknown))}");
}
