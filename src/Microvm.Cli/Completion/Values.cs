using System.CommandLine;
using System.CommandLine.Completions;
using Microvm.Cli.Reference;

namespace Microvm.Cli.Completion;

/// <summary>What can stand in a place of the command line.</summary>
/// <param name="Words">Fixed words.</param>
/// <param name="Source">What <c>microvm completions</c> lists when it is needed: vms, links, namespaces, users, groups; else null.</param>
internal sealed record Values(IReadOnlyList<string> Words, string? Source, bool Files, bool Directories)
{
    internal bool Any => Words.Count > 0 || Source is not null || Files || Directories;

    internal static Values Of(Argument argument) => argument == VmHost.Name || argument == VmHost.Names ? new([], "vms", false, false)
        : Of(argument.HelpName ?? argument.Name, WordsOf(argument.GetCompletions(CompletionContext.Empty)));

    internal static Values Of(Option option) =>
        option.Name == "--netns" ? new([], "namespaces", false, false)
        : Of(CommandPage.ValueName(option), WordsOf(option.GetCompletions(CompletionContext.Empty)));

    private static Values Of(string placeholder, IReadOnlyList<string> words) => new(words,
        placeholder switch { "VM" => "vms", "VM/ID" => "links", "USER" => "users", "GROUP" => "groups", _ => null },
        placeholder.EndsWith("FILE", StringComparison.Ordinal), placeholder.EndsWith("DIR", StringComparison.Ordinal));

    private static IReadOnlyList<string> WordsOf(IEnumerable<CompletionItem> items) => [.. items.Select(i => i.InsertText ?? i.Label)];
}

/// <summary>One command as a shell's completion needs it.</summary>
internal sealed record CompletedCommand(string Path, IReadOnlyList<Term> Children, IReadOnlyList<CompletedOption> Options, Values Arguments)
{
    internal static IReadOnlyList<CompletedCommand> Tree(Command root) => [.. CommandPage.Paths(root).Select(path => new CompletedCommand(
        string.Join(' ', path.Select(c => c.Name)),
        [.. path[^1].Subcommands.Where(c => !c.Hidden).Select(CommandPage.Summarize)],
        [.. CommandPage.OptionsOf(path).Select(o => new CompletedOption(CommandPage.NamesOf(o), CommandPage.TakesValue(o), o.Description ?? "", Values.Of(o)))],
        path[^1].Arguments.Where(a => !a.Hidden).Select(Values.Of)
            .Aggregate(new Values([], null, false, false), (a, b) => new([.. a.Words, .. b.Words], a.Source ?? b.Source, a.Files || b.Files, a.Directories || b.Directories))))];
}

/// <summary>An option under all its names.</summary>
internal sealed record CompletedOption(IReadOnlyList<string> Names, bool TakesValue, string Description, Values Values);
