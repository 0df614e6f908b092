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
}
