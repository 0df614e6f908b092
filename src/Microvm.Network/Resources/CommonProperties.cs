using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Resources;

/// <summary>What links of every kind have.</summary>
internal static class CommonProperties
{
    private static readonly LinkProperty s_name = new(Difference.Name, Turn.Name)
    {
        Wrong = c => c.Link.Name != c.Want.Name ? $"it was renamed to '{c.Link.Name}'" : null,
        Set = (e, batch) => batch.Rename(e.Link.Index, e.Link.Name, e.Want.Name),
        SetBack = (e, batch) => batch.Rename(e.Link.Index, e.Step.Name, e.Name),
    };

    private static readonly LinkProperty s_mark = new(Difference.Mark, Turn.Mark)
    {
        Wrong = c => c.Link.Alias != c.Want.Alias ? $"its alias is {(c.Link.Alias is { } alias ? $"'{Printable.Of(alias)}'" : "not set")}, should be '{Printable.Of(c.Want.Alias)}'"
            : c.Link.Group != c.Group ? $"its link group is {c.Link.Group}, should be {c.Group}" : null,
        GivenOnAdoption = true,
        Set = (e, batch) => batch.Mark(e.Link.Index, e.Link.Name, e.Want.Alias, e.Step.LinkGroup),
        SetBack = (e, batch) => batch.Mark(e.Link.Index, e.Link.Name, e.Link.Alias ?? "", e.Link.Group),
    };

    private static readonly LinkProperty s_up = new(Difference.Down, Turn.Up)
    {
        Wrong = c => c.Link.Up ? null : "it is down",
        GivenOnAdoption = true,
        Set = (e, batch) => batch.SetUp(e.Link.Index, e.Link.Name, true),
        SetBack = (e, batch) => batch.SetUp(e.Link.Index, e.Link.Name, false),
    };

    private static readonly LinkProperty s_mtu = new(Difference.Mtu, Turn.Own)
    {
        // A link is made with it: a bridge takes on the smallest MTU of its ports as soon as they are attached.
        Wrong = c => c.Want.Mtu is { } mtu && c.Link.Mtu != mtu ? $"its MTU is {c.Link.Mtu}, should be {mtu}" : null,
        GivenOnAdoption = true,
        Set = (e, batch) => batch.SetMtu(e.Link.Index, e.Link.Name, e.Want.Mtu!.Value),
        SetBack = (e, batch) => batch.SetMtu(e.Link.Index, e.Link.Name, e.Link.Mtu),
    };

    private static readonly LinkProperty s_ipv6 = new(Difference.Ipv6, Turn.Call)
    {
        // Off when we make it. On a link that is up, somebody turned it on since; one that is down may be half made.
        Wrong = c => c.Want.Ipv6Off && c.Link is { Ipv6Disabled: false, Up: false } ? "IPv6 is on" : null,
        GivenOnAdoption = true,
        Set = (e, _) => LinkSetting.DisableIpv6(e.Link.Index, e.Name, true),
        SetBackByCall = e => LinkSetting.DisableIpv6(e.Link.Index, e.Name, false),
    };

    /// <summary>The applier joins a pair once both links are there, since a redirect names the other link by its index.</summary>
    private static readonly LinkProperty s_redirect = new(Difference.Redirect, Turn.Up)
    {
        Wrong = c => c.Want.RedirectTo is { } to && c.State.Redirects.GetValueOrDefault(c.Link.Index) != c.Redirect
            ? $"it is not redirected to '{to}'" : null,
    };

    /// <summary>In the order in which reasons are said, after those of the kind itself.</summary>
    internal static LinkProperty[] All { get; } = [s_name, s_mark, s_mtu, s_up, s_ipv6, s_redirect];
}
