using System.Net;

namespace Microvm.Declaration;

/// <summary>Rules over all VMs together about the way that their packets take.</summary>
internal static class PathRules
{
    /// <summary>The network that user networking puts its guest in (QEMU's, slirp4netns').</summary>
    private static readonly PrefixedAddress s_user = new(new IPAddress([10, 0, 2, 0]), 24);

    internal static void Check(IReadOnlyList<MicrovmConfig> vms, DiagnosticBag diagnostics)
    {
        var smallest = new Dictionary<string, (string Id, int Mtu)>();
        foreach (var i in vms.SelectMany(v => v.Interfaces).Where(i => i.Mtu is not null))
        {
            if ((i.Bridge ?? i.MacvtapLink)?.Value is { } shared)
            {
                if (!smallest.TryGetValue(shared, out var least) || least.Mtu > i.Mtu)
                {
                    smallest[shared] = (i.Id.Value, i.Mtu!.Value);
                }
            }
        }
        foreach (var i in vms.SelectMany(v => v.Interfaces).Where(i => i.Mtu is not null && (i.Bridge ?? i.MacvtapLink) is not null))
        {
            var shared = (i.Bridge ?? i.MacvtapLink)!.Value.Value;
            // Told once for each that has the larger one.
            if (smallest.TryGetValue(shared, out var least) && least.Mtu < i.Mtu)
            {
                diagnostics.Warning(i.At, $"'{i.Id}' has an MTU of {i.Mtu} and '{least.Id}', also on '{shared}', one of {least.Mtu}: what the one sends the other in larger packets is lost on the way; declare one MTU for both");
            }
        }
        foreach (var vm in vms)
        {
            if (vm.Interfaces.FirstOrDefault(i => i.Type == InterfaceType.User) is { } user
                && vm.Networks.Concat(vms.SelectMany(v => v.Networks)).FirstOrDefault(n => vm.Interfaces.Any(i => i.Network == n.Name) && n.Addresses.Any(s_user.Overlaps)) is { } same)
            {
                diagnostics.Error(user.At, $"'{user.Id}' puts the guest in {s_user}, as user networking does, and the network '{same.Name}' at {same.At} overlaps that; give it other addresses");
            }
        }
    }
}
