using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>What statx(2) tells of a file.</summary>
/// <param name="Mode">Type and permission bits, as in <c>st_mode</c>.</param>
/// <param name="Device">The device that a node stands for, as <c>makedev</c> packs it; 0 for other files.</param>
internal readonly record struct FileStatus(uint Mode, uint User, uint Group, ulong Device)
{
    private const int AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_EMPTY_PATH = 0x1000;
    private const uint STATX_BASIC_STATS = 0x7ff, S_IFMT = 0xf000, S_IFIFO = 0x1000, S_IFSOCK = 0xc000, S_IFCHR = 0x2000, S_IFREG = 0x8000, S_IFDIR = 0x4000;

    internal bool IsRegular => (Mode & S_IFMT) == S_IFREG;
    internal bool IsPipe => (Mode & S_IFMT) == S_IFIFO;
    internal bool IsSocket => (Mode & S_IFMT) == S_IFSOCK;
    internal bool IsDirectory => (Mode & S_IFMT) == S_IFDIR;
    internal bool IsCharacterDevice => (Mode & S_IFMT) == S_IFCHR;

    /// <summary>Of a path, a symbolic link not followed; null where nothing is there.</summary>
    internal static FileStatus? Of(string path) => Read(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);

    /// <summary>Of what a symbolic link leads to; null where nothing is there.</summary>
    internal static FileStatus? OfTarget(string path) => Read(AT_FDCWD, path, 0);

    /// <summary>Of an open file.</summary>
    internal static FileStatus Of(FileDescriptor file) => Read(file.Value, "", AT_EMPTY_PATH) ?? default;

    /// <summary>Of a descriptor that no handle owns; null where it is not open.</summary>
    internal static FileStatus? OfDescriptor(int descriptor)
    {
        try
        {
            return Read(descriptor, "", AT_EMPTY_PATH);
        }
        catch (LinuxException)
        {
            return null;
        }
    }

    private static unsafe FileStatus? Read(int directory, string path, int flags)
    {
        var status = stackalloc byte[256];
        if (Libc.statx(directory, path, flags, STATX_BASIC_STATS, status) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            return errno is Errno.ENOENT or Errno.ENOTDIR ? null : throw new LinuxException($"look at {path}", errno);
        }
        // struct statx: stx_uid at 20, stx_gid at 24, stx_mode at 28, stx_rdev_major and _minor at 128 and 132.
        var s = new ReadOnlySpan<byte>(status, 256);
        return new(BinaryPrimitives.ReadUInt16LittleEndian(s[28..]), BinaryPrimitives.ReadUInt32LittleEndian(s[20..]), BinaryPrimitives.ReadUInt32LittleEndian(s[24..]),
            Pack(BinaryPrimitives.ReadUInt32LittleEndian(s[128..]), BinaryPrimitives.ReadUInt32LittleEndian(s[132..])));
    }

    /// <summary>makedev(3).</summary>
    internal static ulong Pack(ulong major, ulong minor) => (major & 0xfffff000) << 32 | (major & 0xfff) << 8 | (minor & 0xffffff00) << 12 | minor & 0xff;
}
