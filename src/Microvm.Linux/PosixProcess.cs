using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>This process.</summary>
internal static unsafe class PosixProcess
{
    /// <summary>The effective user id.</summary>
    public static uint EffectiveUser => Libc.geteuid();

    /// <summary>Becomes another user for good, in no group but this one.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Become(uint user, uint group)
    {
        Libc.Check(Libc.setgroups(0, null), "leave the groups");
        Libc.Check(Libc.setresgid(group, group, group), $"become group {group}");
        Libc.Check(Libc.setresuid(user, user, user), $"become user {user}");
    }

    /// <summary>Stops this process until somebody continues it (SIGSTOP), as a shell's job control does.</summary>
    public static void Suspend()
    {
        const int SIGSTOP = 19;
        _ = Libc.kill(Environment.ProcessId, SIGSTOP);
    }

    /// <summary>Leaves the process group for one of its own; does nothing where it leads one.</summary>
    public static void LeadGroup() => _ = Libc.setpgid(0, 0);

    /// <summary>Leaves the session, its terminal and the process group for a session of its own (setsid(2)); does nothing where this process leads a group.</summary>
    public static void LeadSession() => _ = Libc.setsid();

    /// <summary>A copy of a descriptor that a started program inherits; the caller closes it.</summary>
    /// <exception cref="LinuxException">No descriptor is free.</exception>
    public static int Hand(int descriptor)
    {
        const int F_DUPFD = 0, High = 400;
        return (int)Libc.Check(Libc.fcntl(descriptor, F_DUPFD, High), "hand over a descriptor");
    }

    /// <summary>Asks a process to end (SIGTERM); does nothing where it has ended.</summary>
    public static void Terminate(int process)
    {
        const int SIGTERM = 15;
        _ = Libc.kill(process, SIGTERM);
    }

    /// <summary>Ends this process by a signal, as its parent sees it; returns where the signal does not end processes.</summary>
    public static void EndBy(int signal)
    {
        const nint SIG_DFL = 0;
        _ = Libc.signal(signal, SIG_DFL);
        _ = Libc.kill(Environment.ProcessId, signal);
    }

    /// <summary>A variable as the program that takes the place of this process will have it; null where it is not set.</summary>
    public static string? Variable(string name) => Marshal.PtrToStringUTF8(Libc.getenv(name));

    /// <summary>Sets a variable for the program that takes the place of this process, and for those that it starts.</summary>
    public static void SetVariable(string name, string value)
    {
        // .NET has a copy of its own, which is what started programs get.
        Environment.SetEnvironmentVariable(name, value);
        _ = Libc.setenv(name, value, 1);
    }

    /// <summary>Whether this process may make files in a directory.</summary>
    public static bool MayWrite(string directory)
    {
        const int W_OK = 2, X_OK = 1;
        return Libc.access(directory, W_OK | X_OK) == 0;
    }

    /// <summary>Whether nothing is at a path; false as well where this user may not look there.</summary>
    public static bool IsAbsent(string path)
    {
        const int F_OK = 0;
        return Libc.access(path, F_OK) < 0 && Marshal.GetLastPInvokeError() is Errno.ENOENT or Errno.ENOTDIR;
    }

    /// <summary>Whether two descriptors, of one process or of two, are one open file (kcmp(2)); null where the kernel does not tell.</summary>
    public static bool? IsSameFile((int Process, int Descriptor) one, (int Process, int Descriptor) other)
    {
        const int KCMP_FILE = 0;
        var number = RuntimeInformation.ProcessArchitecture switch { Architecture.X64 => 312, Architecture.Arm64 => 272, _ => -1 };
        return number < 0 ? null : Libc.syscall(number, one.Process, other.Process, KCMP_FILE, one.Descriptor, other.Descriptor) switch { < 0 => null, 0 => true, _ => false };
    }

    /// <summary>From now on this process is killed when its parent ends, whatever ends it; a program that it becomes is, too.</summary>
    /// <param name="parent">The parent's process id. Where it has ended already, this process ends.</param>
    public static void EndWith(int parent)
    {
        const int PR_SET_PDEATHSIG = 1, SIGKILL = 9;
        Libc.Check(Libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "end with the parent");
        if (Libc.getppid() != parent)
        {
            _ = Libc.kill(Environment.ProcessId, SIGKILL);
        }
    }

    /// <summary>Most memory for data, in bytes, of this process and of those that it starts; no core is dumped.</summary>
    public static void LimitData(ulong bytes)
    {
        const int RLIMIT_DATA = 2, RLIMIT_CORE = 4;
        var limit = stackalloc ulong[2] { bytes, bytes };
        Libc.Check(Libc.setrlimit(RLIMIT_DATA, limit), "limit the memory");
        limit[0] = limit[1] = 0;
        Libc.Check(Libc.setrlimit(RLIMIT_CORE, limit), "dump no core");
    }

    /// <summary>Starts a program and waits for its end. No thread is made for it, as .NET's own way would: one that is made before privileges are given
    /// up keeps them.</summary>
    /// <param name="words">The program's path first. It has this process's environment, standard streams and what else is not closed on exec.</param>
    /// <returns>Its exit code; 128 and the number of a signal that ended it.</returns>
    /// <exception cref="LinuxException">The program could not be started.</exception>
    public static int RunAlone(params IReadOnlyList<string> words)
    {
        var arguments = Words(words);
        int pid, status = 0;
        try
        {
            var errno = Libc.posix_spawn(&pid, arguments[0], null, null, arguments, (byte**)*Environ());
            if (errno != 0)
            {
                throw new LinuxException($"start {words[0]}", errno);
            }
            while (Libc.waitpid(pid, &status, 0) < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR)
            {
            }
        }
        finally
        {
            for (var i = 0; arguments[i] != null; i++)
            {
                Marshal.FreeCoTaskMem((nint)arguments[i]);
            }
            NativeMemory.Free(arguments);
        }
        const int SignalBits = 0x7f, BySignal = 128;
        return (status & SignalBits) is > 0 and var signal ? BySignal + signal : status >> 8 & 0xff;
    }

    private static nint* Environ() => (nint*)NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "environ");

    private static byte** Words(IReadOnlyList<string> words)
    {
        var arguments = (byte**)NativeMemory.AllocZeroed((nuint)words.Count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < words.Count; i++)
        {
            arguments[i] = (byte*)Marshal.StringToCoTaskMemUTF8(words[i]);
        }
        return arguments;
    }

    /// <summary>Becomes another program, found on the PATH (execvp(3)); returns only by throwing.</summary>
    /// <param name="words">The program first.</param>
    /// <param name="name">What the process calls itself, in the place of the program's own argv[0]; null for that.</param>
    /// <param name="descriptors">Descriptors to hand over: the first becomes fd 3, the next fd 4, and so on.</param>
    /// <exception cref="LinuxException">The program could not be started.</exception>
    public static void Exec(IReadOnlyList<string> words, string? name = null, IReadOnlyList<int>? descriptors = null)
    {
        Inherit(descriptors ?? []);
        // Freed only when exec fails, at the end of the process.
        var arguments = Words(words);
        var program = arguments[0];
        if (name is not null)
        {
            arguments[0] = (byte*)Marshal.StringToCoTaskMemUTF8(name);
        }
        Libc.Check(Libc.execvp(program, arguments), $"start {words[0]}");
    }

    /// <summary>A pipe whose ends stay open in programs that are started, the writing one at a high number, out of the way of
    /// descriptors that are handed over. The caller closes them with <see cref="Close"/>.</summary>
    /// <exception cref="LinuxException">No descriptor is free.</exception>
    public static (int Read, int Write) OpenPipe()
    {
        const int F_DUPFD = 0, High = 400;
        var ends = stackalloc int[2];
        Libc.Check(Libc.pipe2(ends, 0), "make a pipe");
        var write = (int)Libc.Check(Libc.fcntl(ends[1], F_DUPFD, High), "make a pipe");
        Close(ends[1]);
        return (ends[0], write);
    }

    /// <summary>Whether everybody who could read from a pipe is gone.</summary>
    /// <param name="write">The pipe's writing end.</param>
    public static bool IsUnread(int write)
    {
        const short POLLERR = 8;
        var look = new PollDescriptor { Descriptor = write };
        return Libc.poll(&look, 1, 0) > 0 && (look.Happened & POLLERR) != 0;
    }

    /// <summary>The process that started this one; another, once that has ended.</summary>
    public static int Parent => Libc.getppid();

    /// <summary>Ends a process at once (SIGKILL); does nothing where it has ended.</summary>
    public static void Kill(int process)
    {
        const int SIGKILL = 9;
        _ = Libc.kill(process, SIGKILL);
    }

    /// <summary>Keeps a descriptor that no handle owns from programs that are started.</summary>
    public static void CloseOnExec(int descriptor)
    {
        const int F_SETFD = 2, FD_CLOEXEC = 1;
        _ = Libc.fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    }

    /// <summary>Whether a descriptor is the end of a pipe.</summary>
    public static bool IsPipe(int descriptor) => FileStatus.OfDescriptor(descriptor) is { IsPipe: true };

    /// <summary>Whether everybody who could write to a pipe is gone; nobody reads what they wrote.</summary>
    /// <param name="read">The pipe's reading end.</param>
    /// <param name="limit">How long to wait for it.</param>
    public static bool IsHungUp(int read, TimeSpan limit)
    {
        const short POLLHUP = 0x10;
        var look = new PollDescriptor { Descriptor = read };
        return Libc.poll(&look, 1, (int)limit.TotalMilliseconds) > 0 && (look.Happened & POLLHUP) != 0;
    }

    /// <summary>Reads one byte of a pipe; null at its end, or where none came within <paramref name="limit"/>.</summary>
    public static byte? Read(int read, TimeSpan limit)
    {
        const short POLLIN = 1;
        var look = new PollDescriptor { Descriptor = read, Events = POLLIN };
        byte got;
        return Libc.poll(&look, 1, (int)limit.TotalMilliseconds) > 0 && Libc.read(read, &got, 1) == 1 ? got : null;
    }

    /// <summary>Reads a pipe to its end, at most 4096 bytes, each of which may take <paramref name="limit"/> to come.</summary>
    public static string ReadToEnd(int read, TimeSpan limit)
    {
        var bytes = new List<byte>();
        while (bytes.Count < 4096 && Read(read, limit) is { } next)
        {
            bytes.Add(next);
        }
        return System.Text.Encoding.UTF8.GetString([.. bytes]);
    }

    /// <summary>Writes to a pipe what fits into it at once; nobody need read it.</summary>
    public static void Write(int write, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* p = bytes)
        {
            _ = Libc.write(write, p, (nuint)bytes.Length);
        }
    }

    /// <summary>Closes a descriptor that no handle owns.</summary>
    public static void Close(int descriptor) => _ = Libc.close(descriptor);

    // The places from 3 on belong to the runtime, so the last thing before exec is to take them. First all go out of the way of each other.
    private static void Inherit(IReadOnlyList<int> descriptors)
    {
        const int F_DUPFD_CLOEXEC = 1030, First = 3;
        var aside = new int[descriptors.Count];
        for (var n = 0; n < aside.Length; n++)
        {
            aside[n] = (int)Libc.Check(Libc.fcntl(descriptors[n], F_DUPFD_CLOEXEC, First + aside.Length), "move a descriptor");
        }
        for (var n = 0; n < aside.Length; n++)
        {
            Libc.Check(Libc.dup2(aside[n], First + n), "hand over a descriptor");
        }
    }
}
