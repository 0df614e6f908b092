using System.Diagnostics;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>The shell lines that a declaration brings along. They are the user's own program: bash runs them as they stand.</summary>
public static class UserScript
{
    /// <summary>Runs <c>microvm.preStart</c>.</summary>
    /// <exception cref="IOException">A line failed.</exception>
    public static void PreStart(string lines)
    {
        if (lines.Trim().Length > 0)
        {
            Run("microvm.preStart", lines, capture: false);
        }
    }

    /// <summary>The words that <c>microvm.extraArgsScript</c> prints, divided at white space.</summary>
    /// <exception cref="IOException">It failed.</exception>
    public static string[] ExtraArguments(string? script) =>
        script is null ? [] : Run("microvm.extraArgsScript", script, capture: true).Split((char[])[' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private static string Run(string what, string text, bool capture)
    {
        var start = new ProcessStartInfo("bash", ["-e", "-u", "-o", "pipefail", "-c", text]) { RedirectStandardOutput = capture };
        using var bash = SearchPath.Start(start);
        var output = capture ? bash.StandardOutput.ReadToEnd() : "";
        bash.WaitForExit();
        return bash.ExitCode == 0 ? output : throw new IOException($"{what} failed with exit code {bash.ExitCode}; the VM is not started");
    }
}
