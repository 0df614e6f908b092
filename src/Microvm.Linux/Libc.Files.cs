using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>Files below an open directory.</summary>
internal static unsafe partial class Libc
{
    /// <summary>These two of fcntl.h differ between processors.</summary>
    internal static readonly int O_DIRECTORY = IsArm ? 0x4000 : 0x10000, O_NOFOLLOW = IsArm ? 0x8000 : 0x20000;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint getxattr(string path, string name, byte* value, nuint size);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int openat(int folder, string path, int flags, uint mode);
    [LibraryImport("libc", SetLastError = true)] internal static partial int openat(int folder, byte* path, int flags, uint mode);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int mkdirat(int folder, string path, uint mode);
    [LibraryImport("libc", SetLastError = true)] internal static partial int unlinkat(int folder, byte* path, int flags);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int unlinkat(int folder, string path, int flags);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int symlinkat(string target, int folder, string path);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint readlinkat(int folder, string path, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true)] internal static partial int renameat2(int fromFolder, byte* from, int toFolder, byte* to, uint flags);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int mknodat(int folder, string path, uint mode, ulong device);
    [LibraryImport("libc", SetLastError = true)] internal static partial int fchmod(int fd, uint mode);
    [LibraryImport("libc", SetLastError = true)] internal static partial int fsync(int fd);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint fdopendir(int fd);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint getrandom(byte* buffer, nuint length, uint flags);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int open(string path, int flags, uint mode);
    [LibraryImport("libc", SetLastError = true)] internal static partial int getgroups(int count, uint* groups);
}
