using System.Text.Json;

namespace Microvm.Bench;

/// <summary>All that was measured of one work by one contestant: milliseconds, but where the unit says otherwise.</summary>
internal sealed record Result(string Work, int Links, string Contestant, double[] Values, string Unit = "ms")
{
    public double Median { get; } = Values.Order().ElementAt(Values.Length / 2);
    public double Least => Values.Min();
    public double Most => Values.Max();
}

internal static class Results
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    internal static void Write(string path, string machine, IReadOnlyList<Result> results) =>
        File.WriteAllText(path, JsonSerializer.Serialize(new { machine, date = DateTime.UtcNow.ToString("yyyy-MM-dd"), results }, s_json) + "\n");

    /// <summary>One Markdown row a work and number of links: medians with their spread, and the ratios to ours.</summary>
    internal static IEnumerable<string> Table(IReadOnlyList<Result> results)
    {
        yield return "| work | links | ours, ms (least–most) | C limit | documented commands | ip -batch |";
        yield return "|---|---:|---:|---:|---:|---:|";
        foreach (var group in results.GroupBy(r => (r.Work, r.Links)).Where(g => g.Any(r => r.Contestant == Contestant.Ours)))
        {
            var ours = group.First(r => r.Contestant == Contestant.Ours);
            string Cell(string name) => group.FirstOrDefault(r => r.Contestant == name) is { } r ? $"{r.Median:0.#} ({r.Median / ours.Median:0.##}x)" : "";
            yield return $"| {group.Key.Work} | {group.Key.Links:N0} | {ours.Median:0.#} ({ours.Least:0.#}–{ours.Most:0.#}) | {Cell(Contestant.Limit)} | {Cell(Contestant.Documented)} | {Cell(Contestant.Batch)} |";
        }
    }

    /// <summary>The rows that have contestants of their own.</summary>
    internal static IEnumerable<string> Others(IReadOnlyList<Result> results)
    {
        yield return "| work | | median (least–most) |";
        yield return "|---|---|---:|";
        foreach (var r in results.Where(r => r.Contestant is not (Contestant.Ours or Contestant.Limit or Contestant.Documented or Contestant.Batch)))
        {
            var spread = r.Values.Length > 1 ? $" ({r.Least:0.##}–{r.Most:0.##})" : "";
            yield return $"| {r.Work}{(r.Links > 1 ? $", {r.Links:N0} links" : "")} | {r.Contestant} | {r.Median:0.##} {r.Unit}{spread} |";
        }
    }
}
