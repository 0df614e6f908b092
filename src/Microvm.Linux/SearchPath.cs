using System.ComponentModel;
using System.Diagnostics;

namespace Microvm.Linux;

/// <summary>Programs by name, looked for in the folders of PATH and nowhere else. Process.Start alone would look beside our own
/// executable and in the current directory first, where anybody may have put a program of that name.</summary>
internal static class SearchPath
{
    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>The folders of PATH; an empty entry, which a shell would take for the current directory, is none.</summary>
    internal static IReadOnlyList<string> Folders => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Where a program is, or null.</summary>
    /// <param name="more">Folders to look in after those of PATH.</param>
    internal static string? Find(string program, params IEnumerable<string> more) =>
        Folders.Concat(more).Select(d => Path.Combine(d, program)).FirstOrDefault(p => File.Exists(p) && !OperatingSystem.IsWindows() && (File.GetUnixFileMode(p) & Executable) != 0);

    /// <summary>Starts a program; a name without a slash is looked for in PATH.</summary>
    /// <exception cref="Win32Exception">It is not there (error 2), or can't be started.</exception>
    internal static Process Start(ProcessStartInfo start)
    {
        if (!start.FileName.Contains('/'))
        {
            start.FileName = Find(start.FileName) ?? throw new Win32Exception(Errno.ENOENT, $"there is no '{start.FileName}' in the folders of PATH");
        }
        return Process.Start(start)!;
    }
}
