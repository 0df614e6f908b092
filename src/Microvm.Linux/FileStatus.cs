using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>What statx(2) tells of a file.</summary>
/// <param name="Mode">Type and permission bits, as in <c>st_mode</c>.</param>
/// <param name="Device">The device that a node stands for, as <c>makedev</c> packs it; 0 for other files.</param>
/// <param name="Links">How many names it has.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="FileSystem">The device that it lies on, as <c>makedev</c> packs it; with <paramref name="Inode"/> it tells one file from all others.</param>
internal readonly record struct FileStatus(uint Mode, uint User, uint Group, ulong Device, uint Links, ulong Size, ulong FileSystem, ulong Inode)
{
    private const int AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_EMPTY_PATH = 0x1000;
    private const uint STATX_BASIC_STATS = 0x7ff, S_IFMT = 0xf000, S_IFIFO = 0x1000, S_IFCHR = 0x2000, S_IFREG = 0x8000, S_IFDIR = 0x4000, S_IFLNK = 0xa000, S_IFSOCK = 0xc000;

    internal bool IsRegular => (Mode & S_IFMT) == S_IFREG;
    internal bool IsPipe => (Mode & S_IFMT) == S_IFIFO;
    internal bool IsDirectory => (Mode & S_IFMT) == S_IFDIR;
    internal bool IsLink => (Mode & S_IFMT) == S_IFLNK;
    internal bool IsSocket => (Mode & S_IFMT) == S_IFSOCK;
    internal bool IsCharacterDevice => (Mode & S_IFMT) == S_IFCHR;

    /// <summary>Whether nobody but root and the user of this process could have made or changed it: theirs, and no other may write it.
    /// The permission bits of a symbolic link mean nothing.</summary>
    internal bool IsTrusted => (User == 0 || User == Libc.geteuid()) && (IsLink || (Mode & 0x12 /* 0022 */) == 0);

    /// <summary>Whether both are one file.</summary>
    internal bool Is(FileStatus other) => (Inode, FileSystem) == (other.Inode, other.FileSystem);

    /// <summary>The part of a path that somebody else than root and the user of this process could change or exchange; null for none.
    /// Where links lead is looked at too.</summary>
    /// <param name="user">Another user who may be able to: theirs is the path then as well.</param>
    internal static unsafe string? OpenToOthers(string path, uint user = 0)
    {
        const int O_PATH = 0x200000, O_CLOEXEC = 0x80000, Most = 4096, Sticky = 0x200;
        List<string> paths = [Path.GetFullPath(path)];
        var fd = Libc.open(path, O_PATH | O_CLOEXEC);
        if (fd >= 0)
        {
            using var file = new FileDescriptor(fd);
            var buffer = stackalloc byte[Most];
            var length = Libc.readlink($"/proc/self/fd/{fd}", buffer, Most);
            if (length > 0)
            {
                paths.Add(System.Text.Encoding.UTF8.GetString(buffer, (int)length));
            }
        }
        foreach (var each in paths)
        {
            for (var part = each; part is not null; part = Path.GetDirectoryName(part))
            {
                if (Of(part) is { IsTrusted: false } status && !(user != 0 && status.User == user && (status.IsLink || (status.Mode & 2) == 0)) && !(status.IsDirectory && (status.Mode & Sticky) != 0 && (status.User == 0 || status.User == Libc.geteuid())))
                {
                    return part;
                }
            }
        }
        return null;
    }

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

    /// <summary>Of a name below an open directory, a symbolic link not followed; null where nothing is there.</summary>
    internal static FileStatus? Below(FileDescriptor folder, string name) => Read(folder.Value, name, AT_SYMLINK_NOFOLLOW);

    private static unsafe FileStatus? Read(int directory, string path, int flags)
    {
        var status = stackalloc byte[256];
        if (Libc.statx(directory, path, flags, STATX_BASIC_STATS, status) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            return errno is Errno.ENOENT or Errno.ENOTDIR ? null : throw new LinuxException($"look at {path}", errno);
        }
        // struct statx: stx_nlink at 16, stx_uid at 20, stx_gid at 24, stx_mode at 28, stx_ino at 32, stx_size at 40, stx_rdev_major and
        // _minor at 128 and 132, stx_dev_major and _minor at 136 and 140.
        var s = new ReadOnlySpan<byte>(status, 256);
        return new(BinaryPrimitives.ReadUInt16LittleEndian(s[28..]), BinaryPrimitives.ReadUInt32LittleEndian(s[20..]), BinaryPrimitives.ReadUInt32LittleEndian(s[24..]),
            Pack(BinaryPrimitives.ReadUInt32LittleEndian(s[128..]), BinaryPrimitives.ReadUInt32LittleEndian(s[132..])),
            BinaryPrimitives.ReadUInt32LittleEndian(s[16..]), BinaryPrimitives.ReadUInt64LittleEndian(s[40..]),
            Pack(BinaryPrimitives.ReadUInt32LittleEndian(s[136..]), BinaryPrimitives.ReadUInt32LittleEndian(s[140..])), BinaryPrimitives.ReadUInt64LittleEndian(s[32..]));
    }

    /// <summary>makedev(3).</summary>
    internal static ulong Pack(ulong major, ulong minor) => (major & 0xfffff000) << 32 | (major & 0xfff) << 8 | (minor & 0xffffff00) << 12 | minor & 0xff;
}
