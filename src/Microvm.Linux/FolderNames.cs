using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>The names in a folder as readdir(3) gives them. .NET's own listing asks the kernel twice more about each symbolic link,
/// and /sys/dev/char is made of nothing else.</summary>
internal static unsafe class FolderNames
{
    /// <summary>Offset of d_name in glibc's struct dirent on 64-bit Linux (bits/dirent.h).</summary>
    internal const int NameOffset = 19;

    /// <summary>All names but . and ..; none where there is no such folder.</summary>
    /// <exception cref="LinuxException">It can't be read.</exception>
    internal static List<string> Of(string folder)
    {
        var names = new List<string>();
        var stream = Libc.opendir(folder);
        if (stream == 0)
        {
            var error = Marshal.GetLastPInvokeError();
            return error == Errno.ENOENT ? names : throw new LinuxException($"list {folder}", error);
        }
        try
        {
            for (var entry = Libc.readdir(stream); entry != null; entry = Libc.readdir(stream))
            {
                if (Marshal.PtrToStringUTF8((nint)(entry + NameOffset)) is { } name and not ("." or ".."))
                {
                    names.Add(name);
                }
            }
            // The end and a failure differ in errno only, which is 0 before each call (SetLastError).
            return Marshal.GetLastPInvokeError() is var failure and not 0 ? throw new LinuxException($"list {folder}", failure) : names;
        }
        finally
        {
            _ = Libc.closedir(stream);
        }
    }
}
