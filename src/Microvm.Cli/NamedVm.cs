using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;

namespace Microvm.Cli;

/// <summary>The name of one of this host's VMs, where a command that looks expects a FILE.</summary>
internal static class NamedVm
{
    /// <summary>Those that look, <c>up</c>, by which they say that a link is mended, and <c>watch</c>, which mends by itself. What starts a VM or takes its links away has verbs of its own for them.</summary>
    private static readonly string[] s_commands = ["status", "top", "metrics", "doctor", "plan", "topology", "explain", "check", "command", "up", "watch"];

    private static readonly HashSet<string> s_found = [];

    /// <summary>Whether a VM's declaration was found by its name.</summary>
    internal static bool Is(string vm) => s_found.Contains(vm);

    /// <summary>The file of that name; else, where there is none, the declaration that the VM of this name was started from, or that of its next start. A
    /// word that is neither stays as it is.</summary>
    internal static string File(ParseResult result, string word)
    {
        if (!s_commands.Contains(result.CommandResult.Command.Name) || !VmName.TryParse(word, out var name) || Declaration(result, name) is not { } declaration)
        {
            return word;
        }
        if (Path.Exists(word))
        {
            Console.Error.WriteLine($"microvm: note: '{Printable.Of(word)}' is taken for the file in this folder; for this host's VM of that name type the command in another folder");
            return word;
        }
        s_found.Add(name.Value);
        return declaration;
    }

    private static string? Declaration(ParseResult result, VmName name)
    {
        try
        {
            // Not every command that takes a name has --state-dir.
            var state = result.CommandResult.Command.Options.Contains(VmHost.State) ? VmHost.Directory(result)
                : new StateDirectory(HostSettings.StateDirectory(HostSettings.File) ?? VmHost.DefaultState);
            var vm = state.Of(name);
            return vm.DeclarationFile("booted") ?? vm.DeclarationFile("current");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not ours to look at: then it is as if there were none.
            return null;
        }
    }
}
