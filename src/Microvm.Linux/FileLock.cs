using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>One holder at a time, by a lock on a file (flock(2)) that only the user who made it may open: nobody else can keep it.
/// The kernel lets go when the holder ends.</summary>
internal sealed class FileLock : IDisposable
{
    private const int LOCK_EX = 2, LOCK_NB = 4;
    private readonly FileDescriptor _file;

    private FileLock(FileDescriptor file) => _file = file;

    /// <summary>Waits for the lock of that name in a directory, whose file is made where it is not there.</summary>
    /// <param name="patience">How long it may take.</param>
    /// <param name="waiting">Called once if the lock is not free at once.</param>
    /// <exception cref="LinuxException">EAGAIN: it was held all that time; or the file can't be opened.</exception>
    public static FileLock Take(HeldFolder folder, string name, TimeSpan patience, Action? waiting = null)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var file = folder.OpenPrivate(name);
            for (var pause = 1; Libc.flock(file.Value, LOCK_EX | LOCK_NB) < 0; pause = Math.Min(pause * 2, 50))
            {
                var errno = Marshal.GetLastPInvokeError();
                if (errno != Errno.EINTR && (errno != Errno.EAGAIN || Stopwatch.GetElapsedTime(start) > patience))
                {
                    file.Dispose();
                    throw new LinuxException($"lock {folder.Path}", errno, errno == Errno.EAGAIN ? $"another microvm has held it for {patience.TotalSeconds:0} s; 'fuser {folder.Path}/{name}' tells which" : null);
                }
                waiting?.Invoke();
                waiting = null;
                Thread.Sleep(pause);
            }
            // Whoever held it may have removed it, with all that it guards.
            if (folder.Look(name) is { } there && there.Is(FileStatus.Of(file)))
            {
                return new(file);
            }
            file.Dispose();
        }
    }

    public void Dispose() => _file.Dispose();
}
