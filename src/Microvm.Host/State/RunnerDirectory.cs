using System.Text;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>Writes a runner's files.</summary>
public static class RunnerDirectory
{
    private const uint Executable = 0x1ed /* 0755 */, Plain = 0x1a4 /* 0644 */;

    internal static bool IsExecutable(string path) => path.StartsWith("bin/", StringComparison.Ordinal);

    /// <summary>The permission bits of a runner's file.</summary>
    internal static uint Mode(string path) => IsExecutable(path) ? Executable : Plain;

    /// <summary>Puts the runner at <paramref name="path"/> in one step; an earlier runner there is replaced.</summary>
    /// <exception cref="IOException">Something else is there, or it can't be written; what was there is as it was.</exception>
    public static void Publish(string path, IReadOnlyDictionary<string, string> files)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        try
        {
            using var above = HeldFolder.Open(Path.GetDirectoryName(path) ?? "/");
            var name = Path.GetFileName(path);
            var there = above.Look(name) is not null;
            if (there && !IsRunner(above, name))
            {
                throw new IOException($"{path} already exists and is not a runner; choose another directory, or delete it yourself");
            }
            above.PutTree(name, files.Select(f => (f.Key, Encoding.UTF8.GetBytes(f.Value), Mode(f.Key))), there);
        }
        catch (LinuxException e) when (e.Errno is Errno.EACCES or Errno.EPERM or Errno.EROFS)
        {
            throw new UnauthorizedAccessException($"{path} can't be made: permission denied", e);
        }
    }

    private static bool IsRunner(HeldFolder above, string name)
    {
        using var runner = above.Find(name);
        using var share = runner?.Find("share");
        using var microvm = share?.Find("microvm");
        return microvm?.Look("declaration.json") is { IsRegular: true };
    }
}
