using System.Text.RegularExpressions;

namespace Microvm.Tests;

/// <summary>A fenced block of a page.</summary>
/// <param name="Marks">The HTML comments right before it: <c>not run: why</c>, <c>file: name</c>, <c>setup: shell</c> (before it), <c>then: shell</c> (after it).</param>
internal sealed record Block(string Language, int Line, string Text, IReadOnlyList<(string Kind, string Text)> Marks)
{
    internal string? NotRun => Marks.FirstOrDefault(m => m.Kind == "not run").Text;
    internal string? FileName => Marks.FirstOrDefault(m => m.Kind == "file").Text;

    /// <summary>The commands of a block: all of it, or the lines after <c>$ </c> where it shows what they print.</summary>
    internal string Commands => Language == "console"
        ? string.Join('\n', Text.Split('\n').Where(l => l.StartsWith("$ ", StringComparison.Ordinal)).Select(l => l[2..])) : Text;
}

/// <summary>A page of the documentation, taken apart.</summary>
internal sealed partial record Page(string Path, string Text, IReadOnlyList<Block> Blocks)
{
    /// <summary>The pages of the root and all of docs/, by their paths from the root.</summary>
    internal static IEnumerable<string> All => Directory.GetFiles(System.IO.Path.Combine(Binary.Root, "docs"), "*.md", SearchOption.AllDirectories)
        .Select(f => System.IO.Path.GetRelativePath(Binary.Root, f)).Concat(["README.md", "CONTRIBUTING.md", "SECURITY.md"]).Order(StringComparer.Ordinal);

    internal static Page Read(string path)
    {
        var text = File.ReadAllText(System.IO.Path.Combine(Binary.Root, path));
        return new(path, text, [.. Fence().Matches(text).Select(m => new Block(m.Groups["language"].Value, text[..m.Groups["fence"].Index].Count(c => c == '\n') + 1, m.Groups["body"].Value,
            [.. Mark().Matches(m.Groups["marks"].Value).Select(k => (k.Groups[1].Value, k.Groups[2].Value.Trim()))]))]);
    }

    [GeneratedRegex(@"(?<marks>(?:^<!--(?:(?!-->).)*-->\n+)*)^(?<fence>```)(?<language>[a-z]*)[^\n]*\n(?<body>.*?)^```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"<!--\s*(not run|file|setup|then):((?:(?!-->).)*)-->", RegexOptions.Singleline)]
    private static partial Regex Mark();
}
