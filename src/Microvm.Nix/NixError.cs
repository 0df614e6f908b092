using System.Text.RegularExpressions;
using Microvm.Declaration;

namespace Microvm.Nix;

/// <summary>Turns what nix says when it gives up into one diagnostic at the user's own line.</summary>
internal static partial class NixError
{
    internal static void Explain(NixSource source, string errors, DiagnosticBag diagnostics)
    {
        var plain = Colour().Replace(errors, "");
        var message = Message().Matches(plain) is { Count: > 0 } found ? found[^1].Groups[1].Value.Trim() : "nix could not evaluate this";
        message = Regex.Replace(message, @"\s+", " ");
        diagnostics.Error(Place(source, plain), Printable.Of(message + Hint(message), 400));
    }

    /// <summary>The innermost place that nix names in the user's file, else in any other; our own expression has none.</summary>
    private static SourcePosition Place(NixSource source, string plain)
    {
        SourcePosition? first = null;
        // Newer nix prints its trace from the outside in, and begins with the word alone.
        IEnumerable<Match> places = Where().Matches(plain);
        foreach (var place in plain.TrimStart().StartsWith("error:\n", StringComparison.Ordinal) ? places.Reverse() : places)
        {
            var at = new SourcePosition(source.Shown(place.Groups[1].Value), int.Parse(place.Groups[2].Value), int.Parse(place.Groups[3].Value));
            if (at.File == source.Name)
            {
                return at;
            }
            first ??= at;
        }
        return first ?? new(source.Name, 0, 0);
    }

    private static string Hint(string message) => message switch
    {
        _ when message.Contains("file 'nixpkgs' was not found", StringComparison.Ordinal) => "; set NIX_PATH=nixpkgs=/path/to/nixpkgs, or do without",
        _ when message.Contains("stack overflow", StringComparison.Ordinal) => "; is there an endless recursion in the declaration?",
        _ => "",
    };

    [GeneratedRegex("\u001b\\[[0-9;]*m")] private static partial Regex Colour();
    [GeneratedRegex(@"error: (.*?)(\n\n|\n\s+at |\n\s+…|\n\(use|$)", RegexOptions.Singleline)] private static partial Regex Message();
    [GeneratedRegex(@"(?:at |, in |\()?(/[^\n:]*?):(\d+):(\d+)")] private static partial Regex Where();
}
