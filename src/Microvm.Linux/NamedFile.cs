namespace Microvm.Linux;

/// <summary>A file that a person names to have something written into it as it comes: a file, a pipe, a device. Opened with the rights of
/// the person behind sudo (<see cref="Caller"/>), never with root's in their place.</summary>
internal static class NamedFile
{
    /// <summary>Opens it, made or emptied; only its owner may read one that is made.</summary>
    /// <exception cref="UnauthorizedAccessException">The person may not write there.</exception>
    /// <exception cref="IOException">It can't be opened.</exception>
    public static FileStream Open(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        using (Caller.Act())
        {
            return File.Open(path, options);
        }
    }
}
