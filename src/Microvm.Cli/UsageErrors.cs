using System.CommandLine;
using System.CommandLine.Parsing;
using Microvm.Cli.Reference;
using Microvm.Declaration;

namespace Microvm.Cli;

/// <summary>What is wrong with a command line, in words for a person; the parser's own are the last resort.</summary>
internal static class UsageErrors
{
    /// <summary>What to print; empty where nothing is wrong.</summary>
    internal static IReadOnlyList<string> Of(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (parsed.Action is HelpScreen or VersionLine)
        {
            return [];
        }
        if (parsed.Errors.Count > 0 && command.Subcommands.Count > 0 && parsed.UnmatchedTokens is [var word, ..])
        {
            return word.StartsWith('-') ? [NoOption(parsed, word)]
                : [$"there is no command '{Printable.Of(word)}'{(Meant(word, command) is { } near ? $"; did you mean '{near}'?" : "")}"];
        }
        // The parser takes an option that it doesn't know for one more file; one of such a name is written behind `--`.
        var plain = parsed.Tokens.TakeWhile(t => t.Type != TokenType.DoubleDash).ToHashSet();
        var mistyped = parsed.CommandResult.Tokens.Where(t => t.Value is ['-', _, ..] && plain.Contains(t)).Select(t => NoOption(parsed, t.Value)).ToList();
        return mistyped.Count > 0 ? mistyped : [.. parsed.Errors.Select(e => Printable.Of(string.Join(' ', e.Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), 200))];
    }

    /// <summary>What other programs call what ours do.</summary>
    private static readonly Dictionary<string, string> s_elsewhere = new()
    {
        ["ls"] = "list",
        ["ps"] = "status",
        ["rm"] = "remove",
        ["delete"] = "remove",
        ["destroy"] = "remove",
        ["undefine"] = "remove",
        ["kill"] = "stop",
        ["boot"] = "start",
        ["launch"] = "run",
        ["define"] = "create",
        ["exec"] = "ssh",
        ["shell"] = "ssh",
        ["log"] = "logs",
        ["mv"] = "rename",
        ["validate"] = "check",
        ["lint"] = "check",
        ["diff"] = "plan",
        ["apply"] = "up",
        ["tcpdump"] = "capture",
    };

    private static string? Meant(string word, Command command)
    {
        var names = command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name).ToList();
        return s_elsewhere.TryGetValue(word, out var ours) && names.Contains(ours) ? ours : Printable.Nearest(word, names);
    }

    private static string NoOption(ParseResult parsed, string word) =>
        $"'{parsed.CommandResult.Command.Name}' has no option {Printable.Of(word)}{(Printable.Nearest(word, Options(parsed)) is { } near ? $"; did you mean {near}?" : "")}";

    private static IEnumerable<string> Options(ParseResult parsed)
    {
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult { Command: var command }; at = at.Parent)
        {
            foreach (var option in command.Options.Where(o => !o.Hidden && (o.Recursive || command == parsed.CommandResult.Command)))
            {
                foreach (var name in option.Aliases.Prepend(option.Name))
                {
                    yield return name;
                }
            }
        }
    }
}
