using Microvm.Linux;

namespace Microvm.Network.Resources;

/// <summary>A macvtap, and its character device.</summary>
internal static class MacvtapResource
{
    private static readonly LinkProperty s_node = new(Difference.Node, Turn.Call)
    {
        Wrong = c => c.State.Nodes.GetValueOrDefault(c.Link.Index) is not { Present: true } node ? "its node is missing"
            : node.User != (c.Want.Owner ?? 0) || node.Group != (c.Want.Group ?? 0) || node.Mode != MacvtapDevice.Permissions(c.Want.Group)
                ? $"its node is {Words(node.User, node.Group, node.Mode)}, should be {Words(c.Want.Owner ?? 0, c.Want.Group ?? 0, MacvtapDevice.Permissions(c.Want.Group))}" : null,
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

    private static string Words(uint user, uint group, uint mode) =>
        $"owned by {AccountFile.Words(AccountFile.Users, user)} and group {AccountFile.Words(AccountFile.Groups, group)} with mode {Convert.ToString(mode & 0xfff, 8).PadLeft(4, '0')}";

    internal static LinkResource Kind { get; } = new("macvtap", [.. MacvlanResource.Properties, s_node])
    {
        Unlike = link => link is { Kind: "macvtap", Macvlan: not null } ? null : "it is not a macvtap",
    };
}
