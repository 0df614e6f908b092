using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Reach;

/// <summary>Whether a VM's link is there, up, and open.</summary>
internal static class LinkState
{
    internal static IEnumerable<ReachStep> Of(ReachScene scene, ReachEnd.Guest guest)
    {
        if (!scene.IsLive || guest.Interface.Type == InterfaceType.User)
        {
            yield break;
        }
        var id = guest.Interface.Id.Value;
        if (scene.Link(id) is not { } link)
        {
            yield return No($"the link '{id}' of '{guest.Vm.Name}' is not there; create it with: sudo microvm up");
        }
        else if (Ownership.Vm(link.Alias) is var owner && owner != guest.Vm.Name)
        {
            yield return No($"the link '{link.Name}' is {(owner is null ? "none that microvm created" : $"a link of '{owner}'")}, so it is not one of '{guest.Vm.Name}'");
        }
        else if (!link.Up)
        {
            yield return No($"the link '{link.Name}' is down");
        }
        else if (link.Tun is not null && !link.InUse)
        {
            yield return No($"nobody has the tap '{link.Name}' open, so '{guest.Vm.Name}' does not run");
        }
        else if (link.Master is { } index && scene.Link(index) is { Up: false } master)
        {
            yield return No($"'{master.Name}', which '{link.Name}' is on, is down");
        }
        else if (link.Lower is { } lower && scene.Link(lower) is { } device && !(device.Up && device.Carrier))
        {
            yield return No($"the lower device '{device.Name}' of '{link.Name}' {(device.Up ? "has no carrier" : "is down")}");
        }
    }

    private static ReachStep No(string text) => new(ReachRule.Link, ReachVerdict.No, text);
}
