using System.Globalization;

namespace Microvm.Linux;

/// <summary>A repository's own settings make git run programs, and a remote helper is one: not in what is started with this.</summary>
internal static class DisarmedGit
{
    private static readonly (string Key, string Value)[] s_settings = [("core.fsmonitor", "false"), ("core.hooksPath", "/dev/null"), ("protocol.ext.allow", "never")];

    /// <summary>Sets it in the environment of a program that may call git.</summary>
    internal static void In(IDictionary<string, string?> environment)
    {
        environment["GIT_CONFIG_COUNT"] = s_settings.Length.ToString(CultureInfo.InvariantCulture);
        foreach (var (i, (key, value)) in s_settings.Index())
        {
            (environment[$"GIT_CONFIG_KEY_{i}"], environment[$"GIT_CONFIG_VALUE_{i}"]) = (key, value);
        }
        environment["GIT_TERMINAL_PROMPT"] = "0";
    }
}
