using System.Runtime.InteropServices;
using System.Text;

namespace Microvm.Linux;

/// <summary>Removing what lies in a held directory, whoever may write in it meanwhile.</summary>
internal sealed unsafe partial class HeldFolder
{
    /// <summary>How often a directory is emptied to which somebody keeps adding.</summary>
    private const int Tries = 1000;

    /// <summary>Removes a file, a link itself, or a directory with all in it.</summary>
    /// <returns>Whether something was there.</returns>
    /// <exception cref="LinuxException">It can't be removed.</exception>
    public static bool RemoveAt(string path)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        if (FileStatus.Of(path) is null)
        {
            return false;
        }
        using var above = Open(System.IO.Path.GetDirectoryName(path) ?? "/");
        return above.Remove(System.IO.Path.GetFileName(path));
    }

    /// <summary>Removes a directory if nothing is in it. One that is not this process's to remove stays.</summary>
    public static void RemoveIfEmpty(string path)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        if (FileStatus.Of(path) is { IsDirectory: true })
        {
            using var above = Open(System.IO.Path.GetDirectoryName(path) ?? "/");
            if (Libc.unlinkat(above._folder.Value, System.IO.Path.GetFileName(path), AT_REMOVEDIR) != 0 && Marshal.GetLastPInvokeError() is var errno and not (Errno.ENOTEMPTY or Errno.ENOENT or Errno.EEXIST or Errno.EACCES or Errno.EPERM))
            {
                throw new LinuxException($"remove {path}", errno);
            }
        }
    }

    /// <summary>Removes a file, a link itself, or a directory with all in it: below descriptors, never by path, and nothing that is
    /// mounted there.</summary>
    /// <returns>Whether something was there.</returns>
    /// <exception cref="LinuxException">It can't be removed; EBUSY: something is mounted in it.</exception>
    public bool Remove(string name)
    {
        if (Look(name) is not { } status)
        {
            return false;
        }
        if (!status.IsDirectory && Libc.unlinkat(_folder.Value, name, 0) == 0)
        {
            return true;
        }
        if (status.IsDirectory && status.FileSystem != Status.FileSystem)
        {
            throw new LinuxException($"remove {At(name)}: another file system is mounted there", Errno.EBUSY);
        }
        // Out of everybody's reach first: whoever may write in it can't follow the path any more. Directories are then emptied one by
        // one beside each other, so that neither depth nor a swap of one for a link leads anywhere.
        var grave = Fresh();
        using (var reach = Make(grave, 0x1c0 /* 0700 */))
        {
            try
            {
                MoveTo(name, reach, "0");
            }
            catch (LinuxException e) when (e.Errno == Errno.ENOENT)
            {
                _ = Libc.unlinkat(_folder.Value, grave, AT_REMOVEDIR);
                return false;
            }
            reach.Clear();
        }
        Libc.Check(Libc.unlinkat(_folder.Value, grave, AT_REMOVEDIR), $"remove {At(name)}");
        return true;
    }

    /// <summary>What an earlier process left that was killed while it put something in place, or removed it.</summary>
    public void RemoveLeftovers()
    {
        foreach (var name in Names().Where(n => n.StartsWith(Begin, StringComparison.Ordinal)))
        {
            try
            {
                Remove(name);
            }
            catch (LinuxException)
            {
                // Something is mounted there, say. It is in nobody's way.
            }
        }
    }

    private void Clear()
    {
        for (var tries = 0; RawNames() is { Count: > 0 } names; tries++)
        {
            if (tries > Tries)
            {
                throw new LinuxException($"remove what was in {Path}: somebody keeps adding to it", Errno.ENOTEMPTY);
            }
            foreach (var name in names)
            {
                fixed (byte* p = name)
                {
                    if (Libc.unlinkat(_folder.Value, p, 0) == 0)
                    {
                        continue;
                    }
                    var fd = Libc.openat(_folder.Value, p, O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW | O_CLOEXEC, 0);
                    if (fd < 0)
                    {
                        throw new LinuxException($"remove {Encoding.UTF8.GetString(name.AsSpan(0, name.Length - 1))}", Marshal.GetLastPInvokeError());
                    }
                    using (var folder = new HeldFolder(fd, Path))
                    {
                        folder.EmptyInto(this);
                    }
                    if (Libc.unlinkat(_folder.Value, p, AT_REMOVEDIR) != 0 && Marshal.GetLastPInvokeError() is var errno and not Errno.ENOTEMPTY)
                    {
                        throw new LinuxException($"remove {Encoding.UTF8.GetString(name.AsSpan(0, name.Length - 1))}", errno);
                    }
                }
            }
        }
    }

    /// <summary>Unlinks the files, and moves the directories up into <paramref name="upper"/>.</summary>
    private void EmptyInto(HeldFolder upper)
    {
        // Its owner may have taken the rights away that emptying takes.
        _ = Libc.fchmod(_folder.Value, 0x1c0);
        foreach (var name in RawNames())
        {
            fixed (byte* p = name)
            {
                if (Libc.unlinkat(_folder.Value, p, 0) == 0)
                {
                    continue;
                }
                fixed (byte* q = Encoding.UTF8.GetBytes(Fresh() + "\0"))
                {
                    if (Libc.renameat2(_folder.Value, p, upper._folder.Value, q, RENAME_NOREPLACE) != 0 && Marshal.GetLastPInvokeError() is var errno and not Errno.ENOENT)
                    {
                        throw new LinuxException($"remove {Encoding.UTF8.GetString(name.AsSpan(0, name.Length - 1))}", errno);
                    }
                }
            }
        }
    }
}
