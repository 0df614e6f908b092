using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Reach;

/// <summary>Where the host has an interface's frames: on a bridge, on a lower device, routed, or in a user network.</summary>
/// <param name="Bridge">The bridge's name; null for none.</param>
/// <param name="Network">The declared network whose bridge it is; null for none.</param>
/// <param name="Lower">The lower device of a macvtap; null for others.</param>
internal sealed record Place(string? Bridge, DeclaredNetwork? Network, string? Lower, bool IsUser)
{
    /// <summary>The place of an interface: where it is attached now, else where the declaration will have it.</summary>
    internal static Place Of(ReachScene scene, NetworkInterface i)
    {
        if (i.Type == InterfaceType.User)
        {
            return new(null, null, null, true);
        }
        if (i.MacvtapLink is { } lower)
        {
            return new(null, null, scene.Link(lower.Value)?.Name ?? lower.Value, false);
        }
        var master = scene.Link(i.Id.Value) is { Master: { } index } ? scene.Link(index) : null;
        var bridge = master?.Name ?? (i.Bridge is { } declared && scene.Link(i.Id.Value) is null or { Master: null } && i.Bridge is { } wanted ? scene.Link(wanted.Value)?.Name ?? wanted.Value : null);
        return new(bridge, scene.Networks.FirstOrDefault(n => bridge == DeclaredNetwork.BridgeOf(n.Name).Value), null, false);
    }
}
