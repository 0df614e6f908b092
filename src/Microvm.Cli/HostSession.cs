using System.CommandLine;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Cli;

/// <summary>What the commands that look at the host share: the declarations, the namespace, the links they ask for.</summary>
internal static class HostSession
{
    /// <summary>The declarations, or null after their diagnostics were printed to standard error.</summary>
    internal static IReadOnlyList<MicrovmConfig>? Read(ParseResult result, Argument<string[]> files)
    {
        var diagnostics = new DiagnosticBag();
        var vms = Declarations.Read(result.GetValue(files) ?? [], Console.In, diagnostics);
        DiagnosticOutput.Print(diagnostics.All, Terminal.Errors, Console.Error);
        return diagnostics.HasErrors ? null : vms;
    }

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
        var declared = given is not null || givenGroup is not null ? [] : vms.Where(v => v.User is not null).ToDictionary(v => v.Name, v => Account.Of(v.User, null).User);
        return declared.Count == 0 ? [.. DesiredLink.Of(attachments, user, group)]
            : [.. attachments.SelectMany(a => DesiredLink.Of([a], declared.GetValueOrDefault(a.Vm, user), group))];
    }

    /// <summary>The links of the namespace, to be changed until the user interrupts.</summary>
    internal static HostNetwork Network(Interrupts interrupts) => new()
    {
        Interrupted = () => interrupts.Stop,
        Waiting = () => Console.Error.WriteLine("microvm: another microvm is at work in this network namespace; waiting for it"),
    };
}
