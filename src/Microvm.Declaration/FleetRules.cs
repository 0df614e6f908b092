using System.Runtime.InteropServices;

namespace Microvm.Declaration;

/// <summary>The rules that hold over all VMs given together. Linear in what is declared.</summary>
internal static class FleetRules
{
    /// <summary>Finds ids, MACs, VM names, vsock addresses and forwarded ports that two declarations share.</summary>
    public static void Check(IReadOnlyList<MicrovmConfig> vms, DiagnosticBag diagnostics)
    {
        var ids = new Dictionary<string, (string Vm, SourcePosition At)>();
        var macs = new Dictionary<MacAddress, (string Vm, SourcePosition At)>();
        var names = new HashSet<string>();
        var cids = new Dictionary<uint, string>();
        var ports = new Dictionary<(string Proto, int Port), List<(string Address, string Vm)>>();
        foreach (var vm in vms)
        {
            if (!names.Add(vm.Name))
            {
                diagnostics.Error(vm.At, $"two VMs are named '{vm.Name}'; give each its own networking.hostName");
            }
            // cloud-hypervisor and Firecracker map vsock to a Unix socket of their own; for the others the kernel has one table.
            if (vm.VsockCid is { } cid && vm.Hypervisor is not ("cloud-hypervisor" or "firecracker") && !cids.TryAdd(cid, vm.Name))
            {
                diagnostics.Error(vm.PositionOf("vsock.cid"), $"vsock.cid {cid} is already used by '{cids[cid]}'; each VM needs its own");
            }
            foreach (var i in vm.Interfaces)
            {
                // A user interface's id names nothing on the host, yet a second one would be told apart by nobody.
                Unique(ids, i.Id.Value, vm, i, "id", diagnostics);
                Unique(macs, i.Mac, vm, i, "MAC", diagnostics);
            }
            foreach (var port in vm.ForwardPorts)
            {
                if (port.From == "host")
                {
                    Port(ports, port, vm, diagnostics);
                }
            }
        }
    }

    private static void Unique<TKey>(Dictionary<TKey, (string Vm, SourcePosition At)> seen, TKey key, MicrovmConfig vm, NetworkInterface i, string what, DiagnosticBag diagnostics)
        where TKey : notnull
    {
        ref var first = ref CollectionsMarshal.GetValueRefOrAddDefault(seen, key, out var twice);
        if (twice)
        {
            var shown = what == "id" ? $"id '{key}'" : $"MAC {key}";
            diagnostics.Error(i.At, $"{shown} is already used by '{first.Vm}' at {first.At}; each interface needs its own");
            return;
        }
        first = (vm.Name, i.At);
    }

    private static void Port(Dictionary<(string, int), List<(string Address, string Vm)>> seen, ForwardPort port, MicrovmConfig vm, DiagnosticBag diagnostics)
    {
        ref var others = ref CollectionsMarshal.GetValueRefOrAddDefault(seen, (port.Proto, port.HostPort), out _);
        others ??= [];
        foreach (var other in others)
        {
            if (other.Address == port.HostAddress || IsAny(other.Address) || IsAny(port.HostAddress))
            {
                diagnostics.Error(port.At, other.Vm == vm.Name
                    ? $"two forwardPorts of '{vm.Name}' use {port.Proto} port {port.HostPort} of the host"
                    : $"{port.Proto} port {port.HostPort} of the host is already forwarded to '{other.Vm}'");
                break;
            }
        }
        others.Add((port.HostAddress, vm.Name));
    }

    private static bool IsAny(string address) => address is "" or "0.0.0.0";
}
