using System.Text;

namespace Microvm.Linux;

/// <summary>Writes files so that a reader, or a machine that loses power, sees the old content or the new, never a part.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a new file beside the old one, under a name that nobody can guess and only if it is not there yet, brings it to the
    /// disk, and renames it over the old one. A link at <paramref name="path"/> is replaced, not followed.</summary>
    /// <param name="mode">Permissions of the file; the umask takes from them.</param>
    /// <exception cref="IOException">It could not be written; the old content is as it was.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public static void Write(string path, string content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead)
    {
        var full = Path.GetFullPath(path);
        var fresh = Path.Combine(Path.GetDirectoryName(full)!, $".{Path.GetFileName(full)}.{Path.GetRandomFileName()}");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = mode;
        }
        try
        {
            using (var file = new FileStream(fresh, options))
            {
                file.Write(Encoding.UTF8.GetBytes(content));
                file.Flush(flushToDisk: true);
            }
            File.Move(fresh, full, overwrite: true);
        }
        catch
        {
            File.Delete(fresh);
            throw;
        }
    }
}
