using System.Globalization;
using System.Security;
using System.Text;

namespace Microvm.Screens;

/// <summary>Draws what a terminal shows as SVG.</summary>
internal static class ScreenDrawing
{
    private const double CellWidth = 8.4, CellHeight = 18, Padding = 14, Bar = 30;
    private static readonly string[] s_colors =
    [
        "#3b4252", "#ff6b6b", "#7bd88f", "#f5c76b", "#6fb3ff", "#d08bff", "#5fd7d7", "#d8dee9",
        "#7a8499", "#ff8f8f", "#a0e8af", "#ffdf9e", "#9bcbff", "#e2b3ff", "#93ebeb", "#ffffff",
    ];
    private const string Foreground = "#d8dee9", Background = "#161b22";

    internal static string Svg(VirtualScreen screen, string title)
    {
        var rows = screen.Lines.Select((line, i) => line.Length > 0 ? i + 1 : 0).Max();
        double width = screen.Columns * CellWidth + 2 * Padding, height = Bar + rows * CellHeight + Padding * 1.5;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{N(width)}" height="{N(height)}" viewBox="0 0 {N(width)} {N(height)}" role="img">
            <title>{SecurityElement.Escape(title)}</title>
            <rect width="100%" height="100%" rx="8" fill="{Background}" stroke="#30363d"/>
            <g fill="#484f58"><circle cx="18" cy="15" r="5"/><circle cx="36" cy="15" r="5"/><circle cx="54" cy="15" r="5"/></g>
            <g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="{Foreground}">
            <text x="{N(width / 2)}" y="20" text-anchor="middle" fill="#8b949e" font-size="12">{SecurityElement.Escape(title)}</text>

            """);
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < screen.Columns;)
            {
                var start = column;
                var pen = screen[row, column].Pen;
                var text = new StringBuilder();
                while (column < screen.Columns && screen[row, column].Pen == pen)
                {
                    text.Append(screen[row, column++].Text);
                }
                Run(svg, row, start, text.ToString(), pen);
            }
        }
        return svg.Append("</g>\n</svg>\n").ToString();
    }

    private static void Run(StringBuilder svg, int row, int start, string text, Pen pen)
    {
        double x = Padding + start * CellWidth, y = Bar + row * CellHeight;
        var color = pen.Foreground < 0 ? Foreground : s_colors[pen.Foreground];
        if (pen.Reverse || pen.Background >= 0)
        {
            var background = pen.Reverse ? color : s_colors[pen.Background];
            color = pen.Reverse ? Background : color;
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{N(x)}\" y=\"{N(y)}\" width=\"{N(text.Length * CellWidth)}\" height=\"{N(CellHeight)}\" fill=\"{background}\"/>\n");
        }
        var look = $"fill=\"{color}\"{(pen.Bold ? " font-weight=\"bold\"" : "")}{(pen.Dim ? " opacity=\"0.65\"" : "")}";
        // Bars are drawn: fonts do not agree on them.
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is >= '▁' and <= '█')
            {
                var height = (text[i] - '▁' + 1) / 8.0 * (CellHeight - 3);
                svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{N(x + i * CellWidth)}\" y=\"{N(y + CellHeight - 1 - height)}\" width=\"{N(CellWidth - 1)}\" height=\"{N(height)}\" {look}/>\n");
            }
        }
        var rest = new string([.. text.Select(c => c is >= '▁' and <= '█' ? ' ' : c)]);
        var from = rest.Length - rest.TrimStart().Length;
        rest = rest.Trim();
        if (rest.Length > 0)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text xml:space=\"preserve\" x=\"{N(x + from * CellWidth)}\" y=\"{N(y + 13.5)}\" textLength=\"{N(rest.Length * CellWidth)}\" lengthAdjust=\"spacingAndGlyphs\" {look}>{SecurityElement.Escape(rest)}</text>\n");
        }
    }

    private static string N(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
