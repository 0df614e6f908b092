using System.Text.RegularExpressions;
using Microvm.Screens;

namespace Microvm.Tests;

public sealed partial class HelpTests
{
    /// <summary>Every command, with subcommands, as the man pages name them.</summary>
    internal static IReadOnlyList<string[]> Commands()
    {
        using var folder = new Folder();
        var directory = Path.GetDirectoryName(folder.File("x", ""))!;
        Assert.Equal(0, Binary.Microvm("man", "-o", Path.Combine(directory, "man")).Code);
        var reference = Binary.Microvm("man", "--markdown").Out;
        return [.. Heading().Matches(reference).Select(m => m.Groups[1].Value.Split(' ')[1..])];
    }

    [Fact]
    public void Every_command_has_the_same_sections_in_its_help_and_an_example()
    {
        foreach (var command in Commands())
        {
            var help = Binary.Microvm([.. command, "--help"]);
            Assert.Equal(0, help.Code);
            var sections = Section().Matches(help.Out).Select(m => m.Groups[1].Value).ToList();
            var what = $"microvm {string.Join(' ', command)} --help:\n{help.Out}";
            Assert.True(sections[0] == "Usage", what);
            Assert.True(sections[^1] == "Exit codes", what);
            Assert.True(sections.Contains("Options"), what);
            Assert.True(sections.Contains("Examples") || sections.Contains("Commands"), what);
            Assert.Contains("-h, --help", help.Out);
        }
    }

    [Theory]
    [InlineData("help", "--help")]
    [InlineData("help plan", "plan --help")]
    [InlineData("help fleet up", "fleet up --help")]
    [InlineData("version", "--version")]
    public void The_words_that_people_try_first_are_understood(string tried, string meant)
    {
        var (got, wanted) = (Binary.Microvm(tried.Split(' ')), Binary.Microvm(meant.Split(' ')));
        Assert.Equal((0, wanted.Out, ""), (got.Code, got.Out, got.Err));
        Assert.NotEmpty(got.Out);
    }

    [Fact]
    public void Help_of_no_command_is_told()
    {
        var told = Binary.Microvm("help", "pln");
        Assert.Equal(2, told.Code);
        Assert.Contains("did you mean 'plan'?", told.Err, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(60)]
    [InlineData(80)]
    public void Help_stays_within_the_terminals_width(int columns)
    {
        foreach (var command in Commands())
        {
            using var terminal = new PseudoTerminal([Binary.Path, .. command, "--help"], columns, 60, ("NO_COLOR", "1"));
            Assert.Equal(0, terminal.WaitForExit(TimeSpan.FromSeconds(60)));
            var help = System.Text.Encoding.UTF8.GetString([.. terminal.Written]).Replace("\r", "", StringComparison.Ordinal);
            // A command line to copy is never broken.
            var text = help[..(help.IndexOf("\nExamples:", StringComparison.Ordinal) is > 0 and var end ? end : help.Length)];
            Assert.All(text.Split('\n').Where(l => !l.StartsWith("  microvm", StringComparison.Ordinal)), line => Assert.True(line.Length <= columns, line));
        }
    }

    [Fact]
    public void The_first_help_groups_the_commands_and_leaves_none_in_no_group()
    {
        var help = Binary.Microvm("--help").Out;
        Assert.Contains("A declaration and its interfaces:", help);
        Assert.DoesNotContain("\nMore:", help);
        Assert.Equal(help, Binary.Microvm("-h").Out);
    }

    [Fact]
    public void Help_is_given_though_arguments_are_missing_and_a_wrong_line_names_it()
    {
        Assert.Equal(0, Binary.Microvm("up", "--help").Code);
        var wrong = Binary.Microvm("up");
        Assert.Equal(2, wrong.Code);
        Assert.Contains("Try 'microvm up --help'.", wrong.Err);
    }

    [Fact]
    public void Version_prints_the_version_alone() => Assert.Matches(@"^\d+\.\d+\.\d+\S*\n$", Binary.Microvm("--version").Out);

    [GeneratedRegex("^## (microvm .*)$", RegexOptions.Multiline)] private static partial Regex Heading();
    [GeneratedRegex("^(\\S[^\n]*):$", RegexOptions.Multiline)] private static partial Regex Section();
}
