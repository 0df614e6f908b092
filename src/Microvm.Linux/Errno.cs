namespace Microvm.Linux;

/// <summary>The error numbers that we tell apart or report ourselves (errno(3), asm-generic/errno-base.h).</summary>
internal static class Errno
{
    public const int EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, EAGAIN = 11, EACCES = 13, EBUSY = 16, EEXIST = 17, EXDEV = 18, ENODEV = 19, ENOTDIR = 20, EISDIR = 21,
        EINVAL = 22, EROFS = 30, ENOTEMPTY = 39, ELOOP = 40, EMSGSIZE = 90, EPROTONOSUPPORT = 93, EOPNOTSUPP = 95, EADDRINUSE = 98, EAFNOSUPPORT = 97, ECONNRESET = 104, ENOBUFS = 105,
        ETIMEDOUT = 110;
}
