using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Nix;

namespace Microvm.Cli;

/// <summary>Reads declarations through either front door and applies the rules over all of them together.</summary>
internal static class Declarations
{
    /// <summary>How nix is asked; the command line says so before anything is read.</summary>
    internal static NixOptions Evaluation { get; set; } = NixOptions.Standard;

    internal static IReadOnlyList<MicrovmConfig> Read(IReadOnlyList<string> files, TextReader standardInput, DiagnosticBag diagnostics) =>
        Survey(files, standardInput, diagnostics).Vms;

    /// <summary>As <see cref="Read"/>, with what could not be looked at.</summary>
    internal static DeclarationSurvey Survey(IReadOnlyList<string> files, TextReader standardInput, DiagnosticBag diagnostics)
    {
        var vms = new List<MicrovmConfig>();
        var nodes = new List<Node>();
        var notLookedAt = new List<string>();
        var hosts = 0;
        foreach (var node in files.Select(f => Open(f, standardInput, diagnostics)).OfType<Node>())
        {
            nodes.Add(node);
            if (FleetReader.IsFleet(node))
            {
                hosts++;
                foreach (var vm in FleetReader.Read(node, diagnostics)?.Vms ?? [])
                {
                    if (vm.Config is { } config)
                    {
                        vms.Add(config);
                    }
                    else
                    {
                        notLookedAt.Add(vm.Name);
                        diagnostics.Warning(vm.At, $"'{Printable.Of(vm.Name)}' was not looked at: its flake {Printable.Of(vm.Flake ?? "")} is not on this machine; check it by itself: microvm check --online {Printable.Of(vm.Flake ?? "REF")}#{Printable.Of(vm.Name)}");
                    }
                }
            }
            if (FleetReader.Guest(node) is { } guest && new DeclarationReader(diagnostics).Read(guest) is { } own)
            {
                vms.Add(own);
            }
        }
        FleetRules.Check(vms, diagnostics);
        foreach (var vm in vms)
        {
            HypervisorTable.Check(vm, diagnostics);
        }
        return new(vms, notLookedAt, hosts, nodes);
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
        DiagnosticOutput.ShowTo(file);
        var here = new SourcePosition(Printable.Of(file), 0, 0);
        try
        {
            using var caller = Caller.ActFor(FileOf(file));
            node = OpenAs(file, standardInput, own);
        }
        catch (Exception e) when (e is FileNotFoundException { FileName: not null } or DirectoryNotFoundException)
        {
            own.Error(here, "there is no such file");
        }
        catch (UnauthorizedAccessException)
        {
            own.Error(here, "can't be read: permission denied");
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            own.Error(here, $"can't be read: {Verb.Words(e)}");
        }
        diagnostics.Take(own);
        return node;
    }

    private static Node? OpenAs(string file, TextReader standardInput, DiagnosticBag own)
    {
        if (file == "-")
        {
            using var nobody = Caller.ReadAs(file);
            return BoundedInput.Text(standardInput) is { } text ? JsonFrontDoor.Read("<stdin>", System.Text.Encoding.UTF8.GetBytes(text), own) : TooLarge("<stdin>");
        }
        if (NixFrontDoor.IsFlake(file))
        {
            return NixFrontDoor.ReadFlake(file, Guarded(FileOf(file)), own);
        }
        if (Directory.Exists(file))
        {
            // A default.nix beside a flake is most often for those without flakes, and opens the same one from the network.
            var whole = Path.Combine(file, "default.nix");
            return File.Exists(Path.Combine(file, "flake.nix")) ? Flake(file) : NixFrontDoor.Read(whole, Guarded(whole), own);
        }
        if (Path.GetFileName(file) == "flake.nix" && File.Exists(file))
        {
            return Flake(Path.GetDirectoryName(file) is { Length: > 0 } folder ? folder : ".");
        }
        if (File.Exists(file) && file.EndsWith(".nix", StringComparison.Ordinal))
        {
            return NixFrontDoor.Read(file, Guarded(file), own);
        }
        using var reader = Caller.ReadAs(file);
        return BoundedInput.File(file) is { } bytes ? JsonFrontDoor.Read(file, bytes, own) : TooLarge(file);

        // Without a name it is an error that says which there are.
        Node? Flake(string folder) => NixFrontDoor.ReadFlake(folder, Guarded(Path.Combine(folder, "flake.nix")), own);

        Node? TooLarge(string name)
        {
            own.Error(new(Printable.Of(name), 0, 0), $"this is larger than {BoundedInput.MostBytes / 1024 / 1024} MiB and can't be a declaration");
            return null;
        }
    }

    /// <summary>What of an argument is read first: a flake's own file, or what is everybody's where it has to be fetched; else the argument.</summary>
    internal static string FileOf(string argument) => NixFrontDoor.IsFlake(argument) ? Host.FlakeBuild.FileOf(argument)
        : Path.Combine(argument, "flake.nix") is var file && File.Exists(file) ? Path.GetFullPath(file) : argument;

    private static NixOptions Guarded(string file) => Evaluation with { Guard = NixGuard.Words(file, Evaluation.Online), Environment = LentStore.Environment(Path.GetFullPath(file)) };
}

/// <summary>What a reading of declarations came to.</summary>
/// <param name="Vms">The VMs, by their typed declarations.</param>
/// <param name="NotLookedAt">VMs that a flake has which is not on this machine.</param>
/// <param name="Hosts">How many of the files declare a host.</param>
/// <param name="Nodes">The values as they were written.</param>
internal sealed record DeclarationSurvey(IReadOnlyList<MicrovmConfig> Vms, IReadOnlyList<string> NotLookedAt, int Hosts, IReadOnlyList<Node> Nodes);
