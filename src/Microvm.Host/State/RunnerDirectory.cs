using Microvm.Linux;

namespace Microvm.Host;

/// <summary>Writes a runner's files.</summary>
public static class RunnerDirectory
{
    private const UnixFileMode Executable = (UnixFileMode)0b111_101_101, Plain = (UnixFileMode)0b110_100_100;

    /// <summary>Puts the runner at <paramref name="path"/> in one step; an earlier runner there is replaced.</summary>
    /// <exception cref="IOException">Something else is there, or it can't be written; what was there is as it was.</exception>
    public static void Publish(string path, IReadOnlyDictionary<string, string> files)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var there = Directory.Exists(path) || File.Exists(path) || new FileInfo(path).LinkTarget is not null;
        if (there && !IsRunner(path))
        {
            throw new IOException($"{path} is there already and is no runner; choose another directory, or delete it yourself");
        }
        var fresh = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.{Environment.ProcessId}.new");
        try
        {
            Write(fresh, files);
            if (there)
            {
                PosixFile.Exchange(fresh, path);
            }
            else
            {
                Directory.Move(fresh, path);
            }
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnauthorizedAccessException($"{path} can't be made: permission denied", e);
        }
        finally
        {
            if (Directory.Exists(fresh))
            {
                Directory.Delete(fresh, true);
            }
        }
    }

    /// <summary>Writes all files below a directory that is not there yet; those of <c>bin/</c> can be run.</summary>
    internal static void Write(string directory, IReadOnlyDictionary<string, string> files)
    {
        Directory.CreateDirectory(directory);
        foreach (var (path, content) in files)
        {
            var to = Path.Combine(directory, path);
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.WriteAllText(to, content);
            File.SetUnixFileMode(to, path.StartsWith("bin/", StringComparison.Ordinal) ? Executable : Plain);
        }
        foreach (var inner in (string[])[directory, .. Directory.EnumerateDirectories(directory, "*", SearchOption.AllDirectories)])
        {
            File.SetUnixFileMode(inner, Executable);
        }
    }

    private static bool IsRunner(string path) => new DirectoryInfo(path) is { LinkTarget: null, Exists: true } && File.Exists(Path.Combine(path, "share/microvm/declaration.json"));
}
