using Microvm.Linux;

namespace Microvm.Network;

/// <summary>Changes links in place, and back.</summary>
internal sealed class LinkChange(HostState state)
{
    /// <summary>Names that links have for a moment, by ifindex.</summary>
    private readonly Dictionary<int, string> _between = [];

    /// <summary>Links that are to be renamed and have a name that another is to get: two may have each other's.</summary>
    internal static List<Link> InTheWay(IReadOnlyList<Step> steps)
    {
        var renamed = steps.Where(s => s.Kind == StepKind.Change && s.Differs.HasFlag(Difference.Name)).Select(s => s.Observed!).ToList();
        if (renamed.Count == 0)
        {
            return [];
        }
        var names = steps.Where(s => s.Kind is StepKind.Create or StepKind.Replace || s.Differs.HasFlag(Difference.Name)).Select(s => s.Name).ToHashSet();
        return renamed.FindAll(l => names.Contains(l.Name));
    }

    /// <summary>Adds what gives links names that nobody has.</summary>
    internal void StepAside(IEnumerable<Link> links, RouteBatch batch)
    {
        foreach (var link in links)
        {
            // The index is no other link's, and the name fits into 15 bytes.
            _between[link.Index] = $"mvr{link.Index}";
            batch.Rename(link.Index, link.Name, _between[link.Index]);
        }
    }

    /// <summary>Adds what gives these links their names back.</summary>
    internal static void StepBack(IEnumerable<Link> links, RouteBatch batch)
    {
        foreach (var link in links)
        {
            batch.Rename(link.Index, link.Name, link.Name);
        }
    }

    /// <summary>Adds what makes the link as wanted; what is no rtnetlink request is done at once.</summary>
    internal void Forth(Step step, RouteBatch batch)
    {
        var (want, link) = (step.Desired!, step.Observed!);
        var name = _between.GetValueOrDefault(link.Index, link.Name);
        if (step.Differs.HasFlag(Difference.Owner))
        {
            SetOwner(link, name, want.Owner, want.Group);
        }
        if (step.Differs.HasFlag(Difference.Node))
        {
            var node = state.Nodes.GetValueOrDefault(link.Index) ?? throw new LinuxException($"find the device of macvtap '{link.Name}'", Errno.ENODEV);
            MacvtapDevice.Grant(node, want.Owner, want.Group);
        }
        if (step.Differs.HasFlag(Difference.Ipv6))
        {
            LinkSetting.DisableIpv6(link.Index, name, true);
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
            batch.SetMaster(link.Index, link.Name, step.Master, step.Mtu);
            if (step.Port is { } port)
            {
                batch.SetPort(link.Index, link.Name, port);
            }
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
            batch.SetMaster(link.Index, link.Name, NewLink.MasterOf(link));
            if (link.Port is { } port)
            {
                batch.SetPort(link.Index, link.Name, port);
            }
            if (step.Mtu is not null)
            {
                // Only now: the bridge that it left would have taken it on.
                batch.SetMtu(link.Index, link.Name, link.Mtu);
            }
        }
        if (step.Differs.HasFlag(Difference.Name))
        {
            batch.Rename(link.Index, step.Name, Name(link));
        }
        if (step.Differs.HasFlag(Difference.Mark))
        {
            batch.Mark(link.Index, link.Name, link.Alias ?? "", link.Group);
        }
    }

    /// <summary>What goes by a link's name or a descriptor, each an effect of its own, for after <see cref="Back"/>, which gives the link its name again.</summary>
    internal IEnumerable<Action> BackBySystemCalls(Step step)
    {
        var link = step.Observed!;
        if (step.Differs.HasFlag(Difference.Ipv6))
        {
            yield return () => LinkSetting.DisableIpv6(link.Index, Name(link), false);
        }
        if (step.Differs.HasFlag(Difference.Node) && state.Nodes.GetValueOrDefault(link.Index) is { Present: true } node)
        {
            yield return () => MacvtapDevice.Grant(node, node.User, node.Group == 0 ? null : node.Group);
        }
        if (step.Differs.HasFlag(Difference.Owner))
        {
            yield return () =>
            {
                SetOwner(link, Name(link), link.Tun!.Owner, link.Tun.Group);
                if ((link.Tun.Owner is null && step.Desired!.Owner is not null) || (link.Tun.Group is null && step.Desired!.Group is not null))
                {
                    throw new LinuxException($"remove the owner of tap '{link.Name}' again: the kernel has no call for that", 0);
                }
            };
        }
    }

    /// <summary>The name that a link had before, or that it has until all others have theirs.</summary>
    private string Name(Link link) => _between.GetValueOrDefault(link.Index, link.Name);

    private static void SetOwner(Link link, string name, uint? owner, uint? group)
    {
        using var tap = TunDevice.OpenQueue(name, link.Tun!.MultiQueue, link.Index);
        tap.SetOwner(owner, group);
        if (!link.Tun.Persistent)
        {
            tap.Persist();
        }
    }
}
