using System.Globalization;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>Who may open the taps: the user and group given, else the caller (also behind sudo), and for root the user microvm where there is one.</summary>
/// <remarks>A tap without an owner may be opened by anybody who may open /dev/net/tun, so there always is one, unless a group alone is
/// asked for: the kernel wants owner and group both to match (tun_not_capable in drivers/net/tun.c).</remarks>
internal static class Account
{
    internal static (uint? User, uint? Group) Of(string? user, string? group)
    {
        uint? uid = user is not null ? Number(user) ?? PosixUser.Find(user)?.Id ?? throw new UsageException($"there is no user '{Printable.Of(user)}' on this host")
            : group is not null ? null
            : Number(Environment.GetEnvironmentVariable("SUDO_UID")) is { } sudo ? sudo
            // So that what `sudo microvm up` made is right for the same person's `microvm status`.
            : PosixProcess.EffectiveUser is not 0 and var self ? self
            // A system user of `host install` and NixOS: always a local one, and asking nsswitch's modules would be a third of this command's time.
            : AccountFile.Number(AccountFile.Users, "microvm") ?? 0;
        uint? gid = group is not null ? Number(group) ?? AccountFile.Number(AccountFile.Groups, group) ?? throw new UsageException($"there is no group '{Printable.Of(group)}' on this host") : null;
        return (uid, gid);
    }

    // The kernel's "no user" is nobody's number.
    private static uint? Number(string? text) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number != uint.MaxValue ? number : null;
}
