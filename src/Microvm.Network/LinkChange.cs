using Microvm.Linux;

namespace Microvm.Network;

/// <summary>Changes a link in place, and back.</summary>
internal sealed class LinkChange(HostState state)
{
    /// <summary>Adds what makes the link as wanted; what is no rtnetlink request is done at once.</summary>
    internal void Forth(Step step, RouteBatch batch)
    {
        var (want, link) = (step.Desired!, step.Observed!);
        if (step.Differs.HasFlag(Difference.Owner))
        {
            SetOwner(link, want.Owner, want.Group);
        }
        if (step.Differs.HasFlag(Difference.Node))
        {
            var node = state.Nodes.GetValueOrDefault(link.Index) ?? throw new LinuxException($"find the device of macvtap '{link.Name}'", Errno.ENODEV);
            MacvtapDevice.Grant(node, want.Owner, want.Group);
        }
        if (step.Differs.HasFlag(Difference.Ipv6))
        {
            Ipv6Setting.Disable(link.Name, true);
        }
        if (step.Differs.HasFlag(Difference.Mark))
        {
            batch.Mark(link.Index, link.Name, want.Alias, step.LinkGroup);
        }
        if (step.Differs.HasFlag(Difference.Name))
        {
            batch.Rename(link.Index, link.Name, want.Name);
        }
        if (step.Differs.HasFlag(Difference.Master))
        {
            batch.SetMaster(link.Index, link.Name, step.Master);
        }
        if (step.Differs.HasFlag(Difference.Mode))
        {
            batch.SetMacvlan(link.Index, link.Name, link.Kind == "macvtap", want.Mode, [.. want.Sources.Select(s => s.ToBytes())]);
        }
        if (step.Differs.HasFlag(Difference.Mac))
        {
            batch.SetAddress(link.Index, link.Name, want.Mac!.Value.ToBytes());
        }
        if (step.Differs.HasFlag(Difference.AllMulticast))
        {
            batch.SetAllMulticast(link.Index, link.Name, true);
        }
        if (step.Differs.HasFlag(Difference.Down))
        {
            batch.SetUp(link.Index, link.Name, true);
        }
    }

    /// <summary>Adds what makes the link as it was, in reverse order.</summary>
    internal void Back(Step step, RouteBatch batch)
    {
        var link = step.Observed!;
        if (step.Differs.HasFlag(Difference.Down))
        {
            batch.SetUp(link.Index, link.Name, false);
        }
        if (step.Differs.HasFlag(Difference.AllMulticast))
        {
            batch.SetAllMulticast(link.Index, link.Name, false);
        }
        if (step.Differs.HasFlag(Difference.Mac))
        {
            batch.SetAddress(link.Index, link.Name, Convert.FromHexString(link.Address!));
        }
        if (step.Differs.HasFlag(Difference.Mode))
        {
            batch.SetMacvlan(link.Index, link.Name, link.Kind == "macvtap", link.Macvlan!.Mode, [.. link.Macvlan.Sources.Select(Convert.FromHexString)]);
        }
        if (step.Differs.HasFlag(Difference.Master))
        {
            batch.SetMaster(link.Index, link.Name, link.Master ?? 0);
        }
        if (step.Differs.HasFlag(Difference.Name))
        {
            batch.Rename(link.Index, step.Name, link.Name);
        }
        if (step.Differs.HasFlag(Difference.Mark))
        {
            batch.Mark(link.Index, link.Name, link.Alias ?? "", link.Group);
        }
        if (step.Differs.HasFlag(Difference.Ipv6))
        {
            Ipv6Setting.Disable(link.Name, false);
        }
        if (step.Differs.HasFlag(Difference.Node) && state.Nodes.GetValueOrDefault(link.Index) is { Present: true } node)
        {
            MacvtapDevice.Grant(node, node.User, node.Group == 0 ? null : node.Group);
        }
        if (step.Differs.HasFlag(Difference.Owner))
        {
            SetOwner(link, link.Tun!.Owner, link.Tun.Group);
        }
    }

    private static void SetOwner(Link link, uint? owner, uint? group)
    {
        using var tap = TunDevice.OpenQueue(link.Name, link.Tun!.MultiQueue);
        tap.SetOwner(owner, group);
        if (!link.Tun.Persistent)
        {
            tap.Persist();
        }
    }
}
