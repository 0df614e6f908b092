using Microvm.Linux;

namespace Microvm.Network.Resources;

/// <summary>A macvtap, and its character device.</summary>
internal static class MacvtapResource
{
    private static readonly LinkProperty s_node = new(Difference.Node, Turn.Call)
    {
        Wrong = c => c.State.Nodes.GetValueOrDefault(c.Link.Index) is not { Present: true } node ? "its node is missing"
            : node.User != (c.Want.Owner ?? 0) || node.Group != (c.Want.Group ?? 0) || node.Mode != MacvtapDevice.Permissions(c.Want.Group)
                ? "the owner or mode of its node differs" : null,
        Set = (e, _) => MacvtapDevice.Grant(
            e.State.Nodes.GetValueOrDefault(e.Link.Index) ?? throw new LinuxException($"find the device of macvtap '{e.Link.Name}'", Errno.ENODEV),
            e.Want.Owner, e.Want.Group),
        SetBackByCall = e =>
        {
            if (e.State.Nodes.GetValueOrDefault(e.Link.Index) is { Present: true } node)
            {
                MacvtapDevice.Grant(node, node.User, node.Group == 0 ? null : node.Group);
            }
        },
    };

    internal static LinkResource Kind { get; } = new("macvtap", [.. MacvlanResource.Properties, s_node])
    {
        Unlike = link => link is { Kind: "macvtap", Macvlan: not null } ? null : "it is not a macvtap",
    };
}
