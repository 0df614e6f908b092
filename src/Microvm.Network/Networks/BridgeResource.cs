using System.Text;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Networks;

/// <summary>The bridge of a network. It is ours by its alias.</summary>
internal static class BridgeResource
{
    /// <summary>What the host leaves to guests on no network of ours: to give it routes and redirects.</summary>
    private static readonly (string Folder, string Setting, string Value)[] s_settings =
        [("ipv6/conf", "accept_ra", "0"), ("ipv6/conf", "accept_redirects", "0"), ("ipv4/conf", "accept_redirects", "0"), ("ipv4/conf", "secure_redirects", "0")];

    // On an internal network the host has no address, not even a link-local one.
    private static IEnumerable<(string Folder, string Setting, string Value)> Settings(NetworkSite site) => s_settings.Append(("ipv6/conf", "disable_ipv6", site.HasHost ? "0" : "1"));

    internal static IEnumerable<Refusal> Faults(NetworkSite site)
    {
        if (site.Links.FirstOrDefault(l => l.IsNamed(site.BridgeName)) is { } taken && taken.Index != site.Bridge?.Index)
        {
            yield return new(RefusalKind.Foreign, "", site.BridgeName, NetworkSite.Mark(site.Name),
                $"the network '{site.Name}' needs a bridge named '{site.BridgeName}', and a link of that name is there that microvm did not create; rename or delete it: ip link delete {site.BridgeName}");
        }
    }

    internal static IEnumerable<NetworkStep> Up(NetworkSite site)
    {
        if (site.Bridge is not { } bridge)
        {
            yield return site.Step(StepKind.Create, site.BridgeName, "it is not there", undo =>
            {
                // What an earlier bridge of the network left behind is none of this one's, but for what it owes to links of others.
                ServiceResource.End(site.Folder);
                var owed = site.Folder.Read(ForwardingResource.Noted);
                site.Folder.Remove();
                undo.Push(site.Folder.Remove);
                if (owed is not null)
                {
                    site.Folder.Write(ForwardingResource.Noted, owed, undo);
                }
                undo.Push(() => Delete(site.Route, site.Index, site.Name));
                site.Route.Commit(new RouteBatch().AddBridge(site.Index, site.BridgeName, Mac(site.Name), 0).Mark(site.Index, site.BridgeName, NetworkSite.Mark(site.Name), 0));
                if (site.Wanted.Mtu is { } size)
                {
                    site.Route.Commit(new RouteBatch().SetMtu(site.Index, site.BridgeName, (uint)size));
                }
                Guard(site);
                site.Route.Commit(new RouteBatch().SetUp(site.Index, site.BridgeName, up: true));
            });
            yield break;
        }
        List<string> wrong = [];
        if (bridge.Name != site.BridgeName)
        {
            wrong.Add($"it is named '{Printable.Of(bridge.Name)}'");
        }
        if (!bridge.Up)
        {
            wrong.Add("it is down");
        }
        if (site.Wanted.Mtu is { } mtu && bridge.Mtu != mtu)
        {
            wrong.Add($"its MTU is {bridge.Mtu}, not {mtu}");
        }
        if (Settings(site).Any(s => Setting(bridge.Name, s.Folder, s.Setting) is { } now && now != s.Value))
        {
            wrong.Add("it takes routes from guests");
        }
        yield return wrong.Count == 0 ? site.Step(StepKind.Keep, site.BridgeName, "it is right") : site.Step(StepKind.Change, site.BridgeName, string.Join(" and ", wrong), undo =>
        {
            undo.Push(() => site.Route.CommitToWhatIsThere(new RouteBatch().SetUp(bridge.Index, bridge.Name, bridge.Up)));
            if (bridge.Name != site.BridgeName)
            {
                undo.Push(() => site.Route.CommitToWhatIsThere(new RouteBatch().Rename(bridge.Index, site.BridgeName, bridge.Name)));
                site.Route.Commit(new RouteBatch().SetUp(bridge.Index, bridge.Name, up: false).Rename(bridge.Index, bridge.Name, site.BridgeName));
            }
            if (site.Wanted.Mtu is { } size && bridge.Mtu != size)
            {
                undo.Push(() => site.Route.CommitToWhatIsThere(new RouteBatch().SetMtu(bridge.Index, site.BridgeName, bridge.Mtu)));
                site.Route.Commit(new RouteBatch().SetMtu(bridge.Index, site.BridgeName, (uint)size));
            }
            Guard(site);
            site.Route.Commit(new RouteBatch().SetUp(bridge.Index, site.BridgeName, up: true));
        });
    }

    /// <summary>Deletes it, if it still is ours.</summary>
    internal static void Delete(RouteSocket route, int index, string network)
    {
        if (route.Links(statistics: false).FirstOrDefault(l => l.Index == index) is { } there && (there.Alias == NetworkSite.Mark(network) || (there.Alias is null && there.Name == DeclaredNetwork.BridgeOf(network).Value)))
        {
            route.CommitToWhatIsThere(new RouteBatch().Delete(index, there.Name));
        }
    }

    /// <summary>What the link will be once it is made, for a plan of the links that go on it.</summary>
    internal static Link Coming(NetworkSite site) =>
        new(site.Index, site.BridgeName, true, "bridge", NetworkSite.Mark(site.Name), 0, null, (uint)(site.Wanted.Mtu ?? 1500), Convert.ToHexStringLower(Mac(site.Name)), null);

    /// <summary>The same each time, so that guests find their gateway where they remember it.</summary>
    private static byte[] Mac(string network) => [0x52, 0x6d, .. Sha256.HashData(Encoding.UTF8.GetBytes(NetworkSite.Mark(network))).AsSpan(0, 4)];

    private static void Guard(NetworkSite site)
    {
        foreach (var (folder, setting, value) in Settings(site))
        {
            if (Setting(site.BridgeName, folder, setting) is not null)
            {
                LinkSetting.Write(site.Index, site.BridgeName, folder, setting, value, $"set net/{folder}/{setting} of '{site.BridgeName}'");
            }
        }
    }

    /// <summary>A setting's value; null where this kernel has none of that name.</summary>
    internal static string? Setting(string link, string folder, string setting)
    {
        try
        {
            return File.ReadAllText($"/proc/sys/net/{folder}/{link}/{setting}").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
