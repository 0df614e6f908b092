using System.Text.Json;

namespace Microvm.Bench;

/// <summary>All timings of one work by one contestant, in milliseconds.</summary>
internal sealed record Result(string Work, int Links, string Contestant, double[] Milliseconds)
{
    public double Median { get; } = Milliseconds.Order().ElementAt(Milliseconds.Length / 2);
    public double Least => Milliseconds.Min();
    public double Most => Milliseconds.Max();
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
}
