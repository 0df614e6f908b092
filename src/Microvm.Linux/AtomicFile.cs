using System.Text;

namespace Microvm.Linux;

/// <summary>Writes files so that a reader, or a machine that loses power, sees the old content or the new, never a part.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a new file beside the old one, under a name that nobody can guess and only if it is not there yet, brings it to the
    /// disk, and renames it over the old one (<see cref="HeldFolder"/>). A link at <paramref name="path"/> is replaced, not followed.</summary>
    /// <param name="mode">Permissions of the file; the umask takes from them.</param>
    /// <param name="replace">Whether a file that is there may be replaced.</param>
    /// <exception cref="IOException">It could not be written; the old content is as it was.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public static void Write(string path, string content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead, bool replace = true)
    {
        var full = Path.GetFullPath(path);
        try
        {
            using var folder = HeldFolder.Open(Path.GetDirectoryName(full) ?? "/");
            folder.Put(Path.GetFileName(full), Encoding.UTF8.GetBytes(content), (uint)mode, umask: true, replace);
        }
        catch (LinuxException e)
        {
            throw e.Errno switch
            {
                Errno.ENOENT => new DirectoryNotFoundException($"the directory of {path} is not there", e),
                Errno.EACCES or Errno.EPERM or Errno.EROFS => new UnauthorizedAccessException($"{path} can't be written: {e.Message}", e),
                _ => new IOException(e.Message, e),
            };
        }
    }
}
