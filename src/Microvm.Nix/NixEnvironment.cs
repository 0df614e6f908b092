using System.Diagnostics;

namespace Microvm.Nix;

/// <summary>What nix is given to work with: arguments, and an environment in which nothing of the caller's changes the outcome.</summary>
internal static class NixEnvironment
{
    /// <summary>A process that evaluates the expression without touching a store.</summary>
    internal static ProcessStartInfo ForFile(string file)
    {
        var start = Start("--store", "dummy://", "--argstr", "file", file);
        // No daemon, no store: only a flake's inputs need them.
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("NIX_", StringComparison.Ordinal) && k != "NIX_PATH").ToList())
        {
            start.Environment.Remove(name);
        }
        Clean(start);
        return start;
    }

    /// <summary>A process that evaluates a flake; nix fetches its inputs into its own store, with the caller's settings for that.</summary>
    internal static ProcessStartInfo ForFlake(string flake, string name)
    {
        var start = Start("--option", "extra-experimental-features", "nix-command flakes", "--argstr", "flake", flake, "--argstr", "name", name);
        Clean(start);
        return start;
    }

    private static ProcessStartInfo Start(params string[] arguments) => new("nix-instantiate",
        ["--eval", "--json", "--strict", "--show-trace", "--option", "allow-import-from-derivation", "false", "--expr", NixExpression.Whole, .. arguments])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        RedirectStandardInput = true,
    };

    private static void Clean(ProcessStartInfo start)
    {
        start.Environment["NIX_CONFIG"] = "";
        start.Environment["NIX_USER_CONF_FILES"] = "";
        // An entry that has to be downloaded would make a check wait for the network.
        if (start.Environment.TryGetValue("NIX_PATH", out var path) && path is not null)
        {
            start.Environment["NIX_PATH"] = Local(path);
        }
    }

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
