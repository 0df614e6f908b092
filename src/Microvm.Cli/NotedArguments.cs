using Microvm.Nix;

namespace Microvm.Cli;

/// <summary>The arguments of a declaration as a VM's directory keeps them for the next update: one a line, as they were typed.</summary>
internal static class NotedArguments
{
    private const string Text = "--argstr ", Expression = "--arg ";

    internal static IReadOnlyList<string> Lines(IReadOnlyList<NixArgument> arguments) =>
        [.. arguments.Select(a => $"{(a.IsText ? Text : Expression)}{a.Name}={a.Value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal)}")];

    internal static IReadOnlyList<NixArgument> Parse(IReadOnlyList<string> lines) =>
        [.. from line in lines
            let kind = line.StartsWith(Text, StringComparison.Ordinal) ? Text : Expression
            let at = line.IndexOf('=')
            where at > kind.Length && line.StartsWith(kind, StringComparison.Ordinal)
            select new NixArgument(line[kind.Length..at], Unescaped(line[(at + 1)..]), kind == Text)];

    private static string Unescaped(string value)
    {
        var text = new System.Text.StringBuilder(value.Length);
        for (var i = 0; i < value.Length; i++)
        {
            _ = value[i] != '\\' || i + 1 == value.Length ? text.Append(value[i]) : text.Append(value[++i] switch { 'n' => '\n', 'r' => '\r', var other => other });
        }
        return text.ToString();
    }
}
