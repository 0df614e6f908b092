using Microvm.Linux;
using Microvm.Network.Resources;

namespace Microvm.Network;

/// <summary>Links by their names. A link's index is its key: one dump may show two links with one name, where one was renamed
/// between two of the kernel's messages; then the one that came last is meant, which was looked at last.</summary>
internal static class LinksByName
{
    internal static Dictionary<string, Link> Of(IEnumerable<Link> links)
    {
        var found = new Dictionary<string, Link>();
        foreach (var link in links)
        {
            found[link.Name] = link;
        }
        return found;
    }

    /// <summary>Whether a link is of a kind that we make.</summary>
    internal static bool IsOf(this Link link, LinkKind kind) => link.Kind == LinkResource.Of(kind).KernelKind;
}
