using System.Globalization;
using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Host;

/// <summary>The files in a runner's <c>share/microvm</c> from which a host reads what a VM has, as microvm.nix writes them. Pure.</summary>
internal static class RunnerFacts
{
    internal static IEnumerable<(string Name, string Content)> Of(MicrovmConfig vm)
    {
        yield return ("hypervisor", vm.Hypervisor + "\n");
        var taps = vm.Interfaces.Where(i => i.Type == InterfaceType.Tap).ToList();
        var many = HypervisorTable.Attach(vm, out _).Any(a => a.Interface.Type == InterfaceType.Tap && a.MultiQueue);
        yield return ("tap-flags", many ? "vnet_hdr\nmulti_queue\n" : "vnet_hdr\n");
        if (taps.Count > 0)
        {
            yield return ("tap-interfaces", string.Concat(taps.Select(t => t.Id.Value + "\n")));
        }
        var macvtaps = vm.Interfaces.Where(i => i.Type == InterfaceType.Macvtap).ToList();
        if (macvtaps.Count > 0)
        {
            yield return ("macvtap-interfaces", string.Concat(macvtaps.Select(m => $"{m.Id} {m.Mac} {m.MacvtapLink} {m.MacvtapMode?.Word()}\n")));
        }
        // A tag that can't be the name of a directory has none.
        foreach (var share in vm.Shares.Where(s => s.IsVirtiofs && s.Tag is not ("" or "." or "..") && !s.Tag.Contains('/') && !s.Tag.Contains('\0')))
        {
            yield return ($"virtiofs/{share.Tag}/source", share.Source + "\n");
            yield return ($"virtiofs/{share.Tag}/socket", share.Socket + "\n");
        }
        foreach (var bus in vm.Devices.GroupBy(d => d.Bus))
        {
            yield return ($"{bus.Key}-devices", string.Concat(bus.Select(d => d.Path + "\n")));
        }
        if (vm.VsockCid is { } cid)
        {
            yield return ("vsock-cid", cid.ToString(CultureInfo.InvariantCulture) + "\n");
        }
    }
}
