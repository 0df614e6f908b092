namespace Microvm.Linux;

/// <summary>What .NET's own file calls do not do.</summary>
public static class PosixFile
{
    /// <summary>Moves a file or a link over another in one step (rename(2)); a link is moved itself, wherever it leads.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Replace(string from, string to) => Libc.Check(Libc.rename(from, to), $"put {to} in its place");
}
