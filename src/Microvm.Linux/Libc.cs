using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>The few calls of libc that we make.</summary>
internal static unsafe partial class Libc
{
    [LibraryImport("libc", SetLastError = true)] internal static partial int socket(int domain, int type, int protocol);
    [LibraryImport("libc", SetLastError = true)] internal static partial int bind(int fd, byte* address, uint length);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint send(int fd, byte* buffer, nuint length, int flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint recv(int fd, byte* buffer, nuint length, int flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial int setsockopt(int fd, int level, int name, int* value, uint length);
    [LibraryImport("libc", SetLastError = true)] internal static partial int close(int fd);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint write(int fd, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint readlink(string path, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint read(int fd, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint recvmsg(int fd, MessageHeader* message, int flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint sendmsg(int fd, MessageHeader* message, int flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial int getsockopt(int fd, int level, int name, void* value, uint* length);
    [LibraryImport("libc", SetLastError = true)] internal static partial int poll(PollDescriptor* descriptors, nuint count, int milliseconds);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int open(string path, int flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial int open(byte* path, int flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial int flock(int fd, int operation);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int fchownat(int directory, string path, uint owner, uint group, int flags);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int fchmodat(int directory, string path, uint mode, int flags);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int statx(int directory, string path, int flags, uint mask, byte* status);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint opendir(string path);
    [LibraryImport("libc", SetLastError = true)] internal static partial byte* readdir(nint folder);
    [LibraryImport("libc")] internal static partial int closedir(nint folder);
    [LibraryImport("libc", SetLastError = true)] internal static partial int ioctl(int fd, nuint request, void* argument);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] internal static partial int renameat2(int fromFolder, string from, int toFolder, string to, uint flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial int setns(int fd, int kind);
    [LibraryImport("libc", SetLastError = true)] internal static partial int kill(int pid, int signal);
    [LibraryImport("libc")] internal static partial int posix_spawn(int* pid, byte* path, void* actions, void* attributes, byte** arguments, byte** environment);
    [LibraryImport("libc", SetLastError = true)] internal static partial int waitpid(int pid, int* status, int options);
    [LibraryImport("libc")] internal static partial nint signal(int signal, nint handler);
    [LibraryImport("libc")] internal static partial uint geteuid();
    [LibraryImport("libc")] internal static partial uint getegid();
    [LibraryImport("libc", SetLastError = true)] internal static partial byte* if_indextoname(uint index, byte* name);
    [LibraryImport("libc")] internal static partial int getppid();
    [LibraryImport("libc")] internal static partial int getpgrp();
    [LibraryImport("libc", SetLastError = true)] internal static partial int setsid();
    [LibraryImport("libc", SetLastError = true)] internal static partial int setpgid(int pid, int group);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint syscall(nint number, nint a, nint b, nint c, nint d, nint e);
    [LibraryImport("libc", SetLastError = true)] internal static partial int setrlimit(int resource, ulong* limit);
    [LibraryImport("libc", SetLastError = true)] internal static partial int unshare(int kinds);
    [LibraryImport("libc", SetLastError = true)] internal static partial int execvp(byte* file, byte** arguments);
    [LibraryImport("libc", SetLastError = true)] internal static partial int pipe2(int* ends, int flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial int fcntl(int fd, int command, int argument);
    [LibraryImport("libc", SetLastError = true)] internal static partial int dup2(int from, int to);

    /// <summary>Throws with what was tried and the kernel's own words when a call returned -1.</summary>
    internal static nint Check(nint result, string what) =>
        result >= 0 ? result : throw new LinuxException(what, Marshal.GetLastPInvokeError());
}

/// <summary>The kernel refused a call.</summary>
/// <param name="what">What was tried.</param>
/// <param name="errno">The error number (errno(3)); 0 where no call failed and its outcome is still wrong.</param>
/// <param name="said">The kernel's own words from the extended ack, where it had any.</param>
public sealed class LinuxException(string what, int errno, string? said = null)
    : Exception($"{what}{(errno == 0 ? "" : $": {Marshal.GetPInvokeErrorMessage(errno)}")}{(said is null ? "" : $" ({said})")}")
{
    private const int MostTold = 3;

    /// <summary>The error number (errno(3)).</summary>
    public int Errno { get; } = errno;

    /// <summary>Every refusal of a batch of requests, this one first; empty where it was one call.</summary>
    public IReadOnlyList<LinuxException> Refusals { get; private init; } = [];

    /// <summary>What was tried and why it failed; of a batch's refusals the first few.</summary>
    public override string Message => Refusals.Count < 2 ? base.Message
        : $"{base.Message}; {string.Join("; ", Refusals.Skip(1).Take(MostTold - 1).Select(r => r.Message))}{(Refusals.Count > MostTold ? $"; and {Refusals.Count - MostTold} more were refused" : "")}";

    /// <summary>Throws the first refusal, which has all of them.</summary>
    internal static void ThrowIfAny(IReadOnlyList<LinuxException> refusals)
    {
        if (refusals.Count > 0)
        {
            var first = refusals[0];
            throw new LinuxException(first._what, first.Errno, first._said) { Refusals = refusals };
        }
    }

    private readonly string _what = what;
    private readonly string? _said = said;
}
