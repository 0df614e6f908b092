namespace Microvm.Declaration;

/// <summary>Short words for the table of options.</summary>
internal static class Declare
{
    internal static readonly TextType Text = new();
    internal static readonly PathType PathValue = new();
    internal static readonly PackageType PackageValue = new();
    internal static readonly IntegerType Unsigned = new(0, 16 * 1024 * 1024);
    internal static readonly ListType Texts = new(Text);

    internal static DeclaredOption Bool(string name, bool standard, string summary) =>
        new(name, new BoolType(), summary, standard ? "true" : "false");

    /// <summary>A text that may be left out.</summary>
    internal static DeclaredOption Maybe(string name, string example, string summary) =>
        new(name, Text, summary) { Nullable = true, Example = example };

    internal static DeclaredOption Words(string name, string example, string summary) =>
        new(name, Texts, summary, "[]") { Example = example };

    /// <param name="what">The program's name in a sentence.</param>
    /// <param name="attribute">The package's name in nixpkgs.</param>
    internal static DeclaredOption Package(string what, string attribute) =>
        new("package", PackageValue, $"The package that {what} is taken from. Where none is given, the program is looked for on the PATH.")
        {
            Nullable = true,
            Example = $"pkgs.{attribute}",
            Nix = new() { Type = "types.package", Default = $"cfg.vmHostPackages.{attribute}" },
        };

    internal static DeclaredOption ExtraArgs(string what, string example) =>
        Words("extraArgs", example, $"Further arguments for {what}, each one word.");

    /// <summary>An option of building the NixOS image: accepted and left alone.</summary>
    internal static DeclaredOption Image(string name, NixOption nix, string example, string summary) =>
        new(name, new AnyType(), summary) { LeftAlone = true, Nullable = true, Example = example, Nix = nix };

    internal static NixOption NixFlag(bool standard) => new() { Type = "types.bool", Default = standard ? "true" : "false" };

    internal static DeclaredOption Set(string name, string summary, params DeclaredOption[] options) =>
        new(name, new SetType(new($"microvm.{name}", options)), summary);
}
