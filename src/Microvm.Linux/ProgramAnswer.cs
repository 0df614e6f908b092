using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Microvm.Linux;

/// <summary>What a program says to a question such as <c>--version</c>: bounded in time and in size, whatever the program is.</summary>
internal static class ProgramAnswer
{
    private const int MostBytes = 64 * 1024;

    /// <summary>What it printed, of standard output before errors; null where it took longer, or printed more than 64 KiB.</summary>
    /// <exception cref="Win32Exception">It can't be started.</exception>
    public static string? Of(string program, string question, TimeSpan patience)
    {
        using var process = SearchPath.Start(new(program, [question]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true });
        process.StandardInput.Close();
        Task<string?>[] both = [Read(process.StandardOutput.BaseStream), Read(process.StandardError.BaseStream)];
        var clock = Stopwatch.StartNew();
        // What says too much is waited for no longer.
        while (Array.FindAll(both, b => !b.IsCompleted) is { Length: > 0 } open && !both.Any(b => b is { IsCompleted: true, Result: null }) && patience - clock.Elapsed is { Ticks: > 0 } rest)
        {
            _ = Task.WaitAny(open, rest);
        }
        var left = patience - clock.Elapsed;
        if (both.All(b => b is { IsCompletedSuccessfully: true, Result: not null }) && process.WaitForExit(left > TimeSpan.Zero ? left : TimeSpan.Zero))
        {
            return both[0].Result + both[1].Result;
        }
        process.Kill(entireProcessTree: true);
        return null;
    }

    /// <summary>Null once there is too much, which is read no further.</summary>
    private static async Task<string?> Read(Stream stream)
    {
        using var kept = new MemoryStream();
        var buffer = new byte[4096];
        int read;
        while ((read = await stream.ReadAsync(buffer).ConfigureAwait(false)) > 0)
        {
            if (kept.Length + read > MostBytes)
            {
                return null;
            }
            kept.Write(buffer, 0, read);
        }
        return Encoding.UTF8.GetString(kept.ToArray());
    }
}
