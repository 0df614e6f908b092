using System.Globalization;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>The person behind sudo: their files are read, and programs started, with their rights and not root's.</summary>
public static unsafe class SudoCaller
{
    private const uint Unchanged = uint.MaxValue;
    private static uint s_user, s_group;
    private static bool s_known;

    /// <summary>Keeps the caller (SUDO_UID, SUDO_GID) as the real user and group of this process, so that it can act as them without
    /// any capability later; the supplementary groups become the caller's. To be called before privileges are given up.
    /// Does nothing where no other user is behind us.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Keep()
    {
        if (Libc.geteuid() != 0 || Number("SUDO_UID") is not (> 0 and var user) || Number("SUDO_GID") is not { } group)
        {
            return;
        }
        if (Environment.GetEnvironmentVariable("SUDO_USER") is not { Length: > 0 } name || Libc.initgroups(name, group) != 0)
        {
            Libc.Check(Libc.setgroups(1, &group), "take the caller's groups");
        }
        Libc.Check(Libc.setresgid(group, Unchanged, Unchanged), $"keep group {group}");
        Libc.Check(Libc.setresuid(user, Unchanged, Unchanged), $"keep user {user}");
        (s_user, s_group, s_known) = (user, group, true);
    }

    /// <summary>Acts as the caller until the result is disposed; null, and no change, where nobody is behind us.</summary>
    public static IDisposable? Act()
    {
        if (!s_known)
        {
            return null;
        }
        Libc.Check(Libc.setegid(s_group), $"act as group {s_group}");
        if (Libc.seteuid(s_user) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            _ = Libc.setegid(0);
            throw new LinuxException($"act as user {s_user}", errno);
        }
        return new Acting();
    }

    /// <summary>As <see cref="Act"/>, unless there is a file of that path which the caller may not read (access(2) asks for the real user).</summary>
    public static IDisposable? ActFor(string path)
    {
        const int R_OK = 4, EACCES = 13;
        return s_known && Libc.access(path, R_OK) != 0 && Marshal.GetLastPInvokeError() == EACCES ? null : Act();
    }

    private sealed class Acting : IDisposable
    {
        public void Dispose()
        {
            Libc.Check(Libc.seteuid(0), "act as root again");
            Libc.Check(Libc.setegid(0), "act as root's group again");
        }
    }

    private static uint? Number(string variable) =>
        uint.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number != Unchanged ? number : null;
}
