using System.Runtime.InteropServices;
using System.Text;

namespace Microvm.Screens;

/// <summary>A program on a pseudo-terminal of its own (pty(7)), as if somebody had started it in a terminal of that size.</summary>
internal sealed unsafe partial class PseudoTerminal : IDisposable
{
    private const int O_RDWR = 2, O_NOCTTY = 0x100, O_CLOEXEC = 0x80000, POLLIN = 1, WNOHANG = 1, AttributeBytes = 512;
    private const short POSIX_SPAWN_SETSID = 0x80, POSIX_SPAWN_SETSIGDEF = 0x4;
    private const nuint TIOCSWINSZ = 0x5414, TCGETS = 0x5401;
    private readonly int _master;
    private readonly string _slave;
    private int? _status;

    internal int Pid { get; }

    /// <summary>The terminal's settings before the program was started; a quick one has changed them by the time that anybody asks.</summary>
    internal byte[] SettingsBefore { get; }

    /// <summary>What the terminal shows.</summary>
    internal VirtualScreen Screen { get; }

    /// <summary>All bytes that the program wrote.</summary>
    internal List<byte> Written { get; } = [];

    internal PseudoTerminal(string[] command, int columns, int rows, params (string Name, string? Value)[] environment)
    {
        Screen = new(columns, rows);
        _master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        Check(_master < 0 || grantpt(_master) != 0 || unlockpt(_master) != 0 ? -1 : 0, "open a pseudo-terminal");
        var name = stackalloc byte[64];
        Check(ptsname_r(_master, name, 64), "name the pseudo-terminal");
        _slave = Marshal.PtrToStringUTF8((nint)name)!;
        Resize(columns, rows);
        SettingsBefore = Settings();
        Pid = Spawn(command, environment);
    }

    internal void Resize(int columns, int rows)
    {
        Screen.Resize(columns, rows);
        var size = stackalloc ushort[4] { (ushort)rows, (ushort)columns, 0, 0 };
        Check(ioctl(_master, TIOCSWINSZ, size), "set the terminal's size");
    }

    internal void Send(string keys)
    {
        var bytes = Encoding.UTF8.GetBytes(keys);
        fixed (byte* p = bytes)
        {
            Check((int)write(_master, p, (nuint)bytes.Length), "press keys");
        }
    }

    internal void Signal(int signal) => Check(kill(Pid, signal), "send a signal");

    /// <summary>The terminal's settings (struct termios): the program must leave them as they were.</summary>
    internal byte[] Settings()
    {
        var settings = new byte[64];
        fixed (byte* p = settings)
        {
            Check(ioctl(_master, TCGETS, p), "read the terminal's settings");
        }
        return settings;
    }

    /// <summary>Takes what is written until the condition holds, the program closed the terminal, or the time is over. Tells whether the condition holds.</summary>
    internal bool ReadUntil(Func<VirtualScreen, bool> condition, TimeSpan limit)
    {
        var buffer = stackalloc byte[4096];
        var wait = stackalloc int[2];
        var until = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (!condition(Screen))
        {
            (wait[0], wait[1]) = (_master, POLLIN);
            var left = until - Environment.TickCount64;
            if (left <= 0)
            {
                return condition(Screen);
            }
            if (poll(wait, 1, (int)left) <= 0)
            {
                // Over, or interrupted by a signal: that a child stopped, say.
                continue;
            }
            var got = (int)read(_master, buffer, 4096);
            if (got <= 0)
            {
                return condition(Screen);
            }
            var bytes = new ReadOnlySpan<byte>(buffer, got);
            Written.AddRange(bytes);
            Screen.Write(bytes);
        }
        return true;
    }

    /// <summary>Reads to the end and returns the exit code; 128 and the number of the signal that killed it.</summary>
    internal int WaitForExit(TimeSpan limit)
    {
        ReadUntil(_ => false, limit);
        if (_status is null)
        {
            int status;
            var until = Environment.TickCount64 + (long)limit.TotalMilliseconds;
            while (waitpid(Pid, &status, WNOHANG) == 0)
            {
                if (Environment.TickCount64 > until)
                {
                    throw new TimeoutException($"process {Pid} did not end; the screen:\n{Screen.Text}");
                }
                Thread.Sleep(10);
            }
            _status = status;
        }
        return (_status.Value & 0x7f) == 0 ? _status.Value >> 8 & 0xff : 128 + (_status.Value & 0x7f);
    }

    public void Dispose()
    {
        if (_status is null)
        {
            int status;
            _ = kill(Pid, 9);
            _ = waitpid(Pid, &status, 0);
        }
        _ = close(_master);
    }

    private int Spawn(string[] command, (string Name, string? Value)[] environment)
    {
        var variables = Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string?)e.Value);
        foreach (var (name, value) in new (string, string?)[] { ("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("NO_COLOR", null), ("COLUMNS", null), ("SUDO_UID", null) }.Concat(environment))
        {
            variables[name] = value;
        }
        var arguments = Strings(command);
        var block = Strings([.. variables.Where(v => v.Value is not null).Select(v => $"{v.Key}={v.Value}")]);
        byte* actions = stackalloc byte[AttributeBytes], attributes = stackalloc byte[AttributeBytes], all = stackalloc byte[128];
        Check(-posix_spawn_file_actions_init(actions), "spawn");
        Check(-posix_spawnattr_init(attributes), "spawn");
        // A new session; then the first terminal that it opens becomes its own.
        Check(-posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF), "spawn");
        _ = sigfillset(all);
        Check(-posix_spawnattr_setsigdefault(attributes, all), "spawn");
        Check(-posix_spawn_file_actions_addopen(actions, 0, _slave, O_RDWR, 0), "spawn");
        Check(-posix_spawn_file_actions_adddup2(actions, 0, 1), "spawn");
        Check(-posix_spawn_file_actions_adddup2(actions, 0, 2), "spawn");
        int pid;
        Check(-posix_spawnp(&pid, command[0], actions, attributes, arguments, block), $"start {command[0]}");
        return pid;
    }

    // Not freed: a few hundred bytes for each program started.
    private static byte** Strings(string[] texts)
    {
        var pointers = (byte**)NativeMemory.AllocZeroed((nuint)texts.Length + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < texts.Length; i++)
        {
            pointers[i] = (byte*)Marshal.StringToCoTaskMemUTF8(texts[i]);
        }
        return pointers;
    }

    private static void Check(int result, string what)
    {
        if (result < 0)
        {
            throw new IOException($"{what}: {Marshal.GetPInvokeErrorMessage(result == -1 ? Marshal.GetLastPInvokeError() : -result)}");
        }
    }

    [LibraryImport("libc", SetLastError = true)] private static partial int posix_openpt(int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int grantpt(int fd);
    [LibraryImport("libc", SetLastError = true)] private static partial int unlockpt(int fd);
    [LibraryImport("libc", SetLastError = true)] private static partial int ptsname_r(int fd, byte* name, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial int ioctl(int fd, nuint request, void* argument);
    [LibraryImport("libc", SetLastError = true)] private static partial nint read(int fd, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial nint write(int fd, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial int close(int fd);
    [LibraryImport("libc", SetLastError = true)] private static partial int poll(void* descriptors, nuint count, int milliseconds);
    [LibraryImport("libc", SetLastError = true)] private static partial int kill(int pid, int signal);
    [LibraryImport("libc", SetLastError = true)] private static partial int waitpid(int pid, int* status, int options);
    [LibraryImport("libc")] private static partial int sigfillset(byte* set);
    [LibraryImport("libc")] private static partial int posix_spawn_file_actions_init(byte* actions);
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)] private static partial int posix_spawn_file_actions_addopen(byte* actions, int fd, string path, int flags, uint mode);
    [LibraryImport("libc")] private static partial int posix_spawn_file_actions_adddup2(byte* actions, int fd, int copy);
    [LibraryImport("libc")] private static partial int posix_spawnattr_init(byte* attributes);
    [LibraryImport("libc")] private static partial int posix_spawnattr_setflags(byte* attributes, short flags);
    [LibraryImport("libc")] private static partial int posix_spawnattr_setsigdefault(byte* attributes, byte* signals);
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)] private static partial int posix_spawnp(int* pid, string file, byte* actions, byte* attributes, byte** arguments, byte** environment);
}
