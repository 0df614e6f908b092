using System.ComponentModel;

namespace Microvm.Linux;

/// <summary>What a program says to a question such as <c>--version</c>.</summary>
internal static class ProgramAnswer
{
    private const int MostBytes = 64 * 1024;

    /// <summary>What it printed, of standard output before errors; null where it took longer, or printed more than 64 KiB.</summary>
    /// <exception cref="Win32Exception">It can't be started.</exception>
    public static string? Of(string program, string question, TimeSpan patience)
    {
        try
        {
            var said = FinishedProgram.Run(new(program, [question]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true }, patience, MostBytes);
            return said.Output + said.Errors;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
