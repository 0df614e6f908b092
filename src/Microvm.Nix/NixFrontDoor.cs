using Microvm.Declaration;

namespace Microvm.Nix;

/// <summary>Reads a declaration in Nix by asking the real nix; no Nix parser of our own.</summary>
public static class NixFrontDoor
{
    /// <summary>How long an evaluation without a network may take before it is ended.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>How long a flake of this machine may take: with its nixpkgs at hand, NixOS itself is evaluated.</summary>
    public static readonly TimeSpan LocalFlakeLimit = TimeSpan.FromMinutes(2);

    /// <summary>How long a flake may take, whose inputs nix has to fetch first.</summary>
    public static readonly TimeSpan FlakeLimit = TimeSpan.FromMinutes(10);

    /// <summary>The declaration in a <c>.nix</c> file as a node, or null after an error in <paramref name="diagnostics"/>.</summary>
    public static Node? Read(string file, DiagnosticBag diagnostics) => Read(file, NixOptions.Standard, diagnostics);

    /// <summary>The declaration in a <c>.nix</c> file as a node, or null after an error in <paramref name="diagnostics"/>.</summary>
    /// <remarks>Where a <c>flake.nix</c> stands in its folder or above, arguments that nobody else gives are taken from there.</remarks>
    public static Node? Read(string file, NixOptions options, DiagnosticBag diagnostics)
    {
        var source = new NixSource(file, Path.GetFullPath(file));
        return NixEvaluation.Run(NixEnvironment.Offline(options, "--argstr", "file", source.FullPath), options, source, Limit, diagnostics);
    }

    /// <summary>Whether this argument names a declaration of a flake, <c>REF#NAME</c>, rather than a file.</summary>
    public static bool IsFlake(string argument) => argument.IndexOf('#') is > 0 and var at && at < argument.Length - 1 && !File.Exists(argument);

    /// <summary>As the other, without a network.</summary>
    public static Node? ReadFlake(string reference, DiagnosticBag diagnostics) => ReadFlake(reference, NixOptions.Standard, diagnostics);

    /// <summary>What a flake declares under <c>nixosConfigurations.NAME</c>, or, evaluated as a file would be, under
    /// <c>nixosModules.NAME</c>. A flake in a folder is read without a network: an input that is not on this machine is left out, with a
    /// warning; with <see cref="NixOptions.Online"/> nix fetches it.</summary>
    /// <param name="reference"><c>REF#NAME</c>; a REF that is a directory needs no scheme. Without a name, the error says which there are.</param>
    /// <param name="options">What may be used besides.</param>
    /// <param name="diagnostics">Takes errors and warnings.</param>
    /// <returns>The declaration, or null after an error in <paramref name="diagnostics"/>.</returns>
    public static Node? ReadFlake(string reference, NixOptions options, DiagnosticBag diagnostics)
    {
        var at = reference.IndexOf('#');
        var (flake, name) = at < 0 ? (reference, null) : (reference[..at], reference[(at + 1)..]);
        var folder = Folder(flake);
        var source = new NixSource(flake, folder ?? flake) { IsFlake = true };
        if (folder is null && !options.Online)
        {
            diagnostics.Error(new(flake, 0, 0), Scheme(flake) ? "this flake has to be fetched; let nix do so with --online, or name a folder that has it: DIR#NAME"
                : "there is no folder of that name with a flake.nix in it; a flake that has to be fetched needs --online");
            return null;
        }
        string[] named = name is null ? ["--argstr", "flake", source.FullPath] : ["--argstr", "flake", source.FullPath, "--argstr", "name", name];
        return options.Online ? NixEvaluation.Run(NixEnvironment.Online(options, named), options, source, FlakeLimit, diagnostics)
            : NixEvaluation.Run(NixEnvironment.Offline(options, named), options, source, LocalFlakeLimit, diagnostics);
    }

    private static bool Scheme(string flake) => flake.Contains(':');

    /// <summary>The folder of a flake that is on this machine; null where it has to be fetched.</summary>
    private static string? Folder(string flake)
    {
        var path = FlakeReference.Path(flake);
        return path.Length > 0 && File.Exists(Path.Combine(path, "flake.nix")) ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)) : null;
    }
}

/// <summary>What is evaluated: as the user wrote it, and as nix names it.</summary>
internal sealed record NixSource(string Name, string FullPath)
{
    internal bool IsFlake { get; init; }

    /// <summary>A file that nix names, in the user's words.</summary>
    internal string Shown(string file)
    {
        if (file == FullPath)
        {
            return Name;
        }
        if (IsFlake && file.StartsWith(FullPath + "/", StringComparison.Ordinal))
        {
            return $"{Path.TrimEndingDirectorySeparator(Name)}/{file[(FullPath.Length + 1)..]}";
        }
        // A flake that nix fetched is evaluated from a copy in the store: …/store/HASH-source/FILE.
        const string copy = "-source/";
        return IsFlake && file.Contains("/store/", StringComparison.Ordinal) && file.IndexOf(copy, StringComparison.Ordinal) is > 0 and var at
            ? $"{Name}/{file[(at + copy.Length)..]}" : file;
    }
}
