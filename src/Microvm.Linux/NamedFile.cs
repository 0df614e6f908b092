namespace Microvm.Linux;

/// <summary>A file that a person names to have something written into it as it comes: a file, a pipe, a device. Opened with the rights of
/// the person behind sudo (<see cref="Caller"/>), never with root's in their place.</summary>
internal static class NamedFile
{
    /// <summary>Until the result is disposed, what is made is made with the rights of the person behind sudo; for what a command puts in place at a
    /// path that they named. Null, and no change, where nobody is behind us. From here on they may stop or end this process.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static IDisposable? AsPerson()
    {
        Caller.Keep([]);
        return Caller.ActAsStarter();
    }

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
