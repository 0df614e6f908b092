namespace Microvm.Declaration;

/// <summary>Short words for the table of options.</summary>
internal static class Declare
{
    internal static readonly TextType Text = new();
    internal static readonly PathType PathValue = new();
    internal static readonly PackageType PackageValue = new();
    internal static readonly IntegerType Unsigned = new(0, 16 * 1024 * 1024);
    internal static readonly ListType Texts = new(Text);

    internal static DeclaredOption Bool(string name, bool standard, string summary) => new(name, new BoolType(), summary, standard ? "true" : "false");

    internal static DeclaredOption Package(string what) =>
        new("package", PackageValue, $"The {what} package; the program is in its bin/. Without one it is looked for on the PATH") { Nullable = true };

    internal static DeclaredOption ExtraArgs(string what) => new("extraArgs", Texts, $"More arguments for {what}, each one word", "[]");

    /// <summary>An option of building the NixOS image: accepted and left alone.</summary>
    internal static DeclaredOption Image(string name, string summary) => new(name, new AnyType(), summary) { LeftAlone = true, Nullable = true };

    internal static DeclaredOption Set(string name, string summary, params DeclaredOption[] options) =>
        new(name, new SetType(new($"microvm.{name}", options)), summary);
}
