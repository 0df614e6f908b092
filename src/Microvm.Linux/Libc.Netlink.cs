using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>What netlink sockets need.</summary>
internal static unsafe partial class Libc
{
    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint recvfrom(FileDescriptor socket, byte* buffer, nuint length, int flags, NetlinkSocket.SocketAddress* sender, uint* size);
}
