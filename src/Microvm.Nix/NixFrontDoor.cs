using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Nix;

/// <summary>Reads a declaration in Nix by asking the real nix; no Nix parser of our own.</summary>
public static class NixFrontDoor
{
    /// <summary>How long an evaluation may take before it is ended.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>How long a flake may take, whose inputs nix has to fetch first.</summary>
    public static readonly TimeSpan FlakeLimit = TimeSpan.FromMinutes(10);

    /// <summary>The declaration in a <c>.nix</c> file as a node, or null after an error in <paramref name="diagnostics"/>.</summary>
    public static Node? Read(string file, DiagnosticBag diagnostics)
    {
        var source = new NixSource(file, Path.GetFullPath(file));
        return Evaluate(NixEnvironment.ForFile(source.FullPath), source, Limit, diagnostics);
    }

    /// <summary>Whether this argument names a declaration of a flake, <c>REF#NAME</c>, rather than a file.</summary>
    public static bool IsFlake(string argument) => argument.IndexOf('#') is > 0 and var at && at < argument.Length - 1 && !File.Exists(argument);

    /// <summary>What a flake declares under <c>nixosConfigurations.NAME</c>, or, evaluated as a file would be, under
    /// <c>nixosModules.NAME</c>. Nix may need the network for the flake's inputs.</summary>
    /// <param name="reference"><c>REF#NAME</c>; a REF that is a directory needs no scheme.</param>
    /// <returns>The declaration, or null after an error in <paramref name="diagnostics"/>.</returns>
    public static Node? ReadFlake(string reference, DiagnosticBag diagnostics)
    {
        var at = reference.IndexOf('#');
        var (flake, name) = (reference[..at], reference[(at + 1)..]);
        var directory = Directory.Exists(flake);
        var source = new NixSource(flake, directory ? Path.GetFullPath(flake) : flake) { IsFlake = true };
        return Evaluate(NixEnvironment.ForFlake(source.FullPath, name), source, FlakeLimit, diagnostics);
    }

    private static Node? Evaluate(ProcessStartInfo start, NixSource source, TimeSpan limit, DiagnosticBag diagnostics)
    {
        var here = new SourcePosition(source.Name, 0, 0);
        Process process;
        try
        {
            process = SearchPath.Start(start);
        }
        catch (Win32Exception e) when (e.NativeErrorCode == 2)
        {
            diagnostics.Error(here, "a .nix declaration needs nix, and 'nix-instantiate' is not on the PATH; install it (Debian: apt install nix-bin), or write the declaration as JSON");
            return null;
        }
        catch (Win32Exception e)
        {
            diagnostics.Error(here, $"nix can't be started: {e.Message}");
            return null;
        }
        using (process)
        {
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            // The pipes close with the last process that nix started, or the limit ends them all.
            if (!Task.WaitAll([output, errors], limit) || !process.WaitForExit(limit))
            {
                process.Kill(true);
                diagnostics.Error(here, $"nix did not finish within {limit.TotalSeconds:0} s; is there an endless recursion in the declaration?");
                return null;
            }
            if (process.ExitCode != 0)
            {
                NixError.Explain(source, errors.Result, diagnostics);
                return null;
            }
            try
            {
                using var document = JsonDocument.Parse(output.Result, new JsonDocumentOptions { MaxDepth = 512 });
                return TaggedValue.Read(document.RootElement, source, diagnostics);
            }
            catch (JsonException)
            {
                diagnostics.Error(here, "nix's answer can't be read: is a value in the declaration nested too deeply, or no text?");
                return null;
            }
        }
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
        // A flake is evaluated from a copy in the store: …/store/HASH-source/FILE.
        const string copy = "-source/";
        return IsFlake && file.Contains("/store/", StringComparison.Ordinal) && file.IndexOf(copy, StringComparison.Ordinal) is > 0 and var at
            ? $"{Name}/{file[(at + copy.Length)..]}" : file;
    }
}
