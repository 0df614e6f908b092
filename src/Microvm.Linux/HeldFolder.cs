using System.Runtime.InteropServices;
using System.Text;

namespace Microvm.Linux;

/// <summary>A directory that is held open. All work on what lies in it goes through the descriptor (openat(2) and its kin), one name at
/// a time and no symbolic link followed, so that nobody who moves, exchanges or replaces parts of its path has the work done elsewhere.
/// What is put in place was written whole under a name that nobody can guess, brought to the disk, and renamed.</summary>
/// <remarks>The one way in which this program makes, replaces and removes files and directories.</remarks>
internal sealed unsafe partial class HeldFolder : IDisposable
{
    private const int O_RDONLY = 0, O_WRONLY = 1, O_CREAT = 0x40, O_EXCL = 0x80, O_NOCTTY = 0x100, O_NONBLOCK = 0x800, O_CLOEXEC = 0x80000;
    private const int AT_FDCWD = -100, AT_REMOVEDIR = 0x200;
    private const uint RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2;
    private const string Begin = ".microvm-new-";

    private readonly FileDescriptor _folder;

    /// <summary>Where it was when it was opened: for messages.</summary>
    public string Path { get; }

    private HeldFolder(int fd, string path) => (_folder, Path) = (new(fd), path);

    /// <summary>Opens the directory of a path that the user of this process named; links in it are followed.</summary>
    /// <exception cref="LinuxException">It is not there, or no directory.</exception>
    public static HeldFolder Open(string path) =>
        new((int)Libc.Check(Libc.openat(AT_FDCWD, path, O_RDONLY | Libc.O_DIRECTORY | O_CLOEXEC, 0), $"open the directory {path}"), path);

    /// <summary>As <see cref="Open"/>, and makes what is missing of the path, with permission bits 0755.</summary>
    /// <param name="mode">Those of the last directory, where it is made.</param>
    /// <param name="made">Called with the path of each directory that was made.</param>
    /// <exception cref="LinuxException">It can't be opened or made.</exception>
    public static HeldFolder OpenOrMake(string path, Action<string>? made = null, uint mode = 0x1ed)
    {
        if (Directory.Exists(path))
        {
            return Open(path);
        }
        using var above = OpenOrMake(System.IO.Path.GetDirectoryName(path) ?? "/", made);
        var folder = above.FindOrMake(System.IO.Path.GetFileName(path), mode);
        made?.Invoke(path);
        return folder;
    }

    /// <summary>What the kernel says of it.</summary>
    public FileStatus Status => FileStatus.Of(_folder);

    /// <summary>The path by which this process, and only it, reaches this very directory, for a call that takes a path.</summary>
    public string Own => $"/proc/self/fd/{_folder.Value}";

    public void Dispose() => _folder.Dispose();

    /// <summary>What lies there under a name, a link not followed; null for nothing.</summary>
    public FileStatus? Look(string name) => FileStatus.Below(_folder, Component(name));

    /// <summary>The directory of that name, held open; null where there is none, a link or other file included.</summary>
    public HeldFolder? Find(string name)
    {
        var fd = Libc.openat(_folder.Value, Component(name), O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW | O_CLOEXEC, 0);
        return fd >= 0 ? new(fd, At(name))
            : Marshal.GetLastPInvokeError() is var errno && errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP ? null : throw new LinuxException($"open the directory {At(name)}", errno);
    }

    /// <summary>The directory of that name, made if it is not there.</summary>
    /// <param name="mode">Its permission bits where it is made, whatever the umask.</param>
    /// <exception cref="LinuxException">Something else is there, or it can't be made.</exception>
    public HeldFolder FindOrMake(string name, uint mode) => Find(name) ?? Make(name, mode);

    /// <summary>Makes a directory; it is not there yet.</summary>
    /// <param name="mode">Its permission bits, whatever the umask.</param>
    /// <exception cref="LinuxException">EEXIST: something is there; or it can't be made.</exception>
    public HeldFolder Make(string name, uint mode)
    {
        Libc.Check(Libc.mkdirat(_folder.Value, Component(name), 0x1c0 /* 0700 */), $"make the directory {At(name)}");
        var made = Find(name);
        // Where others may write in this directory, they may have exchanged it already.
        if (made is null || made.Status is var status && (status.User != Libc.geteuid() || (status.Mode & 0x1ff) != 0x1c0))
        {
            made?.Dispose();
            throw new LinuxException($"make the directory {At(name)}: somebody put another in its place", Errno.EEXIST);
        }
        Libc.Check(Libc.fchmod(made._folder.Value, mode), $"set the mode of {At(name)}");
        return made;
    }

    /// <summary>Gives the directory itself to a user and a group.</summary>
    /// <exception cref="LinuxException">EPERM: no CAP_CHOWN.</exception>
    public void GiveTo(uint user, uint group)
    {
        const int AT_EMPTY_PATH = 0x1000;
        Libc.Check(Libc.fchownat(_folder.Value, "", user, group, AT_EMPTY_PATH), $"set the owner of {Path}");
    }

    /// <summary>All names in it but . and ..; such as are no UTF-8 are there with a replacement character.</summary>
    public List<string> Names() => [.. RawNames().Select(n => Encoding.UTF8.GetString(n.AsSpan(0, n.Length - 1)))];

    /// <summary>What a symbolic link leads to; null where there is no link of that name.</summary>
    public string? Link(string name)
    {
        const int Most = 4096;
        var buffer = stackalloc byte[Most];
        var length = Libc.readlinkat(_folder.Value, Component(name), buffer, Most);
        return length < 0 ? null : Encoding.UTF8.GetString(buffer, (int)length);
    }

    /// <summary>The content of a regular file; null where there is none that may be read, or it is longer. A FIFO, a device or a link
    /// in its place is none, and nothing waits.</summary>
    /// <param name="trusted">Only one that nobody but root and the user of this process could have written or linked here.</param>
    public byte[]? Read(string name, int most = 1 << 20, bool trusted = false)
    {
        var fd = Libc.openat(_folder.Value, Component(name), O_RDONLY | Libc.O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
        if (fd < 0)
        {
            return null;
        }
        using var file = new FileDescriptor(fd);
        var status = FileStatus.Of(file);
        if (!status.IsRegular || status.Size > (ulong)most || trusted && !(status.IsTrusted && status.Links == 1))
        {
            return null;
        }
        var content = new byte[status.Size];
        var got = 0;
        fixed (byte* p = content)
        {
            nint more;
            while (got < content.Length && (more = Libc.read(fd, p + got, (nuint)(content.Length - got))) > 0)
            {
                got += (int)more;
            }
        }
        return content[..got];
    }

    /// <summary>As <see cref="Read"/>, as text without white space around it.</summary>
    public string? ReadText(string name, int most = 1 << 20, bool trusted = false) => Read(name, most, trusted) is { } bytes ? Encoding.UTF8.GetString(bytes).Trim() : null;

    /// <summary>Opens a file to lock it, which is made with access for its owner alone.</summary>
    /// <exception cref="LinuxException">It can't be opened or made; it is somebody else's.</exception>
    public FileDescriptor OpenPrivate(string name)
    {
        const int O_RDWR = 2;
        var file = new FileDescriptor((int)Libc.Check(Libc.openat(_folder.Value, Component(name), O_RDWR | O_CREAT | Libc.O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0x180 /* 0600 */), $"open {At(name)}"));
        if (FileStatus.Of(file) is { IsRegular: true } status && status.User == Libc.geteuid() && (status.Mode & 0x3f /* 0077 */) == 0)
        {
            return file;
        }
        file.Dispose();
        throw new LinuxException($"open {At(name)}: others may open it too", Errno.EACCES);
    }

    /// <summary>Puts a file in place; a file or link of that name is replaced, not followed.</summary>
    /// <param name="mode">Its permission bits.</param>
    /// <param name="umask">Whether the umask takes from them.</param>
    /// <param name="replace">Whether what is there may be replaced; EEXIST else.</param>
    /// <param name="like">It gets this one's owner, group and permission bits.</param>
    /// <exception cref="LinuxException">It can't be written; what was there is as it was.</exception>
    public void Put(string name, ReadOnlySpan<byte> content, uint mode = 0x1a4 /* 0644 */, bool umask = false, bool replace = true, FileStatus? like = null)
    {
        var fresh = Fresh();
        try
        {
            Write(fresh, content, like is { } other ? other.Mode & 0xfff : mode, umask, like);
            Rename(fresh, name, replace ? 0 : RENAME_NOREPLACE);
        }
        catch
        {
            _ = Libc.unlinkat(_folder.Value, fresh, 0);
            throw;
        }
        Flush();
    }

    /// <summary>Puts a file in place that another program fills; nothing that is there is replaced.</summary>
    /// <param name="size">Its length in bytes, all a hole before it is filled.</param>
    /// <param name="fill">Gets its path until it is in its place.</param>
    /// <exception cref="LinuxException">EEXIST: something is there; or it can't be made.</exception>
    public void PutFilled(string name, long size, Action<string> fill)
    {
        Place(name, RENAME_NOREPLACE, fresh =>
        {
            using var file = new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(Create(fresh, 0x1b6 /* 0666, from which the umask takes */), ownsHandle: true), FileAccess.Write);
            file.SetLength(size);
            fill(At(fresh));
            file.Flush(flushToDisk: true);
        });
        Flush();
    }

    /// <summary>Puts a device's node in place, for its owner alone; a file of that name is replaced.</summary>
    /// <param name="device">As <c>makedev</c> packs it.</param>
    /// <exception cref="LinuxException">EPERM: no CAP_MKNOD; or it can't be made.</exception>
    public void PutCharacterDevice(string name, ulong device)
    {
        Place(name, 0, fresh => Libc.Check(Libc.mknodat(_folder.Value, fresh, 0x2180 /* S_IFCHR | 0600 */, device), $"make the node {At(name)}"));
    }

    /// <summary>Puts a symbolic link in place; a file or link of that name is replaced, not followed.</summary>
    /// <exception cref="LinuxException">It can't be made; what was there is as it was.</exception>
    public void PutLink(string name, string target)
    {
        Place(name, 0, fresh => Libc.Check(Libc.symlinkat(target, _folder.Value, fresh), $"make the link {At(name)}"));
        Flush();
    }

    /// <summary>Makes something under a name that nobody can guess, and renames it; where that fails, nothing of it is left.</summary>
    private void Place(string name, uint flags, Action<string> make)
    {
        var fresh = Fresh();
        try
        {
            make(fresh);
            Rename(fresh, name, flags);
        }
        catch
        {
            _ = Libc.unlinkat(_folder.Value, fresh, 0);
            throw;
        }
    }

    /// <summary>Puts a directory with all its files in place, in one step.</summary>
    /// <param name="files">Content and permission bits by path below it.</param>
    /// <param name="replace">Whether a directory that is there is exchanged for it, and removed; EEXIST else.</param>
    /// <exception cref="LinuxException">It can't be written; what was there is as it was.</exception>
    public void PutTree(string name, IEnumerable<(string Path, byte[] Content, uint Mode)> files, bool replace)
    {
        var fresh = Fresh();
        try
        {
            using (var tree = Make(fresh, 0x1c0 /* 0700: nobody else while it is filled */))
            {
                tree.Fill(files.Select(f => (f.Path.Split('/'), f.Content, f.Mode)));
                Libc.Check(Libc.fchmod(tree._folder.Value, 0x1ed /* 0755 */), $"set the mode of {At(name)}");
            }
            Rename(fresh, name, replace ? RENAME_EXCHANGE : RENAME_NOREPLACE);
        }
        catch
        {
            Remove(fresh);
            throw;
        }
        Flush();
        Remove(fresh);
    }

    private void Fill(IEnumerable<(string[] Path, byte[] Content, uint Mode)> files)
    {
        foreach (var group in files.GroupBy(f => f.Path[0]))
        {
            if (group.First().Path.Length == 1)
            {
                Write(group.Key, group.First().Content, group.First().Mode, umask: false);
                continue;
            }
            using var below = Make(group.Key, 0x1ed /* 0755 */);
            below.Fill(group.Select(f => (f.Path[1..], f.Content, f.Mode)));
        }
        Flush();
    }

    /// <summary>Moves what has this name into another directory of the same file system; nothing is replaced there.</summary>
    /// <exception cref="LinuxException">EEXIST: the name is taken there.</exception>
    public void MoveTo(string name, HeldFolder to, string newName)
    {
        Libc.Check(Libc.renameat2(_folder.Value, Component(name), to._folder.Value, Component(newName), RENAME_NOREPLACE), $"move {At(name)} to {to.At(newName)}");
        to.Flush();
        Flush();
    }

    private int Create(string name, uint mode) =>
        (int)Libc.Check(Libc.openat(_folder.Value, name, O_WRONLY | O_CREAT | O_EXCL | Libc.O_NOFOLLOW | O_CLOEXEC, mode), $"write in {Path}");

    private void Write(string name, ReadOnlySpan<byte> content, uint mode, bool umask, FileStatus? like = null)
    {
        const int AT_EMPTY_PATH = 0x1000;
        using var file = new FileDescriptor(Create(name, mode));
        if (like is { } owner && FileStatus.Of(file) is var made && (made.User, made.Group) != (owner.User, owner.Group))
        {
            Libc.Check(Libc.fchownat(file.Value, "", owner.User, owner.Group, AT_EMPTY_PATH), $"set an owner in {Path}");
        }
        fixed (byte* p = content)
        {
            for (var done = 0; done < content.Length;)
            {
                done += (int)Libc.Check(Libc.write(file.Value, p + done, (nuint)(content.Length - done)), $"write in {Path}");
            }
        }
        if (!umask)
        {
            Libc.Check(Libc.fchmod(file.Value, mode), $"set a mode in {Path}");
        }
        Libc.Check(Libc.fsync(file.Value), $"write in {Path}");
    }

    private void Rename(string from, string to, uint flags) =>
        Libc.Check(Libc.renameat2(_folder.Value, from, _folder.Value, Component(to), flags), $"put {At(to)} in its place");

    // What was renamed is not lost when the power goes. A file system that can't has nothing to flush.
    private void Flush() => _ = Libc.fsync(_folder.Value);

    private List<byte[]> RawNames()
    {
        // A descriptor of its own, since closedir(3) closes it and reading moves its offset.
        var fd = (int)Libc.Check(Libc.openat(_folder.Value, ".", O_RDONLY | Libc.O_DIRECTORY | O_CLOEXEC, 0), $"list {Path}");
        var stream = Libc.fdopendir(fd);
        if (stream == 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            _ = Libc.close(fd);
            throw new LinuxException($"list {Path}", errno);
        }
        try
        {
            var names = new List<byte[]>();
            for (var entry = Libc.readdir(stream); entry != null; entry = Libc.readdir(stream))
            {
                var name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(entry + FolderNames.NameOffset);
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                {
                    names.Add([.. name, 0]);
                }
            }
            return names;
        }
        finally
        {
            _ = Libc.closedir(stream);
        }
    }

    private static string Fresh()
    {
        const int Length = 12;
        var random = stackalloc byte[Length];
        Libc.Check(Libc.getrandom(random, Length, 0), "ask for random bytes");
        return Begin + Convert.ToHexStringLower(new ReadOnlySpan<byte>(random, Length));
    }

    private string At(string name) => System.IO.Path.Combine(Path, name);

    private static string Component(string name) => name is "" or "." or ".." || name.Contains('/') || name.Contains('\0')
        ? throw new ArgumentException($"'{name}' is no name of a file in a directory") : name;
}
