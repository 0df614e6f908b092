namespace Microvm.Faults;

/// <summary>Which errors the kernel may plausibly answer a call with.</summary>
internal static class Errnos
{
    private static readonly Dictionary<string, string[]> s_table = new()
    {
        ["openat"] = ["ENOENT", "EMFILE", "ENFILE", "ENOMEM", "EACCES", "EINTR", "ENOSPC", "EBUSY", "EIO"],
        ["socket"] = ["EMFILE", "ENOBUFS", "ENOMEM", "EPERM"],
        ["bind"] = ["ENOMEM", "EADDRINUSE", "EPERM"],
        ["connect"] = ["ECONNREFUSED", "EINTR"],
        ["setsockopt"] = ["ENOMEM", "ENOPROTOOPT"],
        ["sendto"] = ["ENOBUFS", "ENOMEM", "EINTR", "EPERM", "EAGAIN"],
        ["sendmsg"] = ["ENOBUFS", "ENOMEM", "EINTR", "EPERM", "EAGAIN"],
        ["recvfrom"] = ["ENOBUFS", "ENOMEM", "EINTR", "EAGAIN"],
        ["recvmsg"] = ["ENOBUFS", "ENOMEM", "EINTR", "EAGAIN"],
        ["ioctl"] = ["EBUSY", "ENOMEM", "EPERM", "EINTR", "EINVAL", "ENODEV"],
        ["setns"] = ["EPERM", "ENOMEM", "EINVAL"],
        ["flock"] = ["EINTR", "ENOLCK", "EWOULDBLOCK"],
        ["fcntl"] = ["EINTR", "ENOLCK", "EAGAIN", "EMFILE"],
        ["close"] = ["EINTR", "EIO"],
        ["read"] = ["EIO", "EINTR", "EAGAIN"],
        ["pread64"] = ["EIO", "EINTR"],
        ["write"] = ["EPIPE", "ENOSPC", "EIO", "EINTR"],
        ["getdents64"] = ["EIO", "ENOMEM"],
        ["newfstatat"] = ["ENOENT", "EACCES", "ENOMEM", "EIO"],
        ["fstat"] = ["ENOMEM", "EIO"],
        ["statx"] = ["ENOENT", "EACCES", "EIO"],
        ["readlink"] = ["ENOENT", "EACCES", "EIO"],
        ["access"] = ["ENOENT", "EACCES"],
        ["fchown"] = ["EPERM", "EIO", "ENOSPC", "EROFS"],
        ["fchownat"] = ["EPERM", "EIO", "ENOSPC", "EROFS", "ENOENT"],
        ["chown"] = ["EPERM", "EIO", "ENOSPC", "EROFS", "ENOENT"],
        ["fchmod"] = ["EPERM", "EIO", "EROFS"],
        ["chmod"] = ["EPERM", "EIO", "EROFS", "ENOENT"],
        ["fchmodat"] = ["EPERM", "EIO", "EROFS", "ENOENT"],
        ["mkdir"] = ["ENOSPC", "EACCES", "EROFS"],
        ["mkdirat"] = ["ENOSPC", "EACCES", "EROFS"],
        ["mknod"] = ["ENOSPC", "EPERM", "EROFS", "EEXIST"],
        ["mknodat"] = ["ENOSPC", "EPERM", "EROFS", "EEXIST"],
        ["unlink"] = ["EBUSY", "EROFS", "EACCES", "EIO"],
        ["unlinkat"] = ["EBUSY", "EROFS", "EACCES", "EIO"],
        ["rename"] = ["ENOSPC", "EROFS", "EBUSY"],
        ["ftruncate"] = ["EIO", "EINTR", "ENOSPC"],
        ["mmap"] = ["ENOMEM"],
        ["mprotect"] = ["ENOMEM"],
        ["brk"] = ["ENOMEM"],
        ["clone3"] = ["EAGAIN", "ENOMEM"],
        ["pipe2"] = ["EMFILE", "ENFILE"],
        ["eventfd2"] = ["EMFILE", "ENOMEM"],
        ["prctl"] = ["EPERM", "EINVAL"],
        ["capset"] = ["EPERM"],
        ["capget"] = ["EINVAL"],
        ["poll"] = ["EINTR", "ENOMEM"],
        ["ppoll"] = ["EINTR", "ENOMEM"],
    };

    /// <summary>None for a call that can't fail, or whose failure only the runtime would see as its own mistake.</summary>
    internal static string[] Of(string call) => s_table.GetValueOrDefault(call, []);

    /// <summary>Calls of the runtime's memory: refused, the runtime ends the process as a signal would.</summary>
    internal static bool IsMemory(string call) => call is "mmap" or "mprotect" or "brk" or "munmap" or "madvise" or "clone3";
}
