using System.CommandLine;

namespace Microvm.Cli.Reference;

/// <summary>Which commands stand together in the help, in what order.</summary>
internal static class CommandGroups
{
    private static readonly (string Title, string[] Names)[] s_groups =
    [
        ("A declaration and its interfaces", ["init", "check", "plan", "up", "down", "watch", "mac"]),
        ("Running a VM", ["command", "run", "ssh", "shutdown", "balloon", "virtiofsd", "build"]),
        ("Seeing", ["status", "ip", "network", "top", "topology", "capture", "metrics", "reach"]),
        ("A host with many VMs", ["host", "create", "update", "start", "stop", "restart", "list", "logs", "console", "rename", "remove", "fleet"]),
        ("Understanding, and tools", ["doctor", "explain", "schema", "options", "completions", "man"]),
    ];

    /// <summary>The commands in their groups; one that stands in no group comes last, so that none is ever hidden.</summary>
    internal static IReadOnlyList<CommandGroup> Of(IReadOnlyList<Command> commands)
    {
        var grouped = s_groups.Select(g => new CommandGroup(g.Title,
            [.. g.Names.Select(n => commands.FirstOrDefault(c => c.Name == n)).OfType<Command>().Select(CommandPage.Summarize)]));
        var rest = new CommandGroup("More", [.. commands.Where(c => !s_groups.Any(g => g.Names.Contains(c.Name))).Select(CommandPage.Summarize)]);
        return [.. grouped.Append(rest).Where(g => g.Commands.Count > 0)];
    }
}
