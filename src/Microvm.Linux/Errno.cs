namespace Microvm.Linux;

/// <summary>The error numbers that we tell apart or report ourselves (errno(3), asm-generic/errno-base.h).</summary>
internal static class Errno
{
    public const int EPERM = 1, ENOENT = 2, EINTR = 4, EIO = 5, EAGAIN = 11, EACCES = 13, EEXIST = 17, ENODEV = 19, ENOTDIR = 20, EINVAL = 22, EPROTONOSUPPORT = 93, EOPNOTSUPP = 95;
}
