using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>The names in a folder as readdir(3) gives them. .NET's own listing asks the kernel twice more about each symbolic link,
/// and /sys/dev/char is made of nothing else.</summary>
internal static unsafe class FolderNames
{
    /// <summary>Offset of d_name in glibc's struct dirent on 64-bit Linux (bits/dirent.h).</summary>
    private const int NameOffset = 19;

    /// <summary>All names but . and ..; none where the folder is missing or may not be read.</summary>
    internal static List<string> Of(string folder)
    {
        var names = new List<string>();
        var stream = Libc.opendir(folder);
        if (stream == 0)
        {
            return names;
        }
        for (var entry = Libc.readdir(stream); entry != null; entry = Libc.readdir(stream))
        {
            if (Marshal.PtrToStringUTF8((nint)(entry + NameOffset)) is { } name and not ("." or ".."))
            {
                names.Add(name);
            }
        }
        Libc.closedir(stream);
        return names;
    }
}
