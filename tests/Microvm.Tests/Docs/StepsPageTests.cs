using System.Globalization;
using System.Text.RegularExpressions;

namespace Microvm.Tests;

/// <summary>docs/steps.md: the counts are those of the commands, ours are there, and where we need more is said.</summary>
public sealed class StepsPageTests
{
    private static string Text(string page) => File.ReadAllText(Path.Combine(Binary.Root, "docs", page));

    private static IEnumerable<string[]> Rows() => Text("steps.md").Split('\n').Where(l => l.StartsWith("| ", StringComparison.Ordinal)).Skip(1)
        .Select(l => l.Split('|')[1..^1]).Select(cells => cells.Select(c => c.Trim()).ToArray());

    private static (int Count, string[] Steps) Cell(string cell) =>
        (int.Parse(Regex.Match(cell, @"^\*\*(\d+)\*\*: ").Groups[1].Value, CultureInfo.InvariantCulture), [.. Regex.Matches(cell, "`([^`]+)`").Select(m => m.Groups[1].Value)]);

    [Fact]
    public void Twelve_jobs_are_counted_as_they_are_shown()
    {
        Assert.Equal(12, Rows().Count());
        foreach (var row in Rows())
        {
            Assert.All(row[1..], c => Assert.Equal(Cell(c).Count, Cell(c).Steps.Length));
        }
    }

    [Fact]
    public void What_we_type_exists()
    {
        var sections = Regex.Matches(Text("cli.md"), @"(?ms)^## (microvm[^\n]*)\n(.*?)(?=^## |\z)").ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
        var ours = Rows().SelectMany(r => Cell(r[1]).Steps).Where(s => s.StartsWith("microvm ", StringComparison.Ordinal)).ToList();
        Assert.True(ours.Count >= 12);
        foreach (var words in ours.Select(s => s.Split(' ')))
        {
            var section = sections[$"microvm {words[1]}"];
            Assert.All(words[2..].Where(w => w.StartsWith('-')), w => Assert.Matches($@"(?<![a-z-]){Regex.Escape(w)}(?![a-z-])", section));
        }
    }

    [Fact]
    public void We_need_no_more_steps_but_for_what_the_page_says()
    {
        var more = Rows().Where(r => Cell(r[1]).Count > Math.Min(Cell(r[2]).Count, Cell(r[3]).Count)).Select(r => r[0]);
        Assert.Equal(["An ordinary Debian, from nothing to a shell in it", "Another interface, after a change of its description"], more);
        var below = Text("steps.md")[Text("steps.md").IndexOf("Where we need more:", StringComparison.Ordinal)..];
        Assert.Equal(more.Count(), Regex.Matches(below, "(?m)^- ").Count);
    }
}
