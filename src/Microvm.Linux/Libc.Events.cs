using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>Event descriptors, and sockets of the service manager.</summary>
internal static unsafe partial class Libc
{
    [LibraryImport("libc", SetLastError = true)] internal static partial int eventfd(uint start, int flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial int connect(int fd, byte* address, uint length);
}
