using Microvm.Linux;

namespace Microvm.Network;

/// <summary>One wanted link against the one that is there. Pure.</summary>
internal sealed class Comparison(DesiredLink want, Link link, HostState state)
{
    private List<string>? _reasons;

    internal Difference Differs { get; private set; }
    internal string Reason => string.Join(", ", _reasons ?? []);

    internal Comparison Compare(uint group, int master, int lower, int redirect)
    {
        if (want.Kind == LinkKind.Tap)
        {
            Tap(master);
        }
        else
        {
            Macvlan(lower);
        }
        if (link.Name != want.Name)
        {
            Note(Difference.Name, $"it was renamed to '{link.Name}'");
        }
        Note(link.Alias != want.Alias || link.Group != group, Difference.Mark, link.Alias != want.Alias ? "its alias differs" : "its link group differs");
        Note(!link.Up, Difference.Down, "it is down");
        // Off when we make it. On a link that is up, somebody turned it on since; one that is down may be half made.
        Note(want.Ipv6Off && link is { Ipv6Disabled: false, Up: false }, Difference.Ipv6, "IPv6 is on");
        if (want.RedirectTo is not null && state.Redirects.GetValueOrDefault(link.Index) != redirect)
        {
            Note(Difference.Redirect, $"it is not redirected to '{want.RedirectTo}'");
        }
        return this;
    }

    private void Tap(int master)
    {
        if (link.Tun is not { IsTap: true, VnetHeader: true } tun)
        {
            Note(Difference.Fixed, "it is not a tap with vnet_hdr");
            return;
        }
        Note(tun.MultiQueue != want.MultiQueue, Difference.Fixed, want.MultiQueue ? "it lacks multi_queue" : "it is multi_queue and the VM has one queue pair");
        // The kernel sets an owner, and has no call that takes one away again.
        var removed = (want.Owner is null && tun.Owner is not null) || (want.Group is null && tun.Group is not null);
        Note(tun.Owner != want.Owner || tun.Group != want.Group, removed ? Difference.Fixed : Difference.Owner, "its owner differs");
        // Where the declaration names no bridge, networkd, Open vSwitch, a script or a person may attach it to whatever they like.
        if (want.Bridge is not null || want.Detached)
        {
            Note((link.Master ?? 0) != master, Difference.Master, want.Detached ? "it is attached, and is declared with bridge = null" : $"it is not attached to {want.Bridge}");
        }
    }

    private void Macvlan(int lower)
    {
        var kind = want.Kind == LinkKind.Macvtap ? "macvtap" : "macvlan";
        if (link.Kind != kind || link.Macvlan is not { } macvlan)
        {
            Note(Difference.Fixed, $"it is not a {kind}");
            return;
        }
        if (link.Lower != lower)
        {
            Note(Difference.Fixed, $"its lower device is not {want.Lower}");
        }
        var mode = macvlan.Mode != want.Mode;
        if (mode)
        {
            Note(macvlan.Mode == MacvlanMode.Passthru || want.Mode == MacvlanMode.Passthru ? Difference.Fixed : Difference.Mode, $"its mode is {macvlan.Mode.ToString().ToLowerInvariant()}");
        }
        Note(!mode && want.Mode == MacvlanMode.Source && !macvlan.Sources.ToHashSet().SetEquals(want.Sources.Select(Hex)), Difference.Mode, "its source MACs differ");
        Note(link.Address != Hex(want.Mac!.Value), Difference.Mac, "its MAC differs");
        Note(!link.AllMulticast, Difference.AllMulticast, "it does not take all multicast");
        if (want.Kind == LinkKind.Macvtap)
        {
            var node = state.Nodes.GetValueOrDefault(link.Index);
            Note(node is not { Present: true } || node.User != (want.Owner ?? 0) || node.Group != (want.Group ?? 0) || node.Mode != MacvtapDevice.Permissions(want.Group),
                Difference.Node, node is { Present: true } ? "the owner or mode of its node differs" : "its node is missing");
        }
    }

    internal static string Hex(Declaration.MacAddress mac) => Convert.ToHexStringLower(mac.ToBytes());

    private void Note(bool differs, Difference what, string reason)
    {
        if (differs)
        {
            Note(what, reason);
        }
    }

    private void Note(Difference what, string reason)
    {
        Differs |= what;
        (_reasons ??= []).Add(reason);
    }
}
