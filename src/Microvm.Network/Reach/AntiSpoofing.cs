namespace Microvm.Network.Reach;

/// <summary>A locked port takes frames only from MACs that its bridge's forwarding database has there.</summary>
internal static class AntiSpoofing
{
    internal static IEnumerable<ReachStep> Of(ReachScene scene, ReachEnd.Guest guest)
    {
        var mac = guest.Interface.Mac.ToHex();
        if (scene.Link(guest.Interface.Id.Value) is { Port.IsLocked: true } port && !scene.Entries[port.Index].Any(e => e.Mac == mac))
        {
            yield return new(ReachRule.AntiSpoof, ReachVerdict.No,
                $"the port '{port.Name}' is locked, and its bridge has no entry for {guest.Interface.Mac} there, so that nothing which '{guest.Vm.Name}' sends is let in");
        }
    }
}
