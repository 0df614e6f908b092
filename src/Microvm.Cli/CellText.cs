using System.Globalization;
using System.Text;

namespace Microvm.Cli;

/// <summary>Text measured in terminal cells.</summary>
internal static class CellText
{
    /// <summary>How many cells the text takes: two for East Asian wide characters, none for combining marks.</summary>
    internal static int Width(string text) => Ascii.IsValid(text) ? text.Length : text.EnumerateRunes().Sum(Width);

    /// <summary>The text without the sequences that paint it.</summary>
    internal static string Unpainted(string text)
    {
        var result = new StringBuilder();
        for (var at = 0; at < text.Length;)
        {
            var escape = text.IndexOf("\e[", at, StringComparison.Ordinal);
            result.Append(text, at, (escape < 0 ? text.Length : escape) - at);
            var end = escape < 0 ? -1 : text.IndexOf('m', escape);
            at = end < 0 ? text.Length : end + 1;
        }
        return result.ToString();
    }

    /// <summary>The text in at most that many cells; an ellipsis stands for what was cut off.</summary>
    internal static string Cut(string text, int cells)
    {
        if (Width(text) <= cells)
        {
            return text;
        }
        if (cells <= 1)
        {
            return cells == 1 ? "…" : "";
        }
        var result = new StringBuilder();
        var used = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            used += Width(rune);
            if (used > cells - 1)
            {
                break;
            }
            result.Append(rune.ToString());
        }
        return result.Append('…').ToString();
    }

    /// <summary>The text cut or padded to exactly that many cells.</summary>
    internal static string Fit(string text, int cells, bool right = false)
    {
        var cut = Cut(text, cells);
        var padding = new string(' ', Math.Max(0, cells - Width(cut)));
        return right ? padding + cut : cut + padding;
    }

    private static int Width(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format => 0,
        _ => rune.Value is >= 0x1100 and <= 0x115f or >= 0x2e80 and <= 0xa4cf or >= 0xac00 and <= 0xd7a3 or >= 0xf900 and <= 0xfaff
            or >= 0xfe30 and <= 0xfe6f or >= 0xff00 and <= 0xff60 or >= 0xffe0 and <= 0xffe6 or >= 0x1f300 and <= 0x1faff or >= 0x20000 and <= 0x3fffd ? 2 : 1,
    };
}
