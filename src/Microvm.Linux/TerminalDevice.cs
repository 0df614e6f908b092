using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>The terminal behind a descriptor (ioctl_tty(2)).</summary>
internal static unsafe class TerminalDevice
{
    private const nuint TCGETS = 0x5401, TCSETSW = 0x5403, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414;
    private const uint ISIG = 0x1, ICANON = 0x2, ECHO = 0x8, IEXTEN = 0x8000, ICRNL = 0x100, IXON = 0x400, OPOST = 0x1;

    /// <summary>Standard input, output and errors.</summary>
    public const int Input = 0, Output = 1, Errors = 2;

    /// <summary>struct termios as the kernel has it, on x86-64 and arm64 alike.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Termios
    {
        public uint c_iflag, c_oflag, c_cflag, c_lflag;
        public byte c_line;
        public fixed byte c_cc[19];
    }

    /// <summary>Gives standard input, output and errors that were closed to /dev/null, so that no link's descriptor comes to stand for one of them.</summary>
    public static void OpenClosed()
    {
        const short POLLNVAL = 0x20;
        const int O_RDWR = 2;
        var all = stackalloc PollDescriptor[3];
        (all[Input].Descriptor, all[Output].Descriptor, all[Errors].Descriptor) = (Input, Output, Errors);
        if (Libc.poll(all, 3, 0) <= 0)
        {
            return;
        }
        for (var fd = Input; fd <= Errors; fd++)
        {
            // The lowest free number is the one that open takes.
            if ((all[fd].Happened & POLLNVAL) != 0)
            {
                _ = Libc.open("/dev/null", O_RDWR);
            }
        }
    }

    /// <summary>Whether the descriptor is a terminal.</summary>
    public static bool IsTerminal(int fd)
    {
        Termios settings;
        return Libc.ioctl(fd, TCGETS, &settings) == 0;
    }

    /// <summary>Whether a descriptor is a terminal that this process may set: not one whose foreground job is another.</summary>
    public static bool IsUsable(int fd)
    {
        // A terminal that is not the controlling one knows no jobs of ours.
        return IsTerminal(fd) && (ForegroundJob(fd) is not { } job || job == Libc.getpgrp());
    }

    /// <summary>Makes standard input a pseudo-terminal (pty(7)) that nobody types at. Its other end stays open in this process and in
    /// what takes its place, and so there is no end of file.</summary>
    /// <exception cref="LinuxException">There is no pseudo-terminal to be had.</exception>
    public static void GiveInput()
    {
        var (master, slave) = OpenPair();
        using (master)
        using (slave)
        {
            // Out of the way of descriptors that are handed over.
            _ = PosixProcess.Hand(master.Value);
            Put(slave.Value, Input);
        }
    }

    /// <summary>A pseudo-terminal (pty(7)) that passes every byte on as it is. Our end does not block. The caller owns both ends, which are closed on exec.</summary>
    /// <exception cref="LinuxException">There is no pseudo-terminal to be had.</exception>
    public static (FileDescriptor Master, FileDescriptor Slave) OpenPair()
    {
        const int O_RDWR = 2, O_NOCTTY = 0x100, O_CLOEXEC = 0x80000, O_NONBLOCK = 0x800;
        const nuint TIOCSPTLCK = 0x40045431, TIOCGPTPEER = 0x5441, TCSETS = 0x5402;
        var master = new FileDescriptor((int)Libc.Check(Libc.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), "open a pseudo-terminal at /dev/ptmx"));
        var locked = 0;
        Libc.Check(Libc.ioctl(master.Value, TIOCSPTLCK, &locked), "unlock a pseudo-terminal");
        var slave = new FileDescriptor((int)Libc.Check(Libc.ioctl(master.Value, TIOCGPTPEER, (void*)(O_RDWR | O_NOCTTY | O_CLOEXEC)), "open a pseudo-terminal"));
        Termios settings;
        if (Libc.ioctl(slave.Value, TCGETS, &settings) == 0)
        {
            settings.c_oflag &= ~OPOST;
            PassKeys(ref settings);
            _ = Libc.ioctl(slave.Value, TCSETS, &settings);
        }
        return (master, slave);
    }

    /// <summary>Makes a descriptor standard input, output or errors.</summary>
    /// <exception cref="LinuxException">It is not open.</exception>
    public static void Put(int descriptor, int standard) => Libc.Check(Libc.dup2(descriptor, standard), "set a standard stream");

    /// <summary>Whether a descriptor is the controlling terminal of this process, and this process is in its foreground job: a person
    /// sits at it.</summary>
    public static bool IsOurs(int fd) => ForegroundJob(fd) == Libc.getpgrp();

    /// <summary>The process group that has the controlling terminal; null where the descriptor is not that.</summary>
    private static int? ForegroundJob(int fd)
    {
        const nuint TIOCGPGRP = 0x540F;
        int job;
        return Libc.ioctl(fd, TIOCGPGRP, &job) == 0 ? job : null;
    }

    /// <summary>Makes standard input /dev/null.</summary>
    /// <exception cref="LinuxException">It can't be opened.</exception>
    public static void LeaveInput()
    {
        const int O_RDWR = 2;
        var none = (int)Libc.Check(Libc.open("/dev/null", O_RDWR), "open /dev/null");
        Put(none, Input);
        PosixProcess.Close(none);
    }

    /// <summary>Columns and rows, or null where the descriptor is no terminal or doesn't know.</summary>
    public static (int Columns, int Rows)? Size(int fd)
    {
        var size = stackalloc ushort[4];
        return Libc.ioctl(fd, TIOCGWINSZ, size) == 0 && size[1] > 0 ? (size[1], size[0]) : null;
    }

    /// <summary>Gives one terminal the size of another; does nothing where that one has none.</summary>
    public static void CopySize(int from, int to)
    {
        var size = stackalloc ushort[4];
        if (Libc.ioctl(from, TIOCGWINSZ, size) == 0)
        {
            _ = Libc.ioctl(to, TIOCSWINSZ, size);
        }
    }

    /// <summary>Keys as they are pressed, Ctrl-C and Ctrl-Z too, unechoed; what is printed is treated as before. Disposing the result
    /// puts the settings back; null where the descriptor is no terminal.</summary>
    public static IDisposable? PassKeys(int fd)
    {
        Termios before;
        if (Libc.ioctl(fd, TCGETS, &before) < 0)
        {
            return null;
        }
        var raw = before;
        PassKeys(ref raw);
        raw.c_cc[6] = 1; // VMIN
        raw.c_cc[5] = 0; // VTIME
        _ = Libc.ioctl(fd, TCSETSW, &raw);
        return new KeyMode(fd, before);
    }

    private static void PassKeys(ref Termios settings)
    {
        settings.c_iflag &= ~(ICRNL | IXON);
        settings.c_lflag &= ~(ICANON | ECHO | ISIG | IEXTEN);
    }

    /// <summary>Keys one by one and unechoed; Ctrl-C stays a signal. Disposing puts the settings back.</summary>
    /// <exception cref="LinuxException">The descriptor is no terminal.</exception>
    public static KeyMode ReadKeys(int fd)
    {
        Termios before;
        Libc.Check(Libc.ioctl(fd, TCGETS, &before), "read the terminal's settings");
        var mode = new KeyMode(fd, before);
        mode.Hold();
        return mode;
    }

    /// <summary>The terminal's settings as they are, put back by disposing; null where the descriptor is no terminal.</summary>
    public static IDisposable? Remember(int fd)
    {
        Termios now;
        return Libc.ioctl(fd, TCGETS, &now) == 0 ? new KeyMode(fd, now) : null;
    }

    /// <summary>Reads what is there; 0 or less at the end or on an error.</summary>
    public static int Read(int fd, Span<byte> buffer)
    {
        fixed (byte* p = buffer)
        {
            return (int)Libc.read(fd, p, (nuint)buffer.Length);
        }
    }

    /// <summary>Writes what is taken at once; 0 or less where nothing is. The descriptor should not block.</summary>
    public static int Write(int fd, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* p = bytes)
        {
            return (int)Libc.write(fd, p, (nuint)bytes.Length);
        }
    }

    /// <summary>A terminal that gives keys one by one.</summary>
    public sealed class KeyMode : IDisposable
    {
        private readonly int _fd;
        private readonly Termios _before;
        internal KeyMode(int fd, Termios before) => (_fd, _before) = (fd, before);

        /// <summary>Sets the mode again where somebody took it away: a shell, or the runtime's own handling of SIGCONT, after this
        /// process was stopped and continued. Keys that were pressed meanwhile are not lost.</summary>
        /// <exception cref="LinuxException">The terminal is gone.</exception>
        public void Hold()
        {
            Termios now;
            Libc.Check(Libc.ioctl(_fd, TCGETS, &now), "read the terminal's settings");
            if ((now.c_lflag & (ICANON | ECHO)) == 0)
            {
                return;
            }
            now.c_lflag &= ~(ICANON | ECHO);
            now.c_iflag &= ~IXON;
            now.c_cc[6] = 0; // VMIN
            now.c_cc[5] = 0; // VTIME
            Libc.Check(Libc.ioctl(_fd, TCSETSW, &now), "set the terminal to single keys");
        }

        public void Dispose()
        {
            var settings = _before;
            _ = Libc.ioctl(_fd, TCSETSW, &settings);
        }
    }
}
