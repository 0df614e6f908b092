using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>One holder at a time in the calling thread's network namespace, whoever and wherever the others are: a lock on the
/// namespace itself (flock(2) on <c>/proc/thread-self/ns/net</c>). No file is left behind, and the kernel lets go when the holder ends.</summary>
internal sealed class NamespaceLock : IDisposable
{
    private const int O_CLOEXEC = 0x80000, LOCK_EX = 2, LOCK_NB = 4;
    private readonly FileDescriptor _namespace;

    /// <summary>Waits for the lock.</summary>
    /// <param name="patience">How long; anybody on the host may hold such a lock, so a wait must end.</param>
    /// <param name="waiting">Called once if the lock is not free at once.</param>
    /// <param name="interrupted">Asked while waiting; once it says true, the wait ends.</param>
    /// <exception cref="OperationCanceledException">It was interrupted.</exception>
    /// <exception cref="LinuxException">EAGAIN: it was held all that time.</exception>
    public NamespaceLock(TimeSpan patience, Action? waiting = null, Func<bool>? interrupted = null)
    {
        _namespace = new((int)Libc.Check(Libc.open("/proc/thread-self/ns/net", O_CLOEXEC), "open this network namespace"));
        var start = Stopwatch.GetTimestamp();
        for (var pause = 1; Libc.flock(_namespace.Value, LOCK_EX | LOCK_NB) < 0; pause = Math.Min(pause * 2, 20))
        {
            var errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.EINTR)
            {
                continue;
            }
            if (errno != Errno.EAGAIN || Stopwatch.GetElapsedTime(start) > patience)
            {
                _namespace.Dispose();
                throw new LinuxException("lock this network namespace", errno, errno == Errno.EAGAIN ? $"another microvm has held it for {patience.TotalSeconds:0} s; lslocks(8) tells which" : null);
            }
            if (interrupted?.Invoke() == true)
            {
                _namespace.Dispose();
                throw new OperationCanceledException("interrupted while waiting for another microvm; nothing was changed");
            }
            waiting?.Invoke();
            waiting = null;
            Thread.Sleep(pause);
        }
    }

    public void Dispose() => _namespace.Dispose();
}
