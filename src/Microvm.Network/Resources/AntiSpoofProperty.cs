using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Resources;

/// <summary>A guest sends under its declared MAC alone: its port is locked, the bridge learns nothing there, and the forwarding database has that MAC
/// at the port and no other. The entry is sticky, or a guest elsewhere that sends under the MAC would take it to its own port, and cut this one off.</summary>
internal static class AntiSpoofProperty
{
    internal static LinkProperty Port { get; } = new(Difference.AntiSpoof, Turn.Own)
    {
        Wrong = c => c.Want.AntiSpoof is not { } wanted ? null
            : wanted == AntiSpoof.Off ? TapResource.PortOnceAttached(c, p => p?.IsLocked == true) == true ? "its port takes frames from known MACs alone" : null
            : TapResource.PortOnceAttached(c, p => p is { IsLocked: true, Learns: false }) is not { } isLocked ? null
            : !isLocked ? "its guest may send under any MAC"
            : Others(c.Link, c.Want, c.State).FirstOrDefault() is { } other ? $"its guest may send under {other} too"
            : Own(c.Link, c.Want, c.State).Any(e => e.IsSticky) ? null : $"its guest may not send under its own MAC, {c.Want.GuestMac}",
        GivenOnAdoption = true,
        Make = (link, index, batch) =>
        {
            if (link.Want is { AntiSpoof: not (null or AntiSpoof.Off), Bridge: not null } && link.Master != 0)
            {
                Lock(index, link.Want, batch);
            }
        },
        Set = (e, batch) =>
        {
            if (e.Want.AntiSpoof == AntiSpoof.Off)
            {
                batch.SetPort(e.Link.Index, e.Link.Name, BridgePort.Lock(false));
                foreach (var entry in Own(e.Link, e.Want, e.State).Where(s => s is { IsSticky: true, Vlan: 0 }))
                {
                    entry.Take(e.Link.Name, batch);
                }
                return;
            }
            foreach (var other in IsNewPort(e) ? [] : Others(e.Link, e.Want, e.State).Where(o => o.IsStatic))
            {
                other.Take(e.Link.Name, batch);
            }
            Lock(e.Link.Index, e.Want, batch);
        },
        SetBack = (e, batch) =>
        {
            if (IsNewPort(e))
            {
                // It goes back to the bridge that it came from.
                return;
            }
            batch.SetPort(e.Link.Index, e.Link.Name, BridgePort.LockOf(e.Link.Port));
            if (!Own(e.Link, e.Want, e.State).Any(s => s.IsStatic))
            {
                new ForwardingEntry(e.Link.Index, e.Want.GuestMac.ToHex(), 0, IsOwn: false, IsStatic: true, IsSticky: true).Take(e.Link.Name, batch);
            }
            foreach (var entry in e.State.Forwarding[e.Link.Index].Where(s => s is { IsOwn: false, IsStatic: true }))
            {
                entry.Give(e.Link.Index, e.Link.Name, batch);
            }
        },
    };

    /// <summary>Its addresses too. The rules are those of all guests, and the applier sets them in one transaction, before any link is made.</summary>
    internal static LinkProperty Addresses { get; } = new(Difference.Guard, Turn.Own)
    {
        Wrong = c => c.Want.AntiSpoof is not { } wanted || c.State.Guards is not { } seen ? null
            : seen.Guards.GetValueOrDefault(c.Want.Name) is var guard && wanted != AntiSpoof.Ip ? guard is null ? null : $"its guest may send under {guard.Words} alone"
            : AddressGuard.Of(c.Want, c.State) is not { } own ? null
            : guard is null ? "its guest may send under any address"
            : guard != own ? $"its guest may send under {guard.Words}, and has {own.Words}"
            : seen.IsSound ? null : "the rules that keep its guest from sending under any address were changed",
        GivenOnAdoption = true,
    };

    /// <summary>The entry first: frames of a guest that sends meanwhile are never dropped.</summary>
    private static void Lock(int index, DesiredLink want, RouteBatch batch)
    {
        new ForwardingEntry(index, want.GuestMac.ToHex(), 0, IsOwn: false, IsStatic: true, IsSticky: true).Give(index, want.Name, batch);
        batch.SetPort(index, want.Name, BridgePort.Lock(true));
    }

    private static bool IsNewPort(LinkEffect effect) => effect.Step.Differs.HasFlag(Difference.Master);

    private static IEnumerable<ForwardingEntry> Own(Link link, DesiredLink want, HostState state) => state.Forwarding[link.Index].Where(e => e.Mac == want.GuestMac.ToHex());

    /// <summary>Other MACs whose frames a locked port lets in, learned or added.</summary>
    private static IEnumerable<ForwardingEntry> Others(Link link, DesiredLink want, HostState state) => state.Forwarding[link.Index].Where(e => !e.IsOwn && e.Mac != want.GuestMac.ToHex());
}
