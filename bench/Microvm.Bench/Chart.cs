using System.Globalization;
using System.Text;

namespace Microvm.Bench;

/// <summary>Time against number of links, log-log, as an SVG that reads on a light and on a dark page.</summary>
internal static class Chart
{
    private const int Width = 760, Height = 440, Left = 70, Right = 200, Top = 40, Bottom = 50;
    private static readonly (string Name, string Colour)[] s_series =
        [(Contestant.Documented, "#d1495b"), (Contestant.Batch, "#e08e2b"), (Contestant.Ours, "#2a7de1"), (Contestant.Limit, "#6b8e4e")];

    internal static string Draw(string title, string work, IReadOnlyList<Result> results)
    {
        var points = results.Where(r => r.Work == work).ToList();
        double maxX = points.Max(r => r.Links), minY = Math.Pow(10, Math.Floor(Math.Log10(points.Min(r => r.Median)))), maxY = Math.Pow(10, Math.Ceiling(Math.Log10(points.Max(r => r.Median))));
        double X(double n) => Left + Math.Log10(n) / Math.Log10(maxX) * (Width - Left - Right);
        double Y(double ms) => Height - Bottom - Math.Log10(ms / minY) / Math.Log10(maxY / minY) * (Height - Top - Bottom);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" font-family="system-ui, sans-serif" font-size="13" fill="#222">
            <rect width="{Width}" height="{Height}" rx="8" fill="#fff"/>
            <text x="{Left}" y="24" font-size="15" font-weight="600">{title}</text>

            """);
        for (var y = minY; y <= maxY * 1.001; y *= 10)
        {
            var label = y >= 1000 ? $"{y / 1000:0} s" : $"{y:0.###} ms";
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{Left} {Y(y):0.#}H{Width - Right}\" stroke=\"#ddd\"/><text x=\"{Left - 8}\" y=\"{Y(y) + 4:0.#}\" text-anchor=\"end\">{label}</text>\n");
        }
        foreach (var n in points.Select(r => r.Links).Distinct())
        {
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{X(n):0.#} {Top}V{Height - Bottom}\" stroke=\"#eee\"/><text x=\"{X(n):0.#}\" y=\"{Height - Bottom + 20}\" text-anchor=\"middle\">{n:N0}</text>\n");
        }
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 10}\" text-anchor=\"middle\">links</text>\n");
        var labels = new List<double>();
        foreach (var (name, colour) in s_series)
        {
            var line = points.Where(r => r.Contestant == name).OrderBy(r => r.Links).ToList();
            if (line.Count == 0)
            {
                continue;
            }
            svg.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" points=\"{string.Join(' ', line.Select(r => FormattableString.Invariant($"{X(r.Links):0.#},{Y(r.Median):0.#}")))}\"/>\n");
            foreach (var r in line)
            {
                svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(r.Links):0.#}\" cy=\"{Y(r.Median):0.#}\" r=\"3.5\" fill=\"{colour}\"/>\n");
            }
            var at = Y(line[^1].Median) + 4;
            while (labels.Any(l => Math.Abs(l - at) < 16))
            {
                at += 16;
            }
            labels.Add(at);
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Width - Right + 12}\" y=\"{at:0.#}\" fill=\"{colour}\" font-weight=\"600\">{name}</text>\n");
        }
        return svg.Append("</svg>\n").ToString();
    }
}
