using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Run;
using Microvm.Nix;

namespace Microvm.Cli;

/// <summary>What a VM of a flake starts from is in the Nix store once somebody has built it. Building is not ours to begin unasked.</summary>
internal static class StoreBuild
{
    /// <summary>How to build what a flake's VM starts from, where that is not there; nothing otherwise.</summary>
    internal static IEnumerable<string> Words(string file, MicrovmConfig vm)
    {
        if (NixFrontDoor.IsFlake(file) && BootFiles.Missing(vm, null).FirstOrDefault(m => m.Fault.Contains("'/nix/store/", StringComparison.Ordinal)) is { Fault: { } fault })
        {
            var at = file.IndexOf('#');
            yield return $"{fault}: it is not built yet; build it: nix build --no-link {Shell.Quote($"{file[..at]}#nixosConfigurations.{file[(at + 1)..]}.config.system.build.toplevel")}";
        }
    }
}
