namespace Microvm.Linux;

/// <summary>What .NET's own file calls do not do.</summary>
internal static class PosixFile
{
    /// <summary>Moves a file or a link over another in one step (rename(2)); a link is moved itself, wherever it leads.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Replace(string from, string to) => Libc.Check(Libc.rename(from, to), $"put {to} in its place");

    /// <summary>Two directories, files or links take each other's place in one step (renameat2(2) with RENAME_EXCHANGE).</summary>
    /// <exception cref="LinuxException">The kernel or the file system refused.</exception>
    public static void Exchange(string one, string other)
    {
        const int AT_FDCWD = -100;
        const uint RENAME_EXCHANGE = 2;
        Libc.Check(Libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE), $"put {one} in the place of {other}");
    }
}
