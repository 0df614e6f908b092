using System.Text;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>A column of a table.</summary>
/// <param name="Importance">Where room is short, the least important column is cut first, and left out first.</param>
/// <param name="Minimum">Cells below which the column is left out rather than cut; 0: it is never cut.</param>
/// <param name="Right">Numbers stand to the right.</param>
internal sealed record Column(string Header, int Importance, int Minimum = 0, bool Right = false);

/// <summary>A cell's text and look.</summary>
internal readonly record struct Cell(string Text, Style Style = Style.Plain)
{
    public static implicit operator Cell(string text) => new(text);
}

/// <summary>A table that never wraps: it fits into the width by cutting, then leaving out, its least important columns.</summary>
internal sealed class Table(params IReadOnlyList<Column> columns)
{
    private const string Gap = "  ";
    private readonly List<IReadOnlyList<Cell>> _rows = [];

    internal void Add(params IReadOnlyList<Cell> row) => _rows.Add(row);

    /// <summary>Header and rows.</summary>
    /// <param name="width">Cells to stay within, or null for no limit.</param>
    /// <param name="hidden">The headers of columns that had no room.</param>
    internal IReadOnlyList<string> Lines(int? width, bool color, out IReadOnlyList<string> hidden)
    {
        var widths = Fit(width);
        hidden = [.. columns.Where((_, i) => widths[i] < 0).Select(c => c.Header)];
        return [Line([.. columns.Select(c => new Cell(c.Header, Style.Bold))], widths, color), .. _rows.Select(r => Line(r, widths, color))];
    }

    /// <summary>Prints the table, and on a terminal what had no room in it.</summary>
    internal void Print(Terminal terminal, TextWriter to)
    {
        var lines = Lines(terminal.Width, terminal.Color, out var hidden);
        foreach (var line in lines)
        {
            to.WriteLine(line);
        }
        NoRoom(hidden, terminal).ToList().ForEach(to.WriteLine);
    }

    /// <summary>On a terminal, the line that tells which columns had no room.</summary>
    internal static IEnumerable<string> NoRoom(IReadOnlyList<string> hidden, Terminal terminal) => hidden.Count == 0 || !terminal.IsTerminal ? []
        : [terminal.Paint(Style.Dim, CellText.Cut($"no room for {string.Join(", ", hidden.Select(h => h.ToLowerInvariant()))}", terminal.Width ?? int.MaxValue))];

    private string Line(IReadOnlyList<Cell> cells, int[] widths, bool color)
    {
        var line = new StringBuilder();
        var last = Array.FindLastIndex(widths, w => w >= 0);
        for (var i = 0; i <= last; i++)
        {
            if (widths[i] < 0)
            {
                continue;
            }
            var text = CellText.Fit(cells[i].Text, widths[i], columns[i].Right);
            text = i == last ? text.TrimEnd() : text;
            line.Append(color ? Paint(text, cells[i].Style) : text).Append(i == last ? "" : Gap);
        }
        return line.ToString().TrimEnd();
    }

    // Only the words are painted, so that a colour never fills the padding.
    private static string Paint(string text, Style style)
    {
        var word = text.Trim();
        return word.Length == 0 ? text : text.Replace(word, Terminal.Paint(word, style), StringComparison.Ordinal);
    }

    /// <summary>Each column's cells; -1 where it is left out.</summary>
    private int[] Fit(int? width)
    {
        var natural = columns.Select((c, i) => _rows.Select(r => CellText.Width(r[i].Text)).Append(CellText.Width(c.Header)).Max()).ToArray();
        var widths = (int[])natural.Clone();
        if (width is not { } room)
        {
            return widths;
        }
        var byImportance = columns.Index().OrderBy(c => c.Item.Importance).Select(c => c.Index).ToList();
        int Least(int i) => columns[i].Minimum == 0 ? natural[i] : Math.Min(natural[i], columns[i].Minimum);
        int Total(IEnumerable<int> of) => of.Sum() + Gap.Length * Math.Max(0, widths.Count(w => w >= 0) - 1);
        foreach (var i in byImportance.SkipLast(1).TakeWhile(_ => Total(widths.Select((w, i) => w < 0 ? 0 : Least(i))) > room))
        {
            widths[i] = -1;
        }
        foreach (var i in byImportance.Where(i => widths[i] >= 0))
        {
            var over = Total(widths.Where(w => w >= 0)) - room;
            widths[i] = over <= 0 ? widths[i] : Math.Max(i == byImportance[^1] ? 1 : Least(i), widths[i] - over);
        }
        return widths;
    }
}
