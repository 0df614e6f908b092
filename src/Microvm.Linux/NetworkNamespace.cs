namespace Microvm.Linux;

/// <summary>Named network namespaces, as <c>ip netns</c> keeps them.</summary>
public static class NetworkNamespace
{
    private const int CLONE_NEWNET = 0x40000000, O_CLOEXEC = 0x80000;

    private static bool s_entered;
    private static bool? s_isHosts;

    /// <summary>Whether this thread is in the network namespace of the host's first process; where that can't be seen, it is unless it entered another.
    /// What was seen first stays, so that a process may give up the privilege of looking.</summary>
    internal static bool IsHosts
    {
        get
        {
            try
            {
                return s_isHosts ??= new FileInfo("/proc/1/ns/net").LinkTarget is { } first ? new FileInfo("/proc/thread-self/ns/net").LinkTarget == first : !s_entered;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return (s_isHosts = !s_entered).Value;
            }
        }
    }

    /// <summary>Moves the calling thread into a named namespace (setns(2)); sockets opened after it work there.</summary>
    public static void Enter(string name)
    {
        if (name.Length == 0 || name is "." or ".." || name.Contains('/'))
        {
            throw new ArgumentException($"'{name}' is not the name of a network namespace");
        }
        using var ns = new FileDescriptor((int)Libc.Check(Libc.open($"/run/netns/{name}", O_CLOEXEC), $"open network namespace '{name}'"));
        Libc.Check(Libc.setns(ns.Value, CLONE_NEWNET), $"enter network namespace '{name}'");
        (s_entered, s_isHosts) = (true, null);
    }

    /// <summary>The number of the calling thread's network namespace, which no other has or will have until the next boot; 0 where the kernel has none (before Linux 5.14).</summary>
    internal static unsafe ulong Cookie()
    {
        const int AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000, SOL_SOCKET = 1, SO_NETNS_COOKIE = 71;
        using var socket = new FileDescriptor((int)Libc.Check(Libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "open a socket"));
        ulong cookie;
        uint length = 8;
        return Libc.getsockopt(socket.Value, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) == 0 ? cookie : 0;
    }
}
