using System.CommandLine;
using Microvm.Declaration;

namespace Microvm.Cli;

/// <summary>The one VM that a command is about, of a file that may declare many.</summary>
internal static class ChosenVm
{
    internal static readonly Option<string?> Option = new("--vm") { Description = "Which of the VMs that the file declares", HelpName = "VM-NAME" };

    /// <exception cref="UsageException">The file declares none or several, and none was chosen, or none of that name.</exception>
    internal static MicrovmConfig Of(ParseResult result, IReadOnlyList<MicrovmConfig> vms)
    {
        var (name, command) = (result.GetValue(Option), result.CommandResult.Command.Name);
        var names = Names(vms);
        return name is not null ? vms.FirstOrDefault(v => v.Name == name)
                ?? throw new UsageException($"the file declares no VM '{Printable.Of(name)}'; it declares: {names}")
            : vms.Count == 1 ? vms[0]
            : throw new UsageException(vms.Count == 0 ? $"'{command}' is about a VM, and this declares none"
                : $"'{command}' is about one VM, and this declares more; choose one with --vm: {names}");
    }

    /// <summary>What there is to choose from, in words.</summary>
    internal static string Names(IReadOnlyList<MicrovmConfig> vms) => string.Join(", ", vms.Select(v => Printable.Of(v.Name)).Order(StringComparer.Ordinal));
}
