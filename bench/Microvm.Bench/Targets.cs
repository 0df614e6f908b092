namespace Microvm.Bench;

/// <summary>What is aimed at, beside what was measured: each row says whether it was met, in this run on this machine.</summary>
internal static class Targets
{
    internal static IEnumerable<string> Table(IReadOnlyList<Result> results)
    {
        yield return "| aim | measured | met |";
        yield return "|---|---:|---|";
        foreach (var (aim, measured, met) in Rows(results))
        {
            yield return $"| {aim} | {measured} | {(met ? "yes" : "no")} |";
        }
    }

    private static IEnumerable<(string Aim, string Measured, bool Met)> Rows(IReadOnlyList<Result> results)
    {
        double? Median(string work, int n, string contestant) => results.FirstOrDefault(r => r.Work == work && r.Links == n && r.Contestant == contestant)?.Median;
        var sizes = results.Select(r => r.Links).Distinct().Order().ToList();
        foreach (var (work, n, peer, times) in Peers(sizes))
        {
            if (Median(work, n, Contestant.Ours) is { } ours && Median(work, n, peer) is { } theirs)
            {
                yield return ($"{work}, {n:N0}: {times} times quicker than {peer}", $"{theirs / ours:0.#}x", theirs / ours >= times);
            }
        }
        foreach (var work in (string[])["tap up", "tap up in a row", "tap down", "macvtap up", "macvtap down"])
        {
            foreach (var n in sizes)
            {
                if (Median(work, n, Contestant.Ours) is not { } ours || Median(work, n, Contestant.Limit) is not { } limit)
                {
                    continue;
                }
                if (n == 1)
                {
                    yield return ($"{work}, 1: at most 3 ms more than the C limit", $"{ours - limit:0.#} ms", ours - limit <= 3);
                }
                else if (n >= 1000)
                {
                    yield return ($"{work}, {n:N0}: at most 1.15 times the C limit", $"{ours / limit:0.##}x", ours / limit <= 1.15);
                }
            }
        }
        string[] others = ["up where all is right", "run until the hypervisor's first instruction", "check of a .nix file", "peak memory of up"];
        foreach (var ours in results.Where(r => others.Contains(r.Work) && r.Contestant.StartsWith(Contestant.Ours, StringComparison.Ordinal)))
        {
            foreach (var row in Other(ours, results))
            {
                yield return row;
            }
        }
        if (Median("tap up", 100, Contestant.Ours) / 100 is { } few && Median("tap up", sizes[^1], Contestant.Ours) / sizes[^1] is { } many)
        {
            yield return ($"time per tap at {sizes[^1]:N0}: at most 1.3 times that at 100", $"{many / few:0.##}x", many / few <= 1.3);
        }
    }

    private static IEnumerable<(string Work, int Links, string Peer, int Times)> Peers(IReadOnlyList<int> sizes) =>
    [
        .. sizes.Select(n => ("tap up", n, Contestant.Documented, n switch { 1 => 5, 10 => 15, _ => 50 })),
        .. sizes.Where(n => n >= 100).SelectMany<int, (string, int, string, int)>(n =>
        [
            ("tap up", n, Contestant.Batch, 30), ("tap down", n, Contestant.Documented, 50), ("tap down", n, Contestant.Batch, 50),
            ("macvtap up", n, Contestant.Documented, 10), ("macvtap down", n, Contestant.Documented, 10),
        ]),
    ];

    private static IEnumerable<(string Aim, string Measured, bool Met)> Other(Result ours, IReadOnlyList<Result> results)
    {
        var peers = results.Where(r => r.Work == ours.Work && r != ours);
        switch (ours.Work)
        {
            case "up where all is right":
                var ratio = results.First(r => r.Work == "first up" && r.Links == ours.Links).Median / ours.Median;
                return [($"{ours.Work}, {ours.Links:N0}: 20 times quicker than the first", $"{ratio:0.#}x", ratio >= 20)];
            case "peak memory of up":
                return [($"{ours.Work}, {ours.Links:N0}: under 40 MiB", $"{ours.Median:0.#} MiB", ours.Median < 40)];
            case "check of a .nix file":
                var more = ours.Median - peers.First().Median;
                return [($"{ours.Work}: at most 15 ms more than nix-instantiate alone", $"{more:0.#} ms", more <= 15)];
            default:
                return [($"{ours.Work}: under 10 ms", $"{ours.Median:0.##} ms", ours.Median < 10),
                    .. peers.Select(p => ($"{ours.Work}: less than a {p.Contestant}", $"{ours.Median:0.##} ms, {p.Median:0.##} ms", ours.Median < p.Median))];
        }
    }
}
