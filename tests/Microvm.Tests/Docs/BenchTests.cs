namespace Microvm.Tests;

/// <summary>The committed figures of what looks at many links: the time of each link does not grow with their number.</summary>
[Trait("needs", "nothing")]
public sealed class BenchTests
{
    [Fact]
    public void What_looks_at_ten_thousand_links_is_measured_and_linear()
    {
        var rows = File.ReadAllLines(Path.Combine(Binary.Root, "bench", "results", "looking.md")).Select(l => l.Split('|', StringSplitOptions.TrimEntries)).Where(c => c.Length > 5).ToList();
        var sizes = rows[0].Count(c => c.Contains(" links, ms", StringComparison.Ordinal));
        Assert.All((string[])["1,000", "4,000", "10,000"], n => Assert.Contains(rows[0], c => c.StartsWith($"{n} links", StringComparison.Ordinal)));
        foreach (var work in (string[])["status", "status of the declarations", "status of pairs that are not there", "metrics", "topology", "topology as SVG", "topology of the host"])
        {
            var row = Assert.Single(rows, r => r[1] == work);
            Assert.Equal("yes", row[sizes + 3]);
        }
    }
}
