using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Resources;

namespace Microvm.Network.Planning;

/// <summary>What the declared settings of a link need of what it is on, of the kernel, and of the host's routes.</summary>
/// <param name="going">The ifindexes of links that the plan deletes.</param>
/// <param name="ip">How commands are written that a person is to type.</param>
internal sealed class SettingRules(IReadOnlyList<DesiredLink> wanted, HostState state, Dictionary<int, Link> byIndex, HashSet<int> going, IpTool ip)
{
    /// <summary>Why the settings can't be had, and what to type; null where they can.</summary>
    /// <param name="link">The link that is there; null for none.</param>
    /// <param name="bridge">Its bridge; null for none.</param>
    /// <param name="lower">The ifindex of its lower device; 0 for none.</param>
    internal (RefusalKind Kind, string Text)? Unmet(DesiredLink want, Link? link, Link? bridge, int lower) => Mtu(want, link, bridge, lower) ?? Guard(want) ?? Routes(want, link);

    /// <summary>Frames of the declared MTU pass what the link is on.</summary>
    private (RefusalKind, string)? Mtu(DesiredLink want, Link? link, Link? bridge, int lower)
    {
        if (want.Mtu is not { } mtu)
        {
            return null;
        }
        // A bridge has the smallest MTU of its ports, unless its own was set (br_mtu_auto_adjust() in net/bridge/br_if.c): it may be this one's.
        if (bridge is not null && bridge.Mtu < mtu && !(link?.Master == bridge.Index && link.Mtu <= bridge.Mtu))
        {
            return (RefusalKind.BridgeUnfit, $"'{want.Name}' should have an MTU of {mtu}, and its bridge '{bridge.Name}' has {bridge.Mtu}, so larger packets would be lost there; "
                + $"raise that ({ip.Command("link", "set", "dev", bridge.Name, "mtu", $"{mtu}")}), or declare mtu = {bridge.Mtu}");
        }
        return byIndex.GetValueOrDefault(lower) is { } device && device.Mtu < mtu
            ? (RefusalKind.LowerUnfit, $"'{want.Name}' should have an MTU of {mtu}, and its lower device '{device.Name}' has {device.Mtu}; "
                + $"raise that ({ip.Command("link", "set", "dev", device.Name, "mtu", $"{mtu}")}), or declare mtu = {device.Mtu}")
            : null;
    }

    /// <summary>The kernel and nftables can hold the guest to what it may send under.</summary>
    private (RefusalKind, string)? Guard(DesiredLink want)
    {
        if (want.AntiSpoof == AntiSpoof.Ip && AddressGuard.Unfit(want) is { } unfit)
        {
            return (RefusalKind.BridgeUnfit, $"'{want.Name}' should let its guest send under its own addresses alone, and {unfit}");
        }
        if (want.AntiSpoof == AntiSpoof.Ip && state.Guards is not null && Networks.NetworkProgram.Missing(Networks.NetworkProgram.Nft) is { } missing)
        {
            return (RefusalKind.ProgramMissing, $"'{want.Name}' should let its guest send under its own addresses alone, which takes firewall rules, and {missing}");
        }
        var kernel = Environment.OSVersion.Version;
        return want.AntiSpoof is null or AntiSpoof.Off || KernelRules.LocksPorts(state.Links, kernel) ? null
            : (RefusalKind.BridgeUnfit, $"'{want.Name}' should let its guest send under its own MAC alone, and this kernel ({kernel.ToString(2)}) can't lock a bridge's port; "
                + "Linux 5.18 and later can. Leave antiSpoof out");
    }

    /// <summary>Nothing else is in the way of declared routes.</summary>
    private (RefusalKind, string)? Routes(DesiredLink want, Link? link)
    {
        // What another of the declared links has of ours and is not declared there any more goes first.
        if (state.HostSides?.InTheWay(want, link?.Index ?? 0) is not { } other || going.Contains(other.Link)
            || (other.Protocol == Route.Ours && wanted.Any(w => w.Alias == byIndex.GetValueOrDefault(other.Link)?.Alias)))
        {
            return null;
        }
        var by = byIndex.GetValueOrDefault(other.Link) is { } holder ? Printable.Of(holder.Name) : null;
        return (RefusalKind.AddressTaken, $"'{want.Name}' should have a route to {other.Destination}, and the host sends that {(by is null ? "another way" : $"to '{by}'")}; "
            + $"delete that route ({ip.Command(["route", "del", $"{other.Destination}", .. by is null ? Array.Empty<string>() : ["dev", by]])}), or declare another metric: \"{other.Destination} metric {other.Metric + 1}\"");
    }
}
