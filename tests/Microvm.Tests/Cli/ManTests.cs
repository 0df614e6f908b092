namespace Microvm.Tests;

public sealed class ManTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-man-").FullName;
    public void Dispose() => Directory.Delete(_folder, true);

    [Fact]
    public void There_is_a_page_for_each_command_and_groff_has_no_complaint()
    {
        Assert.Equal(0, Binary.Microvm("man", "-o", _folder).Code);
        Assert.Equal([.. HelpTests.Commands().Select(c => $"microvm-{string.Join('-', c)}.1").Append("microvm.1").Order(StringComparer.Ordinal)],
            Directory.GetFiles(_folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
        foreach (var page in Directory.GetFiles(_folder))
        {
            var groff = Binary.Run("groff", null, "-man", "-ww", "-Tutf8", "-Kutf8", page);
            Assert.True(groff.Code == 0 && groff.Err.Length == 0, $"{page}: {groff.Err}");
            Assert.Contains("EXIT STATUS", Bare(groff.Out));
        }
    }

    [Fact]
    public void The_page_says_what_the_help_says()
    {
        var shown = Binary.Run("groff", Binary.Microvm("man").Out, "-man", "-Tutf8", "-Kutf8");
        Assert.Contains("microvm COMMAND [OPTION…]", Bare(shown.Out));
        Assert.Contains("wrong usage or declaration; nothing was changed", Bare(shown.Out));
    }

    [Fact]
    public void The_command_line_reference_in_docs_is_what_the_commands_say()
    {
        var written = File.ReadAllText(Path.Combine(Binary.Root, "docs", "cli.md"));
        Assert.True(written == Binary.Microvm("man", "--markdown").Out, "docs/cli.md is not current; write it again: out/microvm man --markdown > docs/cli.md");
    }

    // Bold and underline of groff's terminal output, taken off.
    private static string Bare(string text) => System.Text.RegularExpressions.Regex.Replace(text, ".\b|\u001b\\[[0-9;]*m", "");
}
