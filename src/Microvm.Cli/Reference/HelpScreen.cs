using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text;
using Microvm.Observation;

namespace Microvm.Cli.Reference;

/// <summary>What --help prints: the same sections in the same order for every command, as wide as the terminal and no wider than reads well.</summary>
internal sealed class HelpScreen : SynchronousCommandLineAction
{
    private const int Widest = 100, Narrowest = 40, Indent = 2, MostOfTerm = 28;

    /// <summary>Help is given whatever else is wrong with the line.</summary>
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        Terminal.Choose(parseResult.GetValue(CommonOptions.Color));
        var path = new List<Command>();
        for (SymbolResultPath at = new(parseResult.CommandResult); at.Command is { } command; at = at.Up())
        {
            path.Insert(0, command);
        }
        var width = Math.Clamp(Terminal.Output.Width ?? Widest, Narrowest, Widest);
        Console.Out.Write(Render(CommandPage.Of(path), width, Terminal.Output.Paint));
        return 0;
    }

    /// <summary>The screen as text.</summary>
    /// <param name="width">Cells to stay within, where words allow it.</param>
    internal static string Render(CommandPage page, int width, Func<Style, string, string> paint)
    {
        var text = new StringBuilder();
        foreach (var paragraph in page.Details.Prepend(page.Summary))
        {
            foreach (var line in Wrap(paragraph, width))
            {
                text.Append(line).Append('\n');
            }
            text.Append('\n');
        }
        // In a narrow terminal long terms stand alone, so that their meanings have some room.
        var most = Math.Min(MostOfTerm, width - 24);
        Section("Usage", [new(page.Usage, "")]);
        foreach (var group in page.Groups)
        {
            Section(group.Title, group.Commands);
        }
        Section("Arguments", page.Arguments);
        Section("Options", page.Options);
        Section("Examples", [.. page.Examples.Select(e => new Term(e, ""))]);
        Section("Exit codes", [.. page.ExitCodes.Select(c => new Term(c.Code, c.Meaning))]);
        if (page.Groups.Count > 0)
        {
            text.AppendJoin('\n', Wrap($"'{page.Name} COMMAND --help' shows more about each command.", width)).Append('\n');
        }
        return text.ToString().TrimEnd('\n') + "\n";

        void Section(string title, IReadOnlyList<Term> terms)
        {
            if (terms.Count == 0)
            {
                return;
            }
            text.Append(paint(Style.Bold, title + ":")).Append('\n');
            var column = terms.Where(t => t.Meaning.Length > 0).Select(t => Math.Min(CellText.Width(t.Name), most)).DefaultIfEmpty(0).Max();
            foreach (var term in terms)
            {
                text.Append(' ', Indent).Append(paint(term.Meaning.Length > 0 ? Style.Cyan : Style.Plain, term.Name));
                if (term.Meaning.Length > 0)
                {
                    // A term wider than its column has its meaning on the next line.
                    var left = column - CellText.Width(term.Name);
                    text.Append(left >= 0 ? new string(' ', left + 2) : "\n" + new string(' ', Indent + column + 2));
                    text.AppendJoin("\n" + new string(' ', Indent + column + 2), Wrap(term.Meaning, Math.Max(width - Indent - column - 2, 20)));
                }
                text.Append('\n');
            }
            text.Append('\n');
        }
    }

    /// <summary>Breaks text at spaces; a word longer than the width keeps a line of its own.</summary>
    /// <param name="hanging">Spaces before every line but a paragraph's first; they count.</param>
    internal static IEnumerable<string> Wrap(string text, int width, int hanging = 0)
    {
        foreach (var given in text.Split('\n'))
        {
            var line = new StringBuilder();
            var start = 0;
            foreach (var word in given.Split(' '))
            {
                if (line.Length > start && CellText.Width(line.ToString()) + 1 + CellText.Width(word) > width)
                {
                    yield return line.ToString();
                    start = hanging;
                    line.Clear().Append(' ', hanging);
                }
                line.Append(line.Length > start ? " " : "").Append(word);
            }
            yield return line.ToString();
        }
    }

    /// <summary>Walks from a parsed command up to the root.</summary>
    private readonly record struct SymbolResultPath(System.CommandLine.Parsing.SymbolResult? At)
    {
        internal Command? Command => (At as System.CommandLine.Parsing.CommandResult)?.Command;
        internal SymbolResultPath Up() => new(At?.Parent);
    }
}
