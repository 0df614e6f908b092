using System.Runtime.InteropServices;

namespace Microvm.Linux;

internal static unsafe partial class Libc
{
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint getxattr(string path, string name, byte* value, nuint size);
}
