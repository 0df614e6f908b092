using Microvm.Declaration;

namespace Microvm.Observation;

/// <summary>What a running guest has other than declared, although the interface on the host is right.</summary>
/// <param name="Text">The end of a sentence that tells what is declared: "the running VM does not have it".</param>
/// <param name="Short">The same for a picture.</param>
/// <param name="Why">How it comes, and what follows from it.</param>
public sealed record GuestFault(string Text, string Short, string Why)
{
    /// <summary>The fault of one interface; null where there is none, or where nobody can tell. Pure.</summary>
    /// <param name="runs">Whether a program has an interface of its VM open.</param>
    /// <param name="isSeen">Whether that program may be looked into.</param>
    internal static GuestFault? Of(InterfaceStatus i, bool runs, bool isSeen)
    {
        if (i.State != InterfaceState.Up)
        {
            return null;
        }
        if (!IsHeld(i))
        {
            // Who has a macvtap open is told to those alone who may look into the process.
            return (i.Link?.Tun is null ? isSeen : runs)
                ? new("the running VM does not have it", "not in the running VM", "it was started before that was declared, or without it; it has it from its next start on") : null;
        }
        return i.Mac is { } mac && Macs(i) is { Count: > 0 } given && !given.Contains(mac)
            ? new($"the running VM has the MAC {string.Join(" and ", given)}, not {mac}", "another MAC in the running VM", "it was started from another declaration; what knows the guest by its MAC (DHCP, a firewall) does not find it") : null;
    }

    /// <summary>Whether a program has it open.</summary>
    public static bool IsHeld(InterfaceStatus i) => i.Holders.Count > 0 || i.Link?.InUse == true;

    /// <summary>The MACs that the hypervisor which holds the interface was started with, as its command line has them; none where it has none there.</summary>
    private static SortedSet<string> Macs(InterfaceStatus i)
    {
        const string Key = "mac=";
        var macs = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var word in i.Holders.SelectMany(h => h.Words))
        {
            for (var at = word.IndexOf(Key, StringComparison.Ordinal); at >= 0; at = word.IndexOf(Key, at + 1, StringComparison.Ordinal))
            {
                if (MacAddress.TryParse(string.Concat(word.Skip(at + Key.Length).Take(17)), out var mac, out _))
                {
                    macs.Add(mac.ToString());
                }
            }
        }
        return macs;
    }
}
