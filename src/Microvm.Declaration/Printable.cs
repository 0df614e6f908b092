using System.Globalization;
using System.Text;

namespace Microvm.Declaration;

/// <summary>Text from a declaration, made safe to print on a terminal.</summary>
internal static class Printable
{
    /// <summary>Control and format characters as <c>\u{…}</c>; cut after so many characters.</summary>
    public static string Of(string text, int most = 80)
    {
        if (IsPlain(text) && text.Length <= most)
        {
            return text;
        }
        var result = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (result.Length >= most)
            {
                return result.Append('…').ToString();
            }
            _ = IsObeyed(rune) || IsNoCharacter(rune.Value) ? result.Append($"\\u{{{rune.Value:x}}}") : result.Append(rune.ToString());
        }
        return result.ToString();
    }

    /// <summary>A whole message of several lines, with what a terminal would obey in it made visible.</summary>
    public static string Lines(string text) => IsPlain(text) ? text : string.Join('\n', text.Split('\n').Select(l => Of(l, int.MaxValue)));

    private static bool IsObeyed(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    // The 66 numbers that never will be characters (Unicode, 23.7): XML forbids the last two of the first plane outright.
    private static bool IsNoCharacter(int value) => (value & 0xfffe) == 0xfffe || value is >= 0xfdd0 and <= 0xfdef;

    private static bool IsPlain(string text) => !text.AsSpan().ContainsAnyExceptInRange(' ', '~');

    /// <summary>The name among <paramref name="known"/> nearest to a misspelt one, by edit distance; null where none is near.</summary>
    public static string? Nearest(string name, IEnumerable<string> known)
    {
        if (name.Length > 64)
        {
            return null;
        }
        var best = known.Select(k => (k, d: Distance(name, k))).OrderBy(p => p.d).ThenBy(p => p.k, StringComparer.Ordinal).FirstOrDefault();
        // A short word is another word after two changes.
        return best.k is not null && best.d <= Math.Max(1, Math.Min(best.k.Length, name.Length) / 3) ? best.k : null;
    }

    /// <summary>How many letters were left out, added or exchanged, or pairs of neighbours typed the wrong way round.</summary>
    private static int Distance(string a, string b)
    {
        var (before, last, row) = (new int[b.Length + 1], new int[b.Length + 1], Enumerable.Range(0, b.Length + 1).ToArray());
        for (var i = 1; i <= a.Length; i++)
        {
            (before, last, row) = (last, row, before);
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                row[j] = Math.Min(Math.Min(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    row[j] = Math.Min(row[j], before[j - 2] + 1);
                }
            }
        }
        return row[b.Length];
    }
}
