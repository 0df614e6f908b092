using System.CommandLine;
using System.CommandLine.Parsing;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Network.Resources;

namespace Microvm.Cli;

/// <summary>What the commands that look at the host share: the declarations, the namespace, the links they ask for.</summary>
internal static class HostSession
{
    /// <summary>The declarations, or null after their diagnostics were printed to standard error.</summary>
    internal static IReadOnlyList<MicrovmConfig>? Read(ParseResult result, Argument<string[]> files)
    {
        var diagnostics = new DiagnosticBag();
        var vms = Declarations.Read([.. (result.GetValue(files) ?? []).Select(f => NamedVm.File(result, f))], Console.In, diagnostics);
        Privilege.Read(result, networks: result.CommandResult.Command.Name == "down" || result.CommandResult.Parent is CommandResult { Command.Name: "network" } || DeclaredNetwork.Of(vms).Count > 0,
            rules: GuardTable.IsUsed(vms));
        var warned = diagnostics.HasErrors || !IsLook(result) ? [] : diagnostics.All.Where(d => d.Severity == Severity.Warning).ToList();
        DiagnosticOutput.Print(diagnostics.All.Except(warned), Terminal.Errors, Console.Error);
        if (warned.Count > 0)
        {
            Console.Error.WriteLine($"microvm: note: {(warned.Count == 1 ? "there is a warning about the declaration; see it" : $"there are {warned.Count} warnings about the declaration; see them")} with: microvm check {string.Join(' ', (result.GetValue(files) ?? []).Select(f => Printable.Of(Shell.Quote(f), int.MaxValue)))}");
        }
        return diagnostics.HasErrors ? null : vms;
    }

    /// <summary>Commands that look at what runs, or take it down, again and again: what the declaration is warned of belongs to those that check and use it.</summary>
    private static bool IsLook(ParseResult result) => result.CommandResult.Command.Name is "status" or "top" or "metrics" or "topology" or "down";

    /// <summary>The attachments of all interfaces, or null after a refusal was printed.</summary>
    internal static IReadOnlyList<Attachment>? Attach(IReadOnlyList<MicrovmConfig> vms, ParseResult? result = null)
    {
        var chosen = result?.CommandResult.Command.Options.Contains(CommonOptions.Attachment) == true ? AttachmentChoice.Parse(result.GetValue(CommonOptions.Attachment)!) : [];
        var attachments = new List<Attachment>();
        foreach (var vm in vms)
        {
            attachments.AddRange(HypervisorTable.Attach(vm, out var refusal).Select(a => chosen.Remove(a.Interface.Id.Value, out var kind) ? AttachmentChoice.Apply(vm, a, kind) : a));
            if (refusal is not null)
            {
                Console.Error.WriteLine($"microvm: {refusal}");
                return null;
            }
        }
        return chosen.Count == 0 ? attachments : throw new UsageException($"--attachment names '{Printable.Of(chosen.Keys.First())}', and no interface has that id");
    }

    /// <summary>The links of all attachments, each for the user who is to open it: <c>--user</c>, else the VM's <c>microvm.user</c>.</summary>
    internal static List<DesiredLink> Desired(ParseResult result, IReadOnlyList<MicrovmConfig> vms, IReadOnlyList<Attachment> attachments)
    {
        var (given, givenGroup) = (result.GetValue(CommonOptions.User), result.GetValue(CommonOptions.Group));
        var (user, group) = Account.Of(given, givenGroup);
        // The units give the links of this host's VMs to the user microvm, whatever the declaration says.
        var declared = given is not null || givenGroup is not null ? [] : vms.Where(v => v.User is not null || NamedVm.Is(v.Name))
            .ToDictionary(v => v.Name, v => NamedVm.Is(v.Name) ? AccountFile.Number(AccountFile.Users, "microvm") ?? 0 : Account.Of(v.User, null).User);
        return declared.Count == 0 ? [.. DesiredLink.Of(attachments, user, group)]
            : [.. attachments.SelectMany(a => DesiredLink.Of([a], declared.GetValueOrDefault(a.Vm, user), group))];
    }

    /// <summary>The name of every declaration that gives none (NixOS's own default for <c>networking.hostName</c>): it identifies nobody.</summary>
    private const string Nameless = "nixos";

    /// <summary>Under the name that nobody chose, other files' links may stand: none goes that the declaration does not have.</summary>
    /// <exception cref="UsageException">The plan would delete such a link.</exception>
    internal static Plan SpareTheNameless(Plan plan)
    {
        Spare([.. plan.Steps.Where(s => s.Kind == StepKind.Delete && s.Vm == Nameless).Select(s => s.Name)]);
        return plan;
    }

    /// <summary>As <see cref="SpareTheNameless(Plan)"/>, before all links of the VMs are taken down.</summary>
    internal static void SpareTheNameless(IReadOnlyList<MicrovmConfig> vms, IReadOnlyList<Link> links)
    {
        var declared = vms.Where(v => v.Name == Nameless).SelectMany(v => v.Interfaces.Select(i => i.Id.Value)).ToHashSet();
        if (vms.Any(v => v.Name == Nameless))
        {
            Spare([.. links.Where(l => Ownership.Vm(l.Alias) == Nameless && Ownership.Id(l.Alias) is { } id && !declared.Contains(id)).Select(l => l.Name)]);
        }
    }

    private static void Spare(string[] links)
    {
        if (links.Length > 0)
        {
            throw new UsageException($"the declaration has no networking.hostName, so its VM is '{Nameless}', as that of every other file without one; '{Printable.Of(links[0])}'{(links.Length > 1 ? $" and {links.Length - 1} more" : "")} of '{Nameless}' would be deleted, which another file may have made. Set networking.hostName; or if all links of '{Nameless}' are to go first: sudo microvm down --vm {Nameless}");
        }
    }

    /// <summary>The links of the namespace, to be changed until the user interrupts.</summary>
    internal static HostNetwork Network(ParseResult result, Interrupts interrupts) => new()
    {
        Netns = result.GetValue(CommonOptions.Netns),
        Interrupted = () => interrupts.Stop,
        Waiting = () => Console.Error.WriteLine($"microvm: another microvm is at work in this network namespace{(NamespaceLock.Holder() is { } holder ? $", {Printable.Of(holder)}" : "")}; waiting for it"),
    };
}
