using System.Globalization;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>A lock on a whole file (flock(2)). It lives as long as its descriptor does, also in a program that inherits that one, and
/// the kernel lets go of it when the last holder ends.</summary>
internal sealed unsafe class InheritedLock : IDisposable
{
    private const int O_RDONLY = 0, O_CREAT = 0x40, O_CLOEXEC = 0x80000, O_NONBLOCK = 0x800, LOCK_EX = 2, LOCK_NB = 4;
    private readonly FileDescriptor _file;

    private InheritedLock(FileDescriptor file) => _file = file;

    /// <summary>The descriptor, closed on exec; this handle keeps owning it.</summary>
    public int Descriptor => _file.Value;

    /// <summary>Takes the lock of a file without waiting.</summary>
    /// <param name="create">Makes the file, readable for its owner alone, where it is not there. A symbolic link is never followed.</param>
    /// <param name="file">The lock; null where there is no such file, or it may not be opened.</param>
    /// <returns>Whether nobody else has it: false says that somebody has.</returns>
    public static bool TryTake(string path, bool create, out InheritedLock? file)
    {
        file = null;
        var fd = create ? Libc.open(path, O_RDONLY | O_CREAT | Libc.O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0x180 /* 0600 */)
            : Libc.open(path, O_RDONLY | Libc.O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
        {
            return true;
        }
        var descriptor = new FileDescriptor(fd);
        if (TryLock(fd))
        {
            file = new(descriptor);
            return true;
        }
        descriptor.Dispose();
        return false;
    }

    /// <summary>Locks a file that is open already, without waiting.</summary>
    /// <returns>False where somebody else has the lock.</returns>
    public static bool TryLock(int descriptor) => Libc.flock(descriptor, LOCK_EX | LOCK_NB) == 0 || Marshal.GetLastPInvokeError() != Errno.EAGAIN;

    /// <summary>The process that took the lock of this file, as <c>/proc/locks</c> tells everybody; null where nobody else has it, or nobody that can be seen
    /// here. The file is not opened: opening a device would be noticed.</summary>
    public static int? Holder(string path) => Holder(path, All());

    /// <inheritdoc cref="Holder(string)"/>
    /// <param name="all">What <see cref="All"/> found.</param>
    public static int? Holder(string path, IReadOnlyDictionary<string, int> all)
    {
        var status = stackalloc byte[256];
        const int AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100;
        const uint STATX_INO = 0x100;
        if (all.Count == 0 || Libc.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO, status) < 0)
        {
            return null;
        }
        // struct statx: stx_ino at 32, stx_dev_major and _minor at 136 and 140.
        var (inode, major, minor) = (*(ulong*)(status + 32), *(uint*)(status + 136), *(uint*)(status + 140));
        return all.TryGetValue($"{major:x2}:{minor:x2}:{inode.ToString(CultureInfo.InvariantCulture)}", out var process) && process != Environment.ProcessId ? process : null;
    }

    /// <summary>The holders of all such locks, by the place of the file: device and inode.</summary>
    public static IReadOnlyDictionary<string, int> All()
    {
        try
        {
            return Parse(File.ReadLines("/proc/locks"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Dictionary<string, int>();
        }
    }

    /// <summary>Lets go, unless another process has inherited the descriptor.</summary>
    public void Dispose() => _file.Dispose();

    // proc_locks(5): "1: FLOCK  ADVISORY  WRITE 708 00:13:16853 0 EOF"; one that waits has an arrow after its number.
    private static Dictionary<string, int> Parse(IEnumerable<string> lines)
    {
        var holders = new Dictionary<string, int>();
        foreach (var line in lines)
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, "FLOCK", _, _, var pid, var place, ..]
                && int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out var process) && process > 0)
            {
                holders[place] = process;
            }
        }
        return holders;
    }
}
