using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Nix;

namespace Microvm.Cli;

/// <summary>Reads declarations through either front door and applies the rules over all of them together.</summary>
internal static class Declarations
{
    /// <summary>A larger JSON file is refused before it is read.</summary>
    private const long MaxBytes = 64 * 1024 * 1024;

    internal static IReadOnlyList<MicrovmConfig> Read(IReadOnlyList<string> files, TextReader standardInput, DiagnosticBag diagnostics)
    {
        var reader = new DeclarationReader(diagnostics);
        var vms = files.Select(f => Open(f, standardInput, diagnostics)).OfType<Node>()
            .SelectMany(n => FleetReader.IsFleet(n) ? FleetReader.Read(n, diagnostics)?.Vms.Select(v => v.Config) ?? [] : [reader.Read(n)])
            .OfType<MicrovmConfig>().ToList();
        FleetRules.Check(vms, diagnostics);
        foreach (var vm in vms)
        {
            HypervisorTable.Check(vm, diagnostics);
        }
        return vms;
    }

    /// <summary>One file's values as they were written, before any rule; null after an error.</summary>
    internal static Node? Open(string file, DiagnosticBag diagnostics) => Open(file, Console.In, diagnostics);

    private static Node? Open(string file, TextReader standardInput, DiagnosticBag diagnostics)
    {
        // Errors of one file must not hide the next one's, so each is opened with a bag of its own.
        var own = new DiagnosticBag();
        Node? node = null;
        if (file.Length == 0)
        {
            diagnostics.Error(new("''", 0, 0), "a declaration needs a name; is a variable of your script empty?");
            return null;
        }
        try
        {
            using var caller = Caller.ActFor(file);
            if (file == "-")
            {
                node = JsonFrontDoor.Read("<stdin>", System.Text.Encoding.UTF8.GetBytes(standardInput.ReadToEnd()), own);
            }
            else if (NixFrontDoor.IsFlake(file))
            {
                node = NixFrontDoor.ReadFlake(file, own);
            }
            else if (Directory.Exists(file) || (File.Exists(file) && file.EndsWith(".nix", StringComparison.Ordinal)))
            {
                node = NixFrontDoor.Read(Directory.Exists(file) ? Path.Combine(file, "default.nix") : file, own);
            }
            else if (new FileInfo(file).Length > MaxBytes)
            {
                own.Error(new(file, 0, 0), $"this is larger than {MaxBytes / 1024 / 1024} MiB and can't be a declaration");
            }
            else
            {
                node = JsonFrontDoor.Read(file, File.ReadAllBytes(file), own);
            }
        }
        catch (Exception e) when (e is FileNotFoundException { FileName: not null } or DirectoryNotFoundException)
        {
            own.Error(new(Printable.Of(file), 0, 0), "there is no such file");
        }
        catch (UnauthorizedAccessException)
        {
            own.Error(new(Printable.Of(file), 0, 0), "can't be read: permission denied");
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            own.Error(new(Printable.Of(file), 0, 0), $"can't be read: {Verb.Words(e)}");
        }
        foreach (var d in own.All)
        {
            if (d.Severity == Severity.Error)
            {
                diagnostics.Error(d.At, d.Message);
            }
            else
            {
                diagnostics.Warning(d.At, d.Message);
            }
        }
        return node;
    }
}
