using System.CommandLine;

namespace Microvm.Cli.Reference;

/// <summary>A term and what it means, both plain text.</summary>
internal sealed record Term(string Name, string Meaning);

/// <summary>A titled list of commands.</summary>
internal sealed record CommandGroup(string Title, IReadOnlyList<Term> Commands);

/// <summary>All that is told of one command: the help screen, the man page and the reference are made from this, so that they agree.</summary>
internal sealed record CommandPage(
    string Name, string Summary, IReadOnlyList<string> Details, string Usage, IReadOnlyList<Term> Arguments, IReadOnlyList<Term> Options,
    IReadOnlyList<CommandGroup> Groups, IReadOnlyList<string> Examples, IReadOnlyList<(string Code, string Meaning)> ExitCodes)
{
    /// <summary>The page of a command, found by the names that lead to it: microvm, up.</summary>
    internal static CommandPage Of(IReadOnlyList<Command> path)
    {
        var command = path[^1];
        var paragraphs = (command.Description ?? "").Split("\n\n");
        var documented = command as DocumentedCommand;
        var arguments = command.Arguments.Where(a => !a.Hidden).ToList();
        var children = command.Subcommands.Where(c => !c.Hidden).ToList();
        var usage = string.Join(' ', [.. path.Select(c => c.Name), .. arguments.Select(Placeholder),
            .. children.Count > 0 ? ["COMMAND"] : Array.Empty<string>(), "[OPTION…]"]);
        return new(string.Join(' ', path.Select(c => c.Name)), paragraphs[0], [.. paragraphs.Skip(1), .. documented?.Details ?? []], usage,
            [.. arguments.Select(a => new Term(a.HelpName ?? a.Name, a.Description ?? ""))], [.. OptionsOf(path).Select(Describe)],
            path.Count == 1 ? CommandGroups.Of(children) : children.Count > 0 ? [new("Commands", [.. children.Select(Summarize)])] : [],
            documented?.Examples ?? (path.Count == 1 ? CommandLine.Examples : []), documented?.ExitCodes ?? DocumentedCommand.Usual);
    }

    /// <summary>Every command of the tree with the commands above it, the root first.</summary>
    internal static IEnumerable<IReadOnlyList<Command>> Paths(Command root)
    {
        return Below([root]);

        static IEnumerable<IReadOnlyList<Command>> Below(IReadOnlyList<Command> path) =>
            [path, .. path[^1].Subcommands.Where(c => !c.Hidden).SelectMany(c => Below([.. path, c]))];
    }

    /// <summary>The options that can be given to a command: its own, then those that the commands above pass down.</summary>
    internal static IEnumerable<Option> OptionsOf(IReadOnlyList<Command> path) =>
        path[^1].Options.Concat(path.SkipLast(1).SelectMany(c => c.Options.Where(o => o.Recursive))).Where(o => !o.Hidden);

    /// <summary>All names of an option, the short ones first; the platform's own extras left out.</summary>
    internal static IReadOnlyList<string> NamesOf(Option option) =>
        [.. option.Aliases.Append(option.Name).Where(n => n.StartsWith('-') && n != "-?").Distinct().OrderBy(n => n.Length > 2).ThenBy(n => n, StringComparer.Ordinal)];

    /// <summary>Whether a value follows the option.</summary>
    internal static bool TakesValue(Option option) => option.Arity.MaximumNumberOfValues > 0 && option.ValueType != typeof(bool) && option.ValueType != typeof(void);

    internal static string ValueName(Option option) => option.HelpName ?? option.Name.TrimStart('-').ToUpperInvariant();

    internal static Term Summarize(Command command) => new(command.Name, (command.Description ?? "").Split("\n\n")[0]);

    private static Term Describe(Option option)
    {
        var names = string.Join(", ", NamesOf(option));
        return new(TakesValue(option) ? $"{names} {ValueName(option)}" : names, option.Description ?? "");
    }

    private static string Placeholder(Argument argument)
    {
        var name = argument.HelpName ?? argument.Name;
        var many = argument.Arity.MaximumNumberOfValues > 1 ? "…" : "";
        return argument.Arity.MinimumNumberOfValues > 0 ? name + many : $"[{name}{many}]";
    }
}
