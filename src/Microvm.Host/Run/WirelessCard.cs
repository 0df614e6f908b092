using System.Globalization;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>Lower devices that are wireless. The kernel makes a macvtap on one, and the access point then drops what its guest sends.</summary>
public static class WirelessCard
{
    internal const string Mend = "access points drop frames from a MAC that did not join; use type user, or a tap with NAT";

    /// <summary>What is to be said of macvtaps on wireless cards, a line each.</summary>
    /// <param name="links">Asked only where there is a macvtap.</param>
    public static IEnumerable<string> Notes(IReadOnlyList<Attachment> attachments, Func<IReadOnlyList<Link>> links)
    {
        var macvtaps = attachments.Where(a => a.Interface.MacvtapLink is not null).ToList();
        IReadOnlyList<Link> there = macvtaps.Count == 0 ? [] : links();
        foreach (var attachment in macvtaps)
        {
            var name = attachment.Interface.MacvtapLink!.Value.Value;
            if (there.FirstOrDefault(l => l.IsNamed(name)) is { } lower && Is(lower, path => path))
            {
                yield return $"'{attachment.Interface.Id}' of '{attachment.Vm}' is on '{name}', which is a wireless card: {Mend}";
            }
        }
    }

    /// <summary>Whether sysfs says so of a link. That of another network namespace may have a device of the same name, with another index.</summary>
    /// <param name="at">Where a path of the host's is.</param>
    internal static bool Is(Link link, Func<string, string> at)
    {
        var folder = at($"/sys/class/net/{link.Name}");
        return Directory.Exists($"{folder}/phy80211")
            && (!File.Exists($"{folder}/ifindex") || File.ReadAllText($"{folder}/ifindex").Trim() == link.Index.ToString(CultureInfo.InvariantCulture));
    }
}
