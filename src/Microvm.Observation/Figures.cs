using System.Globalization;

namespace Microvm.Observation;

/// <summary>Numbers as people read them.</summary>
public static class Figures
{
    /// <summary>Decimal units, three digits: 999 B, 1.23 kB, 45.6 MB.</summary>
    public static string Bytes(double bytes) => Scaled(bytes, "B", ["kB", "MB", "GB", "TB", "PB", "EB"]);

    /// <summary>As <see cref="Bytes"/>, without a unit: 999, 1.23k, 45.6M.</summary>
    public static string Count(double count) => Scaled(count, "", ["k", "M", "G", "T", "P", "E"]);

    /// <summary>A line of small bars as high as the values are, the latest at the right.</summary>
    /// <param name="unicode">Whether block characters may be used; ASCII ones otherwise.</param>
    public static string Sparkline(IReadOnlyCollection<double> values, int width, bool unicode)
    {
        var bars = unicode ? " ▁▂▃▄▅▆▇█" : " .:-=+*#@";
        var shown = values.Skip(Math.Max(0, values.Count - width)).ToList();
        var most = shown.Count == 0 ? 0 : shown.Max();
        return new string(' ', width - shown.Count) + string.Concat(shown.Select(v => v <= 0 || most <= 0 ? bars[0] : bars[Math.Clamp((int)Math.Ceiling(v / most * 8), 1, 8)]));
    }

    private static string Scaled(double value, string unit, string[] units)
    {
        if (value < 999.5)
        {
            return $"{value.ToString(value is > 0 and < 9.95 && value != Math.Floor(value) ? "0.0" : "0", CultureInfo.InvariantCulture)}{(unit.Length > 0 ? " " + unit : "")}";
        }
        var step = -1;
        while (value >= 999.5 && step < units.Length - 1)
        {
            value /= 1000;
            step++;
        }
        return $"{value.ToString(value < 9.995 ? "0.00" : value < 99.95 ? "0.0" : "0", CultureInfo.InvariantCulture)}{(unit.Length > 0 ? " " : "")}{units[step]}";
    }
}
