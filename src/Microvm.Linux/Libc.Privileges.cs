using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>Who we are and what we may do.</summary>
internal static unsafe partial class Libc
{
    [LibraryImport("libc", SetLastError = true)] internal static partial int prctl(int option, nuint second, nuint third, nuint fourth, nuint fifth);
    [LibraryImport("libc", SetLastError = true)] internal static partial int capget(uint* header, uint* data);
    [LibraryImport("libc", SetLastError = true)] internal static partial int capset(uint* header, uint* data);
    [LibraryImport("libc", SetLastError = true)] internal static partial int setgroups(nuint count, uint* groups);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int initgroups(string user, uint group);
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)] internal static partial PasswordEntry* getpwnam(string name);
    [LibraryImport("libc")] internal static partial PasswordEntry* getpwuid(uint user);
    [LibraryImport("libc", SetLastError = true)] internal static partial int setresuid(uint real, uint effective, uint saved);
    [LibraryImport("libc", SetLastError = true)] internal static partial int setresgid(uint real, uint effective, uint saved);
    [LibraryImport("libc", SetLastError = true)] internal static partial int seteuid(uint user);
    [LibraryImport("libc", SetLastError = true)] internal static partial int setegid(uint group);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int access(string path, int mode);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int faccessat(int directory, string path, int mode, int flags);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int statx(int folder, string path, int flags, uint mask, uint* result);
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)] internal static partial int setenv(string name, string value, int overwrite);
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)] internal static partial nint getenv(string name);
}
