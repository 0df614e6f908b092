using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Reach;

/// <summary>Isolated ports of a bridge: they reach ports that are not, and the host, and not each other (<c>br_skb_isolated()</c> in net/bridge/br_private.h).</summary>
internal static class Isolation
{
    internal static IEnumerable<ReachStep> Between(ReachScene scene, ReachEnd.Guest from, ReachEnd.Guest to)
    {
        if (Is(scene, from.Interface) && Is(scene, to.Interface))
        {
            yield return new(ReachRule.Isolation, ReachVerdict.No, $"'{from.Interface.Id}' and '{to.Interface.Id}' are both isolated on their bridge");
        }
    }

    /// <summary>Whether a port of the bridge that leads outside is closed to the interface.</summary>
    internal static IEnumerable<ReachStep> To(ReachScene scene, ReachEnd.Guest guest, Link uplink)
    {
        if (Is(scene, guest.Interface) && uplink.Port?.IsIsolated == true)
        {
            yield return new(ReachRule.Isolation, ReachVerdict.No, $"'{guest.Interface.Id}' and '{uplink.Name}', the bridge's way out, are both isolated");
        }
    }

    // What the kernel has counts, where the port is there.
    private static bool Is(ReachScene scene, NetworkInterface i) => scene.Link(i.Id.Value) is { Master: not null } port ? port.Port?.IsIsolated == true : i.Isolated == true;
}
