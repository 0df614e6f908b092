using System.Diagnostics;
using Microvm.Linux;

namespace Microvm.Nix;

/// <summary>What nix is given to work with: arguments, and an environment in which nothing of the caller's changes the outcome or leaks.</summary>
internal static class NixEnvironment
{
    /// <summary>What passes of the caller's environment. Everything else stays here: credentials, agents, settings of git and of nix.</summary>
    private static readonly string[] s_passes = ["LANG", "LC_ALL", "LOCALE_ARCHIVE", "TZ", "TMPDIR", "GC_INITIAL_HEAP_SIZE"];

    /// <summary>What passes besides where nix fetches: to find git, a proxy, certificates and the store that the caller uses.</summary>
    private static readonly string[] s_passesOnline =
        ["PATH", "HOME", "USER", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "SSL_CERT_FILE", "NIX_SSL_CERT_FILE", "NIX_REMOTE", "NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_LOG_DIR", "NIX_CONF_DIR"];

    /// <summary>A process that evaluates without touching a store and without a network.</summary>
    internal static ProcessStartInfo Offline(NixOptions options, params string[] arguments)
    {
        var start = Start(options, ["--store", "dummy://", "--option", "substituters", "", "--option", "connect-timeout", "1", "--option", "download-attempts", "1", .. arguments]);
        Clean(start, s_passes);
        // No program is found in it, and so none is run: no git, no hg, no ssh.
        start.Environment["PATH"] = "/nonexistent";
        start.Environment["HOME"] = "/nonexistent";
        // The expression refuses to fetch; should a way around it be found, it leads to a port where nobody answers.
        foreach (var proxy in (string[])["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"])
        {
            start.Environment[proxy] = "http://127.0.0.1:1";
        }
        return start;
    }

    /// <summary>A process that evaluates a flake; nix fetches it and its inputs into its own store, with the caller's settings for that.</summary>
    internal static ProcessStartInfo Online(NixOptions options, params string[] arguments)
    {
        var start = Start(options, ["--option", "extra-experimental-features", "nix-command flakes", "--arg", "online", "true", .. arguments]);
        Clean(start, [.. s_passes, .. s_passesOnline]);
        foreach (var (name, value) in options.Environment)
        {
            start.Environment[name] = value;
        }
        DisarmedGit.In(start.Environment);
        return start;
    }

    private static ProcessStartInfo Start(NixOptions options, string[] arguments)
    {
        // The expression goes in through standard input: one argument of a process has at most 128 KiB (MAX_ARG_STRLEN).
        string[] all = ["--eval", "--json", "--strict", "--show-trace", "--option", "allow-import-from-derivation", "false", "-", .. Given(options), .. options.Boots ? (string[])["--arg", "boots", "true"] : [], .. arguments];
        return new ProcessStartInfo("nix-instantiate", all) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
    }

    private static string[] Given(NixOptions options) => options.Arguments.Count == 0 ? []
        : ["--arg", "given", NixArgument.Set(options.Arguments)];

    private static void Clean(ProcessStartInfo start, string[] passes)
    {
        var path = start.Environment.TryGetValue("NIX_PATH", out var nixPath) ? nixPath : null;
        foreach (var name in start.Environment.Keys.Where(k => !passes.Contains(k)).ToList())
        {
            start.Environment.Remove(name);
        }
        start.Environment["NIX_CONFIG"] = "";
        start.Environment["NIX_USER_CONF_FILES"] = "";
        // An entry that has to be downloaded would make a check wait for the network.
        if (path is not null)
        {
            start.Environment["NIX_PATH"] = Local(path);
        }
    }

    /// <summary>Whether a file is of what NIX_PATH leads to.</summary>
    internal static bool IsInNixPath(string file) => Environment.GetEnvironmentVariable("NIX_PATH") is { Length: > 0 } path
        && Local(path).Split(':').Select(entry => Path.TrimEndingDirectorySeparator(entry[(entry.IndexOf('=') + 1)..])).Any(folder => folder.Length > 0 && file.StartsWith(folder + "/", StringComparison.Ordinal));

    /// <summary>The entries of a NIX_PATH that are paths of this machine. URLs have a colon of their own, which splits them too.</summary>
    internal static string Local(string nixPath)
    {
        var parts = nixPath.Split(':');
        var kept = new List<string>();
        for (var i = 0; i < parts.Length; i++)
        {
            var value = parts[i][(parts[i].IndexOf('=') + 1)..];
            var next = i + 1 < parts.Length ? parts[i + 1] : null;
            if (value is "flake" or "channel" or "http" or "https" or "file" or "github" or "git+https" or "tarball" && next is not null)
            {
                i++;
            }
            else if (parts[i].Length > 0)
            {
                kept.Add(parts[i]);
            }
        }
        return string.Join(':', kept);
    }
}
