using System.Text;

namespace Microvm.Linux;

/// <summary>A file of which lines are shown. Who wrote a declaration has a say in which, so root shows nothing that those for whom it works
/// could not read by themselves, and waits for nothing.</summary>
internal static unsafe class ShownFile
{
    /// <summary>Its lines; none where it is no regular file, longer than <paramref name="most"/> bytes, or closed to all readers.</summary>
    /// <param name="readers">Users with their groups, one of whom has to be able to read it; null for no such condition.</param>
    /// <exception cref="IOException">It can't be read.</exception>
    public static string[] Lines(string path, ulong most, IReadOnlyCollection<(uint User, uint Group)>? readers)
    {
        const int O_PATH = 0x200000, O_CLOEXEC = 0x80000, Longest = 4096;
        // Opening a device or a pipe may do something; looking at it does not.
        var fd = Libc.open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
        {
            return [];
        }
        using var file = new FileDescriptor(fd);
        if (FileStatus.Of(file) is not { IsRegular: true } status || status.Size > most)
        {
            return [];
        }
        var own = $"/proc/self/fd/{fd}";
        if (readers is not null)
        {
            var buffer = stackalloc byte[Longest];
            var length = Libc.readlink(own, buffer, Longest);
            if (length is <= 0 or Longest || !readers.Any(r => Reads(Encoding.UTF8.GetString(buffer, (int)length), status, r)))
            {
                return [];
            }
        }
        return File.ReadAllLines(own);
    }

    private static bool Reads(string path, FileStatus file, (uint User, uint Group) reader)
    {
        const uint Read = 4, Search = 1;
        if (!Has(file, reader, Read))
        {
            return false;
        }
        for (var folder = Path.GetDirectoryName(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (FileStatus.Of(folder) is not { } status || !Has(status, reader, Search))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>By the permission bits of the owner, the group, or others.</summary>
    private static bool Has(FileStatus status, (uint User, uint Group) reader, uint right) =>
        (status.Mode >> (status.User == reader.User ? 6 : status.Group == reader.Group ? 3 : 0) & right) != 0;
}
