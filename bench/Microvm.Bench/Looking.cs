namespace Microvm.Bench;

/// <summary>What looks at many links: the time of each link must not grow with their number. Beside it ip(8), which looks at the same links
/// and knows nothing of declarations.</summary>
internal static class Looking
{
    private const string Peer = "ip -s -j link";

    /// <summary>Each VM has a tap on a bridge, a thousand a bridge. Pairs are those of a hypervisor that takes only taps, declared and not there.</summary>
    internal static void Measure(List<Result> results, Tools tools, int n)
    {
        var file = tools.Write($"fleet-{n}.json", Fleet(n, i => $$"""{"microvm":{"interfaces":[{"type":"tap","id":"l{{i}}","bridge":"b{{i / 1000}}","mac":"{{Mac(i)}}"}] } }"""));
        var pairs = tools.Write($"pairs-{n}.json", Fleet(n, i => $$"""{"microvm":{"hypervisor":"firecracker","interfaces":[{"type":"macvtap","id":"p{{i}}","mac":"{{Mac(i)}}","macvtap":{"link":"low0","mode":"bridge"} }] } }"""));
        var bridges = Enumerable.Range(0, (n + 999) / 1000).ToList();
        bridges.ForEach(b => Child.Time(["ip", "link", "add", $"b{b}", "type", "bridge"]));
        Child.Time([tools.Microvm, "up", "--user", "1000", file]);
        var works = new (string Work, string Contestant, IReadOnlyList<string> Words)[]
        {
            ("status", Contestant.Ours, [tools.Microvm, "status"]),
            ("status of the declarations", Contestant.Ours, [tools.Microvm, "status", file]),
            ("status of pairs that are not there", Contestant.Ours, [tools.Microvm, "status", pairs]),
            ("metrics", Contestant.Ours, [tools.Microvm, "metrics"]),
            ("topology", Contestant.Ours, [tools.Microvm, "topology", file]),
            ("topology as SVG", Contestant.Ours, [tools.Microvm, "topology", "--svg", file]),
            ("topology of the host", Contestant.Ours, [tools.Microvm, "topology", "--host"]),
            ("all links", Peer, ["ip", "-s", "-j", "link"]),
        };
        var times = works.ToDictionary(w => w.Work, _ => new List<double>());
        for (var round = 0; round < 7; round++)
        {
            Console.Error.WriteLine($"looking at {n} links, round {round + 1} of 7");
            foreach (var (work, _, words) in round % 2 == 0 ? works : works.Reverse())
            {
                times[work].Add(Child.Time(words).Milliseconds);
            }
        }
        Child.Time([tools.Microvm, "down", file]);
        bridges.ForEach(b => Child.Time(["ip", "link", "delete", $"b{b}"]));
        results.AddRange(works.Select(w => new Result(w.Work, n, w.Contestant, [.. times[w.Work]])));
    }

    /// <summary>A row a work: both sizes, and what a link costs at the larger in times of what it costs at the smaller.</summary>
    internal static IEnumerable<string> Table(IReadOnlyList<Result> results)
    {
        const double Linear = 1.5;
        var sizes = results.Select(r => r.Links).Distinct().Order().ToList();
        yield return $"| what looks | {string.Join(" | ", sizes.Select(s => $"{s:N0} links, ms (least–most)"))} | per link, {sizes[^1]:N0} to {sizes[0]:N0} | at most {Linear:0.0} |";
        yield return $"|---|{string.Concat(sizes.Select(_ => "---:|"))}---:|---|";
        foreach (var work in results.GroupBy(r => (r.Work, r.Contestant)))
        {
            var (first, last) = (work.MinBy(r => r.Links)!, work.MaxBy(r => r.Links)!);
            var ratio = last.Median / last.Links / (first.Median / first.Links);
            var name = work.Key.Contestant == Contestant.Ours ? work.Key.Work : $"{work.Key.Work}: `{work.Key.Contestant}`";
            yield return $"| {name} | {string.Join(" | ", work.OrderBy(r => r.Links).Select(r => $"{r.Median:0.#} ({r.Least:0.#}–{r.Most:0.#})"))} | {ratio:0.00} | {(work.Key.Contestant != Contestant.Ours ? "" : ratio <= Linear ? "yes" : "no")} |";
        }
    }

    private static string Fleet(int n, Func<int, string> config) =>
        "{\"microvm\":{\"vms\":{" + string.Join(",\n", Enumerable.Range(0, n).Select(i => $"\"v{i}\":{{\"config\":{config(i)}}}")) + "}}}";

    private static string Mac(int i) => $"02:00:00:02:{(i + 1) >> 8:x2}:{(i + 1) & 0xff:x2}";
}
