using Microvm.Linux;

namespace Microvm.Network;

/// <summary>What the kernel was seen to have: the input of a plan.</summary>
/// <param name="Nodes">The character devices of macvtaps, by ifindex.</param>
/// <param name="Redirects">Where a link's frames are redirected, by ifindex.</param>
public sealed record HostState(IReadOnlyList<Link> Links, IReadOnlyDictionary<int, MacvtapNode> Nodes, IReadOnlyDictionary<int, int> Redirects)
{
    /// <summary>Links alone.</summary>
    public static HostState Of(IReadOnlyList<Link> links) => new(links, new Dictionary<int, MacvtapNode>(), new Dictionary<int, int>());

    /// <summary>Looks: one dump of the links, and more only where something wanted asks for it.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static HostState Read(RouteSocket route, IReadOnlyList<DesiredLink> wanted, bool statistics = false)
    {
        var links = route.Links(statistics);
        if (wanted.All(w => w.Kind == LinkKind.Tap && w.RedirectTo is null))
        {
            return Of(links);
        }
        var names = wanted.ToLookup(w => w.Name);
        var nodes = MacvtapDevice.Find(links.Where(l => l.Kind == "macvtap" && names.Contains(l.Name)).Select(l => (l.Name, l.Index)));
        var redirects = new Dictionary<int, int>();
        foreach (var link in links.Where(l => names[l.Name].Any(w => w.RedirectTo is not null)))
        {
            if (route.RedirectTarget(link.Index) is { } target)
            {
                redirects[link.Index] = target;
            }
        }
        return new(links, nodes, redirects);
    }
}
