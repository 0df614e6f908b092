using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>One holder at a time in the calling thread's network namespace, whoever and wherever the others are. Only who may change the
/// namespace (CAP_NET_ADMIN) can hold it. No file is left behind, and the kernel lets go when the holder ends.</summary>
/// <remarks>Whoever works belongs to a multicast group of NETLINK_USERSOCK in the namespace, which the kernel lets nobody join without
/// CAP_NET_ADMIN (netlink(7)), and works only where <c>/proc/net/netlink</c> shows no other member after joining: of two that join at
/// once, the later look sees the other. The lock on the namespace itself (flock(2)), which any user may take, is the queue before
/// that: it spares those who wait their looks, and where a stranger keeps it, the group alone decides.</remarks>
internal sealed unsafe class NamespaceLock : IDisposable
{
    private const int O_CLOEXEC = 0x80000, LOCK_EX = 2, LOCK_NB = 4, AF_NETLINK = 16, SOCK_RAW = 3, SOCK_CLOEXEC = 0x80000, NETLINK_USERSOCK = 2;
    private const int SOL_NETLINK = 270, NETLINK_ADD_MEMBERSHIP = 1, NETLINK_DROP_MEMBERSHIP = 2;

    /// <summary>Of the 32 groups, one that nothing else is known to use.</summary>
    private const int Group = 27;

    /// <summary>The low bits of our port number are the process's, so that a wait can tell for whom.</summary>
    private const uint PidBits = (1 << 22) - 1, Tag = 0x40000000;

    private readonly FileDescriptor _namespace, _member;
    private readonly uint _port;

    /// <summary>Waits for the lock.</summary>
    /// <param name="patience">How long the wait may take.</param>
    /// <param name="waiting">Called once if the lock is not free at once.</param>
    /// <param name="interrupted">Asked while waiting; once it says true, the wait ends.</param>
    /// <exception cref="OperationCanceledException">It was interrupted.</exception>
    /// <exception cref="LinuxException">EAGAIN: it was held all that time. EPERM: this process may not change the namespace.</exception>
    public NamespaceLock(TimeSpan patience, Action? waiting = null, Func<bool>? interrupted = null)
    {
        _namespace = new((int)Libc.Check(Libc.open("/proc/thread-self/ns/net", O_CLOEXEC), "open this network namespace"));
        _member = new((int)Libc.Check(Libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK), "open a socket to lock this network namespace"));
        try
        {
            _port = Bind();
            var start = Stopwatch.GetTimestamp();
            // First in the queue, or nobody of us at work though somebody keeps the queue: then the group decides.
            for (var (pause, queued) = (1, false); !(((queued = queued || Queue()) || Others() is 0) && Join()); pause = Math.Min(pause * 2, 20))
            {
                if (Stopwatch.GetElapsedTime(start) > patience)
                {
                    throw new LinuxException("lock this network namespace", Errno.EAGAIN, $"{Holder() ?? "another microvm"} has held it for {patience.TotalSeconds:0} s");
                }
                if (interrupted?.Invoke() == true)
                {
                    throw new OperationCanceledException("interrupted while waiting for another microvm; nothing was changed");
                }
                waiting?.Invoke();
                waiting = null;
                // Not in step with another that joined at the same moment and left again.
                Thread.Sleep(pause + Random.Shared.Next(pause + 1));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Who works in this network namespace now, in words; null for nobody.</summary>
    internal static string? Holder()
    {
        if (Members().FirstOrDefault() is not (> 0 and var port))
        {
            return null;
        }
        var pid = port & PidBits;
        // Of another pid namespace, or ended just now, it has no name.
        return RunningProcess.Name((int)pid) is { } name ? $"process {pid} ({name})" : $"process {pid}";
    }

    public void Dispose()
    {
        _member.Dispose();
        _namespace.Dispose();
    }

    private bool Queue()
    {
        if (Libc.flock(_namespace.Value, LOCK_EX | LOCK_NB) == 0)
        {
            return true;
        }
        return Marshal.GetLastPInvokeError() is var errno and not (Errno.EAGAIN or Errno.EINTR) ? throw new LinuxException("lock this network namespace", errno) : false;
    }

    /// <summary>Joins the group; leaves it again where another is in it.</summary>
    private bool Join()
    {
        var group = Group;
        Libc.Check(Libc.setsockopt(_member.Value, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(int)), "lock this network namespace");
        // Twice, since a list that changes while it is read in parts may leave one out.
        if (Others() is 0 && Others() is 0)
        {
            return true;
        }
        _ = Libc.setsockopt(_member.Value, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(int));
        return false;
    }

    private int Others() => Members().Count(p => p != _port);

    private uint Bind()
    {
        // struct sockaddr_nl: family, padding, port, groups.
        var address = stackalloc uint[3];
        for (var tries = 0; ; tries++)
        {
            address[0] = AF_NETLINK;
            address[1] = Tag | (uint)Random.Shared.Next(256) << 22 | (uint)Environment.ProcessId & PidBits;
            address[2] = 0;
            if (Libc.bind(_member.Value, (byte*)address, 12) == 0)
            {
                return address[1];
            }
            if (Marshal.GetLastPInvokeError() is var errno && (errno != Errno.EADDRINUSE || tries > 1000))
            {
                throw new LinuxException("lock this network namespace", errno);
            }
        }
    }

    /// <summary>The ports in our group, as the columns Eth (the protocol), Pid (the port) and Groups of /proc/net/netlink tell.</summary>
    private static List<uint> Members()
    {
        var members = new List<uint>();
        Span<Range> columns = stackalloc Range[5];
        foreach (var line in File.ReadAllText("/proc/thread-self/net/netlink").AsSpan().EnumerateLines())
        {
            if (line.Split(columns, ' ', StringSplitOptions.RemoveEmptyEntries) == 5 && line[columns[1]] is "2"
                && uint.TryParse(line[columns[3]], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var groups) && (groups & 1u << (Group - 1)) != 0
                && uint.TryParse(line[columns[2]], NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            {
                members.Add(port);
            }
        }
        return members;
    }
}
