using System.Text;

namespace Microvm.Nix;

/// <summary>The expression that nix evaluates: the files of <c>nix/</c> that this library carries, joined into one.</summary>
internal static class NixExpression
{
    private static readonly Lazy<string> s_whole = new(Join);

    /// <summary>A function of <c>{ file }</c>, or of <c>{ flake; name; }</c>, which nix reads from its standard input.</summary>
    internal static string Whole => s_whole.Value;

    private static string Join()
    {
        var text = new StringBuilder("(let\n", 160 * 1024);
        // On disk, functions.nix is given its parts by default.nix.
        text.Append("functions = (\n").Append(Read("functions")).Append(") {\n");
        foreach (var part in (string[])["trivial", "lists", "strings", "attrsets", "versions", "filesystem", "fileset", "paths", "generators", "meta"])
        {
            text.Append(part).Append(" = (\n").Append(Read(part)).Append(");\n");
        }
        text.Append("};\n");
        foreach (var part in (string[])["properties", "types", "modules", "packages", "declaration", "flakes", "entry"])
        {
            text.Append(part).Append(" = (\n").Append(Read(part)).Append(");\n");
        }
        // These are written as modules are; the front door takes only their options.
        text.Append("options = [ (\n").Append(Read("options")).Append(") (\n").Append(Read("outputs")).Append(") (\n").Append(Read("networks")).Append(") ];\n");
        return text.Append("in entry { inherit functions properties types modules packages declaration flakes options; })").ToString();
    }

    private static string Read(string part)
    {
        using var stream = typeof(NixExpression).Assembly.GetManifestResourceStream($"{part}.nix")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
