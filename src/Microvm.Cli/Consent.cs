using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Run;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>Under root nothing is run on the word of a declaration alone, unless it is root's own: who works as root is told what it has run, as
/// whom and with which rights, and agrees, once for each content.</summary>
internal static class Consent
{
    internal static readonly Option<bool> Trust = new("--trust") { Description = "Agree to what the declaration runs as root or for root, as listed by 'check'; if the list changes, you are asked again" };

    /// <summary>Asks for what is not agreed to yet; does nothing where we are not root.</summary>
    /// <param name="file">The declaration: its author is who could have written it.</param>
    /// <param name="programs">What it has run; nothing needs no consent.</param>
    /// <param name="known">Whether it was agreed to before.</param>
    /// <param name="runsAs">The user as whom all of it runs: what that user alone could have written needs nobody's consent.</param>
    /// <param name="remember">Keeps the consent.</param>
    /// <exception cref="UsageException">It was not given.</exception>
    internal static void Ask(ParseResult result, string file, IReadOnlyList<(string Vm, DeclaredProgram Program)> programs, Func<bool> known, uint runsAs = 0, Action<string>? remember = null)
    {
        if (programs.Count == 0 || PosixProcess.EffectiveUser != 0 || OtherAuthor(file, runsAs) is not { } author || known())
        {
            return;
        }
        var words = string.Concat(programs.Select(p => $"{PlanOutput.Words(p.Vm, p.Program)}\n"));
        if (!result.GetValue(Trust))
        {
            Console.Error.Write(words);
            var wanted = $"{Printable.Of(file)} is not root's own ({author}), and runs what is listed above";
            if (!Terminal.Errors.IsTerminal || Console.IsInputRedirected)
            {
                throw new UsageException($"{wanted}; read it, and if that is meant: sudo microvm {string.Join(' ', Again().Select(Shell.Quote))}");
            }
            Console.Error.Write($"microvm: {wanted}. Have it run? [y/N] ");
            if (Console.In.ReadLine()?.Trim() is not ("y" or "Y" or "yes"))
            {
                throw new UsageException("nothing was done");
            }
        }
        try
        {
            remember?.Invoke(words);
        }
        catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"microvm: note: the consent could not be remembered, and will be asked for again: {Printable.Lines(e.Message)}");
        }
    }

    /// <summary>As the other, for a command that is not about a VM of the state directory: remembered for the host.</summary>
    internal static void AskOnce(ParseResult result, string file, MicrovmConfig vm, IEnumerable<DeclaredProgram> programs, uint runsAs)
    {
        IReadOnlyList<(string Vm, DeclaredProgram)> all = [.. programs.Select(p => (vm.Name, p))];
        var identity = DeclaredPrograms.Identity(all);
        Ask(result, file, all, () => TrustedPrograms.OfHost.Has(identity), runsAs, words => TrustedPrograms.OfHost.Add(identity, words));
    }

    /// <summary>As the other, for what the units of VMs are to run: what one has run so far was agreed to.</summary>
    internal static void AskForUnits(ParseResult result, string file, IEnumerable<(VmDirectory Directory, MicrovmConfig Config)> vms)
    {
        IReadOnlyList<(string Vm, DeclaredProgram)> fresh = [.. vms.SelectMany(v => Fresh(v.Directory, v.Config))];
        Ask(result, file, fresh, () => false);
    }

    /// <summary>What nix builds of a flake is not listed before it is built: to agree to it is to agree to the flake, once.</summary>
    /// <param name="file">What names the flake: a fleet's file; null for the command line.</param>
    internal static void AskForFlakes(ParseResult result, string? file, IEnumerable<(VmDirectory Directory, string Flake)> vms)
    {
        foreach (var (vm, flake) in vms.Where(v => !(v.Directory is { IsMoved: true, Source: VmSource.Flake } && v.Directory.Reference == v.Flake)))
        {
            Ask(result, file ?? $"{flake}#", [(vm.Name.Value, new DeclaredProgram($"all that nix builds of {flake}", "root and user microvm under the units", "what the units leave to them"))], () => false);
        }
    }

    private static IEnumerable<(string Vm, DeclaredProgram)> Fresh(VmDirectory directory, MicrovmConfig config)
    {
        IReadOnlyList<(string Vm, DeclaredProgram)> wanted = [.. DeclaredPrograms.OfUnits(config).Select(p => (config.Name, p))];
        return directory.IsMoved && directory.Declaration is { } now && DeclaredPrograms.Identity(DeclaredPrograms.OfUnits(now).Select(p => (config.Name, p))) == DeclaredPrograms.Identity(wanted)
            ? [] : wanted;
    }

    /// <summary>Who else than root, or than that user, could have written a declaration; null for nobody.</summary>
    private static string? OtherAuthor(string file, uint user)
    {
        if (file == "-")
        {
            return "it comes by standard input";
        }
        var path = file;
        if (!File.Exists(file) && file.Contains('#'))
        {
            path = FlakeReference.Path(file);
            if (!Directory.Exists(path))
            {
                return "it is fetched";
            }
        }
        if (Directory.Exists(path))
        {
            path = ((string[])["default.nix", "flake.nix"]).Select(n => Path.Combine(path, n)).FirstOrDefault(File.Exists) ?? path;
        }
        return FileStatus.OfTarget(path) is not { } status || !(status.IsRegular || status.IsDirectory) ? "it is no file that stays"
            : FileStatus.OpenToOthers(path, user) is not { } part ? null
            : FileStatus.Of(part) is { } others && others.User != 0 ? $"user {others.User} could have written {Printable.Of(part)}" : $"others could have written {Printable.Of(part)}";
    }

    /// <summary>The command line, with consent.</summary>
    private static IEnumerable<string> Again()
    {
        var words = Environment.GetCommandLineArgs()[1..];
        var end = Array.IndexOf(words, "--") is >= 0 and var at ? at : words.Length;
        return [.. words[..end], "--trust", .. words[end..]];
    }
}
