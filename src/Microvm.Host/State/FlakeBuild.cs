using System.Diagnostics;
using System.Globalization;
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

    /// <summary>What the <c>microvm</c> binary is called with to become a program that ends with us; with <see cref="AsBuilder"/> it stays who it is.</summary>
    internal const string Evaluator = "evaluator", AsBuilder = "build";

    /// <summary>Of the caller's environment nix gets what finds its store, its network and its words; no credentials, and nothing that steers git.</summary>
    private static readonly string[] s_passes = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TERM", "TMPDIR", "LOCALE_ARCHIVE", "SSL_CERT_FILE",
        "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

    /// <param name="binary">The path of the <c>microvm</c> binary, through which nix is started so that it ends with us.</param>
    /// <exception cref="IOException">nix is not there, or did not build it; what it said is on the terminal.</exception>
    public static void Run(string flake, VmName vm, string link, string binary)
    {
        try
        {
            var program = SearchPath.Find("nix") ?? throw new System.ComponentModel.Win32Exception(2);
            var start = new ProcessStartInfo(binary, [Evaluator, Environment.ProcessId.ToString(CultureInfo.InvariantCulture), AsBuilder, "/", program, .. Arguments(flake, vm, link)]);
            foreach (var name in start.Environment.Keys.Where(k => !s_passes.Contains(k) && !k.StartsWith("NIX_", StringComparison.Ordinal) && !k.StartsWith("LC_", StringComparison.Ordinal)).ToList())
            {
                start.Environment.Remove(name);
            }
            DisarmedGit.In(start);
            using var nix = SearchPath.Start(start);
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
