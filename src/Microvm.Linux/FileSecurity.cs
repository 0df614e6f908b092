namespace Microvm.Linux;

/// <summary>Who may do what with a file.</summary>
/// <param name="Mode">The permission bits with set-user-ID.</param>
/// <param name="Capabilities">The permitted capabilities that a program gets from its file (<c>security.capability</c>), one bit each; 0 without any.</param>
internal sealed unsafe record FileSecurity(uint User, uint Group, UnixFileMode Mode, ulong Capabilities)
{
    /// <summary>The file's, a symbolic link followed; null where there is no such file or it can't be looked at.</summary>
    public static FileSecurity? Of(string path)
    {
        const int AT_FDCWD = -100, STATX_MODE = 2, STATX_UID = 8, STATX_GID = 0x10;
        var statx = stackalloc uint[64];
        if (Libc.statx(AT_FDCWD, path, 0, STATX_MODE | STATX_UID | STATX_GID, statx) != 0)
        {
            return null;
        }
        return new(statx[5], statx[6], (UnixFileMode)(statx[7] & 0xfff), PermittedBy(path));
    }

    // struct vfs_cap_data (linux/capability.h): a revision, then permitted and inheritable, the low halves first; little-endian on every machine.
    private static ulong PermittedBy(string path)
    {
        var data = stackalloc uint[6];
        return Libc.getxattr(path, "security.capability", (byte*)data, 24) switch { >= 20 => data[1] | (ulong)data[3] << 32, >= 12 => data[1], _ => 0 };
    }

    /// <summary>Whether a user with these groups may read and write it, by its permission bits; root may.</summary>
    public bool ReadableAndWritableBy(uint user, IReadOnlyCollection<uint> groups)
    {
        const UnixFileMode OfOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite, OfGroup = UnixFileMode.GroupRead | UnixFileMode.GroupWrite, OfOthers = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        var wanted = user == User ? OfOwner : groups.Contains(Group) ? OfGroup : OfOthers;
        return user == 0 || (Mode & wanted) == wanted;
    }
}
