using System.Globalization;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>Who may open the taps: the user and group given, else the caller behind sudo, else the user microvm, else root.</summary>
/// <remarks>A tap without an owner may be opened by anybody who may open /dev/net/tun, so there always is one, unless a group alone is
/// asked for: the kernel wants owner and group both to match (tun_not_capable in drivers/net/tun.c).</remarks>
internal static class Account
{
    internal static (uint? User, uint? Group) Of(string? user, string? group)
    {
        uint? uid = user is not null ? PosixUser.Find(user)?.Id ?? Number(user) ?? throw new UsageException($"there is no user '{Printable.Of(user)}' on this host")
            : group is not null ? null
            : uint.TryParse(Environment.GetEnvironmentVariable("SUDO_UID"), out var sudo) ? sudo
            : PosixUser.Find("microvm")?.Id ?? 0;
        uint? gid = group is not null ? Group(group) ?? throw new UsageException($"there is no group '{Printable.Of(group)}' on this host") : null;
        return (uid, gid);
    }

    private static uint? Number(string text) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static uint? Group(string name) =>
        Number(name) ?? File.ReadLines("/etc/group").Select(l => l.Split(':')).Where(f => f.Length > 2 && f[0] == name)
            .Select(f => (uint?)uint.Parse(f[2], CultureInfo.InvariantCulture)).FirstOrDefault();
}
