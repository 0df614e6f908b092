using Microvm.Linux;

namespace Microvm.Host;

/// <summary>Builds a VM's runner out of a flake with nix, as microvm.nix's own command does.</summary>
public static class FlakeBuild
{
    /// <summary>The arguments of nix. The link that it makes is also the root that keeps the runner from garbage collection.</summary>
    public static IReadOnlyList<string> Arguments(string flake, VmName vm, string link) =>
    [
        "--extra-experimental-features", "nix-command flakes", "build", "--out-link", link, "--",
        $"{flake}#nixosConfigurations.\"{vm.Value}\".config.microvm.declaredRunner",
    ];

    /// <exception cref="IOException">nix is not there, or did not build it; what it said is on the terminal.</exception>
    public static void Run(string flake, VmName vm, string link)
    {
        try
        {
            using var nix = SearchPath.Start(new("nix", Arguments(flake, vm, link)));
            nix.WaitForExit();
            if (nix.ExitCode != 0)
            {
                throw new IOException($"nix could not build '{vm}' from {Declaration.Printable.Of(flake)}");
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new IOException("a flake needs nix, and 'nix' is not on the PATH; install it (Debian: apt install nix-bin)");
        }
    }
}
