using System.Globalization;
using System.Text;

namespace Microvm.Linux;

/// <summary>A process that is told by its command line, and held (pidfd_open(2)), so that no other one which took its number is meant.</summary>
internal sealed unsafe class RunningProcess : IDisposable
{
    private const int SIGHUP = 1, SIGKILL = 9, SIGTERM = 15;
    private readonly FileDescriptor _held;

    /// <summary>Its number.</summary>
    internal int Id { get; }

    private RunningProcess(int id, FileDescriptor held) => (Id, _held) = (id, held);

    /// <summary>The process of that number, if it was started with these words after its own name; null for none, or another.</summary>
    internal static RunningProcess? Find(int id, params IReadOnlyList<string> arguments)
    {
        const nint SYS_pidfd_open = 434;
        var fd = id > 0 ? (int)Libc.syscall(SYS_pidfd_open, id, 0, 0, 0, 0) : -1;
        if (fd < 0)
        {
            return null;
        }
        var process = new RunningProcess(id, new(fd));
        // Only now: what this number stands for can't change any more, unless it has ended.
        var words = Words(id);
        if (words is [_, .. var rest] && rest.SequenceEqual(arguments) && !process.HasEnded(0))
        {
            return process;
        }
        if (words is [] or [""])
        {
            // It is about to end: it has no memory any more, and may still have its sockets.
            _ = process.HasEnded(1000);
        }
        process.Dispose();
        return null;
    }

    /// <summary>What a process calls itself (proc_pid_comm(5)), which is not to be trusted: what a terminal or a script would obey in it is a question mark.
    /// Null where it does not tell.</summary>
    internal static string? Name(int id)
    {
        try
        {
            var name = File.ReadAllText($"/proc/{id}/comm");
            return string.Concat((name.EndsWith('\n') ? name[..^1] : name).EnumerateRunes().Select(r => Rune.GetUnicodeCategory(r) is UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.OtherNotAssigned ? "?" : r.ToString()));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Asks it to read its files again (SIGHUP).</summary>
    /// <exception cref="LinuxException">EPERM: it is another user's.</exception>
    internal void Reload() => Send(SIGHUP, "have the service read its files again");

    /// <summary>Asks it to end, and ends it where it does not within <paramref name="patience"/>.</summary>
    /// <exception cref="LinuxException">EPERM: it is another user's.</exception>
    internal void End(TimeSpan patience)
    {
        Send(SIGTERM, "end the service");
        if (!HasEnded((int)patience.TotalMilliseconds))
        {
            Send(SIGKILL, "end the service");
            _ = HasEnded((int)patience.TotalMilliseconds);
        }
    }

    public void Dispose() => _held.Dispose();

    private bool HasEnded(int milliseconds)
    {
        const short POLLIN = 1;
        var look = new PollDescriptor { Descriptor = _held.Value, Events = POLLIN };
        return Libc.poll(&look, 1, milliseconds) > 0;
    }

    private void Send(int signal, string what)
    {
        const nint SYS_pidfd_send_signal = 424;
        if (Libc.syscall(SYS_pidfd_send_signal, _held.Value, signal, 0, 0, 0) < 0 && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() is var errno && errno != Errno.ESRCH)
        {
            throw new LinuxException($"{what} (process {Id})", errno);
        }
    }

    /// <summary>The words that a process was started with; none where it does not tell.</summary>
    internal static string[] Words(int id)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{id}/cmdline")).TrimEnd('\0').Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
