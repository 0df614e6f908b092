namespace Microvm.Tests.Attacks;

/// <summary>The scripts of <c>tests/attacks</c>: each stands outside of a boundary that docs/security.md draws, and pushes.</summary>
public sealed class AttackTests
{
    private static readonly string s_folder = Path.Combine(Binary.Root, "tests", "attacks");

    public static TheoryData<string> Scripts => new(Directory.GetFiles(s_folder, "*.sh").Select(p => Path.GetFileName(p)!).Where(n => n != "common.sh").Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Scripts))]
    public void An_attack_does_not_reach_its_aim(string script)
    {
        var outcome = Binary.Run("env", null, $"MICROVM={Binary.Path}", "timeout", "120", Path.Combine(s_folder, script));
        Assert.True(outcome.Code == 0, $"{script}: exit code {outcome.Code}\n{outcome.Out}{outcome.Err}");
    }

    /// <summary>Every cell of the table in docs/security.md names a test, and every attack is in it.</summary>
    [Fact]
    public void Docs_name_every_attack_and_no_other()
    {
        var page = File.ReadAllText(Path.Combine(Binary.Root, "docs", "security.md"));
        Assert.All(Directory.GetFiles(s_folder, "*.sh").Select(Path.GetFileName).Where(n => n != "common.sh"), s => Assert.Contains($"`{s}`", page, StringComparison.Ordinal));
        foreach (System.Text.RegularExpressions.Match named in System.Text.RegularExpressions.Regex.Matches(page, "`([a-z-]+\\.sh)`"))
        {
            Assert.True(File.Exists(Path.Combine(s_folder, named.Groups[1].Value)), named.Value);
        }
    }

    /// <summary>Nobody reaches anything from any place without somebody who tries: no cell of the table is empty, and what it names is there to be run.</summary>
    [Fact]
    public void Each_cell_of_the_table_names_a_test_that_is_there()
    {
        var page = File.ReadAllText(Path.Combine(Binary.Root, "docs", "security.md"));
        var rows = page.Split('\n').SkipWhile(l => !l.StartsWith("| from \\ to", StringComparison.Ordinal)).Skip(2).TakeWhile(l => l.StartsWith('|')).ToList();
        Assert.Equal(5, rows.Count);
        var types = typeof(AttackTests).Assembly.GetTypes();
        foreach (var cell in rows.SelectMany(r => r.Split('|')[2..^1]))
        {
            var named = System.Text.RegularExpressions.Regex.Matches(cell, "`([a-z-]+\\.sh)`|`(\\w+Tests)(?:\\.(\\w+))?`");
            Assert.True(named.Count > 0, $"no test stands in: {cell}");
            Assert.All(named, n => Assert.True(n.Groups[1].Success ? File.Exists(Path.Combine(s_folder, n.Groups[1].Value))
                : types.FirstOrDefault(t => t.Name == n.Groups[2].Value) is { } type && (!n.Groups[3].Success || type.GetMethod(n.Groups[3].Value) is not null), n.Value));
        }
    }
}
