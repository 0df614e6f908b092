using System.Globalization;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>The person for whom root works: their files are read, and programs started for them, with their rights and not root's.</summary>
internal static unsafe class Caller
{
    private const uint Unchanged = uint.MaxValue;
    private static uint s_user, s_group;
    private const uint Nobody = 65534;
    private static bool s_known, s_starts, s_nobody;
    private static uint[] s_groupsBefore = [];
    private static string s_home = "/nonexistent";

    /// <summary>Keeps the person as the real user and group of this process, so that it can act as them without any capability
    /// later; the supplementary groups become theirs. It is the caller behind sudo (SUDO_UID, SUDO_GID), else the first owner among
    /// the files who is not root. To be called before privileges are given up. Does nothing where we are not root, or nobody is found.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Keep(IEnumerable<string> files)
    {
        if (Libc.geteuid() != 0 || !Privileges.Permitted.Has(Capability.SetUid))
        {
            return;
        }
        var person = Number("SUDO_UID") is { } sudo && Number("SUDO_GID") is { } sudoGroup ? (sudo, sudoGroup) : files.Select(Owner).FirstOrDefault(o => o.User != 0);
        var (user, group) = person;
        if (user == 0)
        {
            return;
        }
        if (Number("SUDO_UID") != user || Environment.GetEnvironmentVariable("SUDO_USER") is not { Length: > 0 } name || Libc.initgroups(name, group) != 0)
        {
            Libc.Check(Libc.setgroups(1, &group), "take the caller's groups");
        }
        Libc.Check(Libc.setresgid(group, Unchanged, Unchanged), $"keep group {group}");
        Libc.Check(Libc.setresuid(user, Unchanged, Unchanged), $"keep user {user}");
        (s_user, s_group, s_known, s_starts) = (user, group, true, Number("SUDO_UID") == user);
        s_home = AccountFile.Entries(AccountFile.Users).FirstOrDefault(f => f.Length > 5 && f[2] == user.ToString(CultureInfo.InvariantCulture))?[5] ?? s_home;
    }

    /// <summary>After <see cref="Keep"/>, where nobody is behind root: what <see cref="ActFor"/> reads is read as the user nobody. A command
    /// that starts something as root calls <see cref="LeaveNobody"/> before, since nobody becomes its real user. Does nothing where we are not root.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void KeepNobody()
    {
        if (s_known || Libc.geteuid() != 0 || !Privileges.Permitted.Has(Capability.SetUid))
        {
            return;
        }
        s_groupsBefore = [.. OwnGroups()];
        var group = Nobody;
        Libc.Check(Libc.setgroups(1, &group), "take nobody's groups");
        Libc.Check(Libc.setresgid(Nobody, Unchanged, Unchanged), "keep nobody's group");
        Libc.Check(Libc.setresuid(Nobody, Unchanged, Unchanged), "keep nobody");
        s_nobody = true;
    }

    /// <summary>Takes <see cref="KeepNobody"/> back: root again in all its ids, with its own groups. It takes CAP_SETGID.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void LeaveNobody()
    {
        if (s_nobody)
        {
            Libc.Check(Libc.setresuid(0, 0, 0), "be root alone");
            Libc.Check(Libc.setresgid(0, 0, 0), "be root's group alone");
            fixed (uint* groups = s_groupsBefore)
            {
                Libc.Check(Libc.setgroups((nuint)s_groupsBefore.Length, groups), "give root's groups back");
            }
            s_nobody = false;
        }
    }

    /// <summary>As whom a program that looks at a file of somebody else's is to run, where we are root: the caller behind sudo, else the
    /// file's owner, else nobody; null where we are not root.</summary>
    public static (uint User, uint Group)? Reader(string path)
    {
        if (Libc.geteuid() != 0)
        {
            return null;
        }
        var person = Number("SUDO_UID") is { } sudo && Number("SUDO_GID") is { } group ? (sudo, group) : Owner(path);
        return person.Item1 == 0 ? (Nobody, Nobody) : person;
    }

    /// <summary>The user who called sudo; null where we are not root, or root itself called.</summary>
    public static uint? BehindSudo => Libc.geteuid() == 0 ? Number("SUDO_UID") : null;

    /// <summary>For whom root reads a file: the caller behind sudo, else its owner, who may be root; null where we are not root.</summary>
    public static (uint User, uint Group)? Author(string path) =>
        Libc.geteuid() != 0 ? null : Number("SUDO_UID") is { } sudo && Number("SUDO_GID") is { } group ? (sudo, group) : Owner(path);

    /// <summary>Becomes a user with that group alone, if that user may read the file; does nothing otherwise. Whoever we are afterwards we
    /// are in all ids.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void BecomeReader((uint User, uint Group) person, string path)
    {
        const int R_OK = 4;
        if (Libc.geteuid() == 0 && Privileges.Permitted.Has(Capability.SetUid))
        {
            var (user, group) = person;
            Libc.Check(Libc.setgroups(1, &group), $"take the groups of user {user}");
            Libc.Check(Libc.setresgid(group, Unchanged, Unchanged), $"take group {group}");
            Libc.Check(Libc.setresuid(user, Unchanged, Unchanged), $"take user {user}");
            // access(2) asks for the real ids.
            if (Libc.access(Path.GetFullPath(path), R_OK) == 0)
            {
                Libc.Check(Libc.setresgid(group, group, group), $"become group {group}");
                Libc.Check(Libc.setresuid(user, user, user), $"become user {user}");
                return;
            }
        }
        var (us, ours) = (Libc.geteuid(), Libc.getegid());
        Libc.Check(Libc.setresgid(ours, ours, ours), $"be group {ours} alone");
        Libc.Check(Libc.setresuid(us, us, us), $"be user {us} alone");
    }

    /// <summary>From now on the person is this user, with the groups that the user database gives, and programs are started as them:
    /// the next <see cref="Become"/> needs no capability. It takes CAP_SETUID and CAP_SETGID.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void StartAs(PosixUser user)
    {
        Libc.Check(Libc.initgroups(user.Name, user.Group), $"take the groups of user {user.Name}");
        Libc.Check(Libc.setresgid(user.Group, Unchanged, Unchanged), $"keep group {user.Group}");
        Libc.Check(Libc.setresuid(user.Id, Unchanged, Unchanged), $"keep user {user.Id}");
        (s_user, s_group, s_home, s_known, s_starts) = (user.Id, user.Group, user.Home, true, true);
    }

    /// <summary>As <see cref="Act()"/>, where programs are started as another than us; null, and no change, where not.</summary>
    public static IDisposable? ActAsStarter() => s_starts ? Act() : null;

    /// <summary>Root again in all its ids, with nobody behind it, where root is at work: for programs that need it whole.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Forget()
    {
        if (s_known)
        {
            Libc.Check(Libc.setresuid(0, 0, 0), "be root alone");
            Libc.Check(Libc.setresgid(0, 0, 0), "be root's group alone");
            Libc.Check(Libc.setgroups(0, null), "give the caller's groups back");
            (s_known, s_starts) = (false, false);
        }
    }

    /// <summary>From now on this process is wholly root's: the person, who is remembered as a number alone, may not stop or end it, as they may
    /// while they are its real user. Nothing can be done as them any more. It takes no capability.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Part()
    {
        if (s_known || s_nobody)
        {
            Libc.Check(Libc.setresgid(0, 0, 0), "be root's group alone");
            Libc.Check(Libc.setresuid(0, 0, 0), "be root alone");
            (s_known, s_nobody) = (false, false);
        }
    }

    /// <summary>Acts as the person until the result is disposed, also as to HOME in the environment; null, and no change, where nobody is behind us.</summary>
    public static IDisposable? Act()
    {
        return s_known ? Act(s_user, s_group, s_home) : null;
    }

    private static Acting Act(uint user, uint group, string home)
    {
        Libc.Check(Libc.setegid(group), $"act as group {group}");
        if (Libc.seteuid(user) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            _ = Libc.setegid(0);
            throw new LinuxException($"act as user {user}", errno);
        }
        return new Acting(home);
    }

    /// <summary>As <see cref="Act()"/>, or as nobody after <see cref="KeepNobody"/>, unless there is a file of that path which the person may not read (access(2) asks for the real user).</summary>
    public static IDisposable? ActFor(string path)
    {
        const int R_OK = 4;
        if (s_nobody)
        {
            return Libc.access(Path.GetFullPath(path), R_OK) == 0 ? Act(Nobody, Nobody, "/nonexistent") : null;
        }
        return s_known && Libc.access(Path.GetFullPath(path), R_OK) != 0 && Marshal.GetLastPInvokeError() == Errno.EACCES ? null : Act();
    }

    /// <summary>For a command that keeps all that it may do: until the result is disposed there is no capability, and the rights are those of the person
    /// for whom root reads a file (<see cref="Reader"/>). One that this person may not read is root's own, and is read as root. The real user stays root
    /// in either case: the person can't stop or end us meanwhile. Null, and no change, where we are not root or act as somebody already.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static IDisposable? ReadAs(string path)
    {
        const int AT_FDCWD = -100, R_OK = 4, AT_EACCESS = 0x200;
        if (s_known || s_nobody || Reader(path) is not var (user, group) || !Privileges.Permitted.Has(Capability.SetUid))
        {
            return null;
        }
        var before = OwnGroups();
        if ((Environment.GetEnvironmentVariable("SUDO_USER") is not { Length: > 0 } name || Number("SUDO_UID") != user || Libc.initgroups(name, group) != 0)
            && Libc.setgroups(1, &group) != 0)
        {
            // Root of a user namespace alone has no other's rights to take on, and none but its maker's to give up.
            return Marshal.GetLastPInvokeError() is Errno.EPERM or Errno.EINVAL ? Privileges.Suspend() : throw new LinuxException($"take the groups of user {user}", Marshal.GetLastPInvokeError());
        }
        // Without effective root there is no effective capability (capabilities(7)).
        var acting = new Borrowing(Act(user, group, s_home), before);
        if (Libc.faccessat(AT_FDCWD, Path.GetFullPath(path), R_OK, AT_EACCESS) == 0 || Marshal.GetLastPInvokeError() != Errno.EACCES)
        {
            return acting;
        }
        acting.Dispose();
        return Privileges.Suspend();
    }

    /// <summary>Acts as another with their groups alone, and has root's own again afterwards.</summary>
    private sealed class Borrowing(Acting acting, uint[] groups) : IDisposable
    {
        public void Dispose()
        {
            acting.Dispose();
            fixed (uint* before = groups)
            {
                Libc.Check(Libc.setgroups((nuint)groups.Length, before), "give root's groups back");
            }
        }
    }

    /// <summary>Whether the person, or this process where nobody is behind it, may write in a directory (access(2) asks for the real user).</summary>
    public static bool MayWrite(string folder)
    {
        const int W_OK = 2;
        return Libc.access(folder, W_OK) == 0;
    }

    /// <summary>The one for whom root works without starting programs as them: the owner of a declaration that root runs by itself; null for nobody.</summary>
    public static PosixUser? Behind => s_known && !s_starts
        ? PosixUser.Find(s_user.ToString(CultureInfo.InvariantCulture)) ?? new(s_user.ToString(CultureInfo.InvariantCulture), s_user, s_group, s_home) : null;

    /// <summary>The groups with which programs are started.</summary>
    public static IReadOnlySet<uint> Groups
    {
        get
        {
            return new HashSet<uint>(OwnGroups()) { s_starts ? s_group : Libc.getegid() };
        }
    }

    private static uint[] OwnGroups()
    {
        var groups = new uint[Math.Max(0, Libc.getgroups(0, null))];
        fixed (uint* first = groups)
        {
            _ = Libc.getgroups(groups.Length, first);
        }
        return groups;
    }

    /// <summary>The user as whom programs are started: the one of <see cref="StartAs"/>, the caller behind sudo, else the effective user.</summary>
    public static uint User => s_starts ? s_user : Libc.geteuid();

    /// <summary>Becomes <see cref="User"/> for good, where that is another; root can't be had back.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Become()
    {
        if (s_starts)
        {
            Libc.Check(Libc.setresgid(s_group, s_group, s_group), $"become group {s_group}");
            Libc.Check(Libc.setresuid(s_user, s_user, s_user), $"become user {s_user}");
            // For a program that takes our place; .NET keeps an environment of its own.
            _ = Libc.setenv("HOME", s_home, 1);
        }
    }

    private sealed class Acting : IDisposable
    {
        private readonly string? _home = Environment.GetEnvironmentVariable("HOME");

        internal Acting(string home) => Environment.SetEnvironmentVariable("HOME", home);

        public void Dispose()
        {
            Environment.SetEnvironmentVariable("HOME", _home);
            Libc.Check(Libc.seteuid(0), "act as root again");
            Libc.Check(Libc.setegid(0), "act as root's group again");
        }
    }

    private static (uint User, uint Group) Owner(string path)
    {
        const int AT_FDCWD = -100, STATX_UID = 8, STATX_GID = 0x10;
        var statx = stackalloc uint[64];
        return Libc.statx(AT_FDCWD, path, 0, STATX_UID | STATX_GID, statx) == 0 ? (statx[5], statx[6]) : default;
    }

    private static uint? Number(string variable) =>
        uint.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number != Unchanged ? number : null;
}
