using System.CommandLine;

namespace Microvm.Cli;

/// <summary>A command with what its help, its man page and the reference say besides its arguments and options.</summary>
internal sealed class DocumentedCommand(string name, string description, IReadOnlyList<string> examples) : Command(name, description)
{
    /// <summary>Command lines to copy.</summary>
    internal IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>More about the command, a paragraph each.</summary>
    internal IReadOnlyList<string> Details { get; init; } = [];

    /// <summary>What the exit codes mean.</summary>
    internal IReadOnlyList<(string Code, string Meaning)> ExitCodes { get; init; } = Usual;

    /// <summary>The exit codes of every command that says nothing else.</summary>
    internal static IReadOnlyList<(string Code, string Meaning)> Usual { get; } =
        [("0", "done"), ("1", "failed"), ("2", "wrong usage or declaration; nothing was changed")];
}
