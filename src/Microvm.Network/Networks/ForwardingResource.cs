using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Networks;

/// <summary>That the kernel forwards packets which come in by the bridge and by the host's way out: by these two links alone, not on the whole host.
/// What was off on a link that is not ours is noted in the network's directory, and goes back with the last network that needs it.</summary>
internal static class ForwardingResource
{
    internal const string Noted = "forwarding";

    // IPv6's own setting of a link makes it a router, which then takes no route from others; the kernel forwards by a link alone since 6.17.
    private static string Setting(bool v6) => v6 ? "force_forwarding" : "forwarding";
    private static string Folder(bool v6) => v6 ? "ipv6/conf" : "ipv4/conf";

    /// <summary>Whether packets of a family can be forwarded: IPv6's by a link of its own where the kernel can, or because the whole host does.</summary>
    internal static bool CanForward(bool v6) =>
        !v6 || BridgeResource.Setting("all", "ipv6/conf", "forwarding") == "1" || BridgeResource.Setting("lo", "ipv6/conf", "force_forwarding") is not null;

    internal static IEnumerable<NetworkStep> Up(NetworkSite site)
    {
        foreach (var own in site.Gateways.Where(g => site.Wanted.HasWayOut(g.IsV6)))
        {
            if (site.Wanted.Uplink is { } named && site.Uplink(own.IsV6) is null && !own.IsV6)
            {
                yield return site.Step(StepKind.Keep, named.Value, "is not there; guests get out once it is, and 'up' ran again or the watch saw it");
            }
            if (!CanForward(own.IsV6))
            {
                yield return site.Step(StepKind.Keep, "IPv6", "stays on this host: its kernel forwards IPv6 on all links or on none, and none it is; sysctl -w net.ipv6.conf.all.forwarding=1 lets it out "
                    + "(then a link that takes its address from a router needs accept_ra=2)");
                continue;
            }
            if (own.IsV6 && BridgeResource.Setting("all", "ipv6/conf", "forwarding") == "1")
            {
                continue;
            }
            if (site.Bridge is null || BridgeResource.Setting(site.BridgeName, Folder(own.IsV6), Setting(own.IsV6)) != "1")
            {
                yield return site.Step(StepKind.Change, site.BridgeName, $"packets that come in by it are to be forwarded ({Word(own.IsV6)})", _ => Set(site.Index, site.BridgeName, own.IsV6, on: true));
            }
            if (site.Uplink(own.IsV6) is { } uplink && BridgeResource.Setting(uplink.Name, Folder(own.IsV6), Setting(own.IsV6)) == "0")
            {
                yield return site.Step(StepKind.Change, uplink.Name, $"answers come in by it, and are to be forwarded ({Word(own.IsV6)})", undo =>
                {
                    var line = $"{Word(own.IsV6)} {uplink.Name}\n";
                    var noted = site.Folder.Read(Noted) ?? "";
                    site.Folder.Write(Noted, noted.Contains(line, StringComparison.Ordinal) ? noted : noted + line, undo);
                    undo.Push(() => Set(uplink.Index, uplink.Name, own.IsV6, on: false));
                    Set(uplink.Index, uplink.Name, own.IsV6, on: true);
                });
            }
            else if (site.Uplink(own.IsV6) is { } shared && Others(site.Folder).Any(o => o.Noted.Contains($"{Word(own.IsV6)} {shared.Name}\n", StringComparison.Ordinal))
                && site.Folder.Read(Noted)?.Contains($"{Word(own.IsV6)} {shared.Name}\n", StringComparison.Ordinal) != true)
            {
                // Another network of ours turned it on: whichever goes last turns it off.
                yield return site.Step(StepKind.Change, shared.Name, $"its forwarding is needed by this network too ({Word(own.IsV6)})", undo => site.Folder.Write(Noted, $"{site.Folder.Read(Noted)}{Word(own.IsV6)} {shared.Name}\n", undo));
            }
        }
    }

    internal static IEnumerable<NetworkStep> Down(string network, IReadOnlyList<Link> links, IReadOnlySet<string> going)
    {
        var folder = new NetworkFolder(network);
        foreach (var line in (folder.Read(Noted) ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split(' ', 2) is not [var word, var name] || Others(folder).Any(o => !going.Contains(o.Network) && o.Noted.Contains(line + "\n", StringComparison.Ordinal)))
            {
                continue;
            }
            var v6 = word == Word(true);
            // Who has turned it on for the whole host meanwhile wants it on.
            if (links.FirstOrDefault(l => l.Name == name) is { } link && BridgeResource.Setting("all", Folder(v6), "forwarding") == "0" && BridgeResource.Setting(name, Folder(v6), Setting(v6)) == "1")
            {
                yield return new(StepKind.Change, network, name, $"its forwarding was off before ({word})", undo =>
                {
                    undo.Push(() => Set(link.Index, link.Name, v6, on: true));
                    Set(link.Index, link.Name, v6, on: false);
                });
            }
        }
    }

    private static IEnumerable<(string Network, string Noted)> Others(NetworkFolder own) =>
        NetworkFolder.All().Where(n => n != own.Network).Select(n => (n, new NetworkFolder(n).Read(Noted) ?? ""));

    private static string Word(bool v6) => v6 ? "IPv6" : "IPv4";

    private static void Set(int index, string link, bool v6, bool on) =>
        LinkSetting.Write(index, link, Folder(v6), Setting(v6), on ? "1" : "0", $"turn {Word(v6)} forwarding {(on ? "on" : "off")} on '{Printable.Of(link)}'");
}
