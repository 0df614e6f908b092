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

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    /// <summary>More than a command line can have (execve(2)).</summary>
    private const int MostArguments = 2 * 1024 * 1024;

    private static string Run(string what, string text, bool capture)
    {
        var start = new ProcessStartInfo("bash", ["-e", "-u", "-o", "pipefail", "-c", text]) { RedirectStandardOutput = capture };
        using var bash = SearchPath.Start(start);
        if (!capture)
        {
            // The VM's preparations may take their time, and say so.
            bash.WaitForExit();
            return bash.ExitCode == 0 ? "" : throw Failed(bash.ExitCode);
        }
        var (code, output, _) = FinishedProgram.Of(bash, what, s_patience, MostArguments);
        return code == 0 ? output : throw Failed(code);

        IOException Failed(int code) => new($"{what} failed with exit code {code}; the VM is not started");
    }
}
