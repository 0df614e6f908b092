using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Microvm.Linux;

/// <summary>A program that was run to its end, bounded in time and in what it may say, whatever the program is: the one way in which what a program
/// prints is read. Its words are as it said them: who shows them spells out what a terminal would obey.</summary>
/// <param name="Code">Its exit code.</param>
/// <param name="Output">What it printed; empty where that was not redirected.</param>
/// <param name="Errors">The same of standard error.</param>
internal sealed record FinishedProgram(int Code, string Output, string Errors)
{
    private const int MiB = 1024 * 1024;

    /// <summary>Starts it, and waits for its end.</summary>
    /// <exception cref="Win32Exception">It can't be started.</exception>
    /// <exception cref="IOException">As of <see cref="Of"/>.</exception>
    public static FinishedProgram Run(ProcessStartInfo start, TimeSpan patience, int most = 16 * MiB, string? input = null)
    {
        using var process = SearchPath.Start(start);
        return Of(process, start.FileName, patience, most, input);
    }

    /// <summary>Waits for the end of one that was started, and takes in what it prints. One that is ended takes its own children along.</summary>
    /// <param name="patience">For all of it.</param>
    /// <param name="most">Bytes of each of its streams.</param>
    /// <param name="input">What it reads, if its standard input was redirected; null for nothing.</param>
    /// <exception cref="IOException">It took longer, or printed more.</exception>
    public static FinishedProgram Of(Process process, string program, TimeSpan patience, int most = 16 * MiB, string? input = null)
    {
        var (clock, name) = (Stopwatch.StartNew(), Path.GetFileName(program));
        var start = process.StartInfo;
        Task<string?>[] streams =
        [
            start.RedirectStandardOutput ? Read(process.StandardOutput.BaseStream, most) : Task.FromResult<string?>(""),
            start.RedirectStandardError ? Read(process.StandardError.BaseStream, most) : Task.FromResult<string?>(""),
        ];
        var fed = start.RedirectStandardInput ? Feed(process, input) : Task.CompletedTask;
        TimeSpan Left() => patience - clock.Elapsed is { Ticks: > 0 } left ? left : TimeSpan.Zero;
        // What says too much is waited for no longer.
        while (Array.FindAll<Task>([.. streams, fed], t => !t.IsCompleted) is { Length: > 0 } open && !streams.Any(TooMuch) && Left() > TimeSpan.Zero)
        {
            _ = Task.WaitAny(open, Left());
        }
        if (streams.Any(TooMuch))
        {
            End(process);
            throw new IOException($"'{name}' printed more than {most / MiB} MiB, and was ended");
        }
        if (!streams.All(s => s.IsCompleted) || !process.WaitForExit(Left()))
        {
            End(process);
            throw new IOException($"'{name}' did not end within {patience.TotalSeconds:0} s");
        }
        return new(process.ExitCode, streams[0].Result!, streams[1].Result!);
    }

    private static bool TooMuch(Task<string?> stream) => stream is { IsCompletedSuccessfully: true, Result: null };

    private static void End(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or AggregateException)
        {
            // It has become another user, or ended just now.
        }
    }

    /// <summary>Null once there is too much, which is read no further.</summary>
    private static async Task<string?> Read(Stream stream, int most)
    {
        using var kept = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer).ConfigureAwait(false)) > 0)
        {
            if (kept.Length + read > most)
            {
                return null;
            }
            kept.Write(buffer, 0, read);
        }
        return Encoding.UTF8.GetString(kept.GetBuffer(), 0, (int)kept.Length);
    }

    private static async Task Feed(Process process, string? input)
    {
        try
        {
            await process.StandardInput.WriteAsync(input).ConfigureAwait(false);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It reads no further: its exit code and its words tell why.
        }
    }
}
