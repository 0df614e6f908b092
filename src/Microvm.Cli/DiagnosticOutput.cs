using Microvm.Declaration;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>Prints diagnostics: in a pipe one line each, as compilers do; on a terminal also the source line, with what is meant underlined.</summary>
internal static class DiagnosticOutput
{
    /// <summary>So many further places of one finding are named.</summary>
    private const int Told = 20;

    private const ulong MostBytes = 4 * 1024 * 1024;

    /// <summary>For whom the declarations are read; empty where we are not root.</summary>
    private static readonly HashSet<(uint User, uint Group)> s_readers = [];

    /// <summary>Lines are shown of what those can read for whom this declaration is read: a message may name any file.</summary>
    internal static void ShowTo(string file)
    {
        if (Linux.Caller.Author(file) is { } reader)
        {
            s_readers.Add(reader);
        }
    }

    internal static void Print(IEnumerable<Diagnostic> diagnostics, Terminal terminal, TextWriter to)
    {
        var sources = new Dictionary<string, string[]>();
        foreach (var (d, others) in Shared([.. diagnostics]))
        {
            if (!terminal.IsTerminal && !terminal.Color)
            {
                to.WriteLine(Printable.Lines(d.ToString()) + others);
                continue;
            }
            var error = d.Severity == Severity.Error;
            to.WriteLine($"{terminal.Paint(Style.Bold, Printable.Lines($"{d.At}:"))} {terminal.Paint(error ? Style.BoldRed : Style.BoldYellow, error ? "error:" : "warning:")} {Printable.Lines(d.Message)}{others}");
            if (Line(d.At, sources) is { } line)
            {
                Excerpt(d, line, terminal, to);
            }
        }
    }

    /// <summary>What many places of a file have in common, as a fleet of like VMs does, once, with where the others are.</summary>
    private static IEnumerable<(Diagnostic One, string Others)> Shared(IReadOnlyList<Diagnostic> all)
    {
        const int few = 3;
        var shared = all.GroupBy(d => (d.Severity, d.Message, d.At.File)).Where(g => g.Count() > few).ToDictionary(g => g.Key, g => g.ToList());
        foreach (var d in all)
        {
            if (!shared.TryGetValue((d.Severity, d.Message, d.At.File), out var alike))
            {
                yield return (d, "");
            }
            else if (ReferenceEquals(alike[0], d))
            {
                var rest = alike.Skip(1).Select(o => o.At.Line.ToString(System.Globalization.CultureInfo.InvariantCulture)).Distinct().ToList();
                yield return (d, $" ({alike.Count} times: also at line{(rest.Count == 1 ? "" : "s")} {string.Join(", ", rest.Take(Told))}{(rest.Count > Told ? $" and {rest.Count - Told} more" : "")})");
            }
        }
    }

    private static void Excerpt(Diagnostic d, string line, Terminal terminal, TextWriter to)
    {
        var number = $" {d.At.Line} ";
        var gutter = terminal.Paint(Style.Blue, "|");
        var start = Math.Min(d.At.Column - 1, line.Length);
        var length = Extent(line, start);
        // A line that is too long shows a window around the place.
        var room = Math.Max(20, (terminal.Width ?? 120) - number.Length - 2);
        var from = line.Length <= room ? 0 : Math.Clamp(start - room / 3, 0, line.Length - room);
        var shown = Safe(line.Substring(from, Math.Min(room, line.Length - from)));
        var mark = new string(' ', CellText.Width(Safe(line[from..start]))) + "^" + new string('~', Math.Max(0, Math.Min(CellText.Width(Safe(line.Substring(start, Math.Min(length, line.Length - start)))), room - (start - from)) - 1));
        to.WriteLine($"{terminal.Paint(Style.Blue, number)}{gutter} {shown}");
        to.WriteLine($"{new string(' ', number.Length)}{gutter} {terminal.Paint(d.Severity == Severity.Error ? Style.BoldRed : Style.BoldYellow, mark)}");
    }

    /// <summary>How many characters from <paramref name="start"/> belong together: a string, a number or a dotted name.</summary>
    private static int Extent(string line, int start)
    {
        if (start >= line.Length)
        {
            return 0;
        }
        if (line[start] == '"')
        {
            var end = start + 1;
            while (end < line.Length && line[end] != '"')
            {
                end += line[end] == '\\' ? 2 : 1;
            }
            return Math.Min(end + 1, line.Length) - start;
        }
        return line[start..].TakeWhile(c => char.IsLetterOrDigit(c) || c is '_' or '-' or '.' or '\'').Count();
    }

    private static string Safe(string text) => string.Concat(text.Select(c => c == '\t' ? ' ' : char.IsControl(c) || char.GetUnicodeCategory(c) == System.Globalization.UnicodeCategory.Format ? '\ufffd' : c));

    private static string? Line(SourcePosition at, Dictionary<string, string[]> sources)
    {
        if (at.Line <= 0 || at.Column <= 0)
        {
            return null;
        }
        if (!sources.TryGetValue(at.File, out var lines))
        {
            try
            {
                lines = Linux.ShownFile.Lines(at.File, MostBytes, s_readers.All(r => r.User == 0) ? null : s_readers);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                lines = [];
            }
            sources[at.File] = lines;
        }
        return at.Line <= lines.Length ? lines[at.Line - 1] : null;
    }
}
