using System.Diagnostics;

namespace Microvm.Faults;

/// <summary>Runs programs and takes what they print.</summary>
internal static class Shell
{
    /// <summary>A run longer than this hangs, which is a fault of its own.</summary>
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <param name="Code">Exit code; 128 and the signal's number where a signal ended it; -1 where it hung and was ended.</param>
    internal sealed record Outcome(int Code, string Out, string Err);

    internal static Outcome Run(string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment.Remove("SUDO_UID");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Close();
        if (!process.WaitForExit(Limit))
        {
            process.Kill(true);
            return new(-1, output.Result, errors.Result);
        }
        return new(process.ExitCode, output.Result, errors.Result);
    }

    /// <summary>What a program printed that has to succeed.</summary>
    internal static string Must(string program, params IEnumerable<string> arguments)
    {
        var words = arguments.ToList();
        var outcome = Run(program, words);
        return outcome.Code == 0 ? outcome.Out : throw new InvalidOperationException($"{program} {string.Join(' ', words)}: {outcome.Err}{outcome.Out}");
    }
}
