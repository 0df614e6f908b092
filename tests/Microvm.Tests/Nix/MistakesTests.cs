namespace Microvm.Tests;

/// <summary>What people get wrong most: tests/Mistakes, each a file, with the place and the way out that the message has to give.</summary>
public sealed class MistakesTests
{
    private static readonly string s_root = Path.Combine(Binary.Root, "tests", "Mistakes");

    private static IEnumerable<string[]> Lines => File.ReadLines(Path.Combine(s_root, "expected")).Select(l => l.Split(' ', 3));

    /// <summary>One row for each file, with what is said of it.</summary>
    public static TheoryData<string> Mistakes => [.. Directory.GetFiles(s_root, "*.nix").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_told_with_file_line_column_and_what_to_do(string name)
    {
        var outcome = Binary.Run("env", null, "-C", s_root, "-u", "NIX_PATH", Binary.Path, "check", $"{name}.nix");
        Assert.Equal(2, outcome.Code);
        var expected = Lines.Where(l => l[0] == name).ToList();
        Assert.NotEmpty(expected);
        var said = (outcome.Out + outcome.Err).Split('\n');
        Assert.All(expected, e => Assert.Contains(said, l => e[1].Split('|').Any(at => l.StartsWith($"{name}.nix:{at}: error: ", StringComparison.Ordinal)) && l.Contains(e[2], StringComparison.Ordinal)));
        // A newer nix tells some places more closely: 3:3|3:69. Each error has one.
        Assert.All(said.Where(l => l.Contains(": error: ", StringComparison.Ordinal)), l => Assert.Matches(@"^[a-z-]+\.nix:\d+:\d+: error: ", l));
    }

    /// <summary>What is wrong is told where it stands, whichever file imports it.</summary>
    [Theory]
    [MemberData(nameof(Mistakes))]
    public void In_a_module_that_is_imported_the_place_is_that_modules_own(string name)
    {
        Assert.SkipWhen(name is "no-microvm", "it defines nothing of a VM, which is no mistake of a module");
        Assert.SkipWhen(name is "a-function-without-an-end" or "arguments-for-a-module", "nix gives no place for it: the file that was read is told, at its first line");
        var folder = Directory.CreateTempSubdirectory("microvm-mistakes-");
        try
        {
            File.Copy(Path.Combine(s_root, $"{name}.nix"), Path.Combine(folder.FullName, $"{name}.nix"));
            File.WriteAllText(Path.Combine(folder.FullName, "entry.nix"), $"{{ imports = [ ./{name}.nix ]; }}\n");
            var outcome = Binary.Run("env", null, "-C", folder.FullName, "-u", "NIX_PATH", Binary.Path, "check", "entry.nix");
            Assert.Equal(2, outcome.Code);
            // Another file than the one that was asked for is shown with its whole path.
            var said = (outcome.Out + outcome.Err).Replace($"{folder.FullName}/", "", StringComparison.Ordinal).Split('\n');
            Assert.All(Lines.Where(l => l[0] == name), e => Assert.Contains(said, l => e[1].Split('|').Any(at => l.StartsWith($"{name}.nix:{at}: error: ", StringComparison.Ordinal)) && l.Contains(e[2], StringComparison.Ordinal)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void At_least_twenty_mistakes_are_walked_through_and_none_is_forgotten()
    {
        Assert.InRange(Mistakes.Count, 20, int.MaxValue);
        Assert.Equal(Mistakes.Select(r => r.Data), Lines.Select(l => l[0]).Distinct());
    }
}
