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
        var sockets = new Dictionary<string, string>();
        var lowers = new Dictionary<string, (string Id, bool Alone)>();
        var bridges = new List<(InterfaceName Bridge, NetworkInterface Interface)>();
        var ports = new Dictionary<(string Proto, int Port), List<(string? Address, string Vm)>>();
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
            // A relative path is another in each directory that a VM is run in.
            if (vm.Socket is { } socket && socket.StartsWith('/') && !sockets.TryAdd(socket, vm.Name))
            {
                diagnostics.Error(vm.PositionOf("socket"), $"the control socket {Printable.Of(socket)} is '{sockets[socket]}''s already; each VM needs its own");
            }
            foreach (var i in vm.Interfaces)
            {
                Lower(lowers, i, diagnostics);
                if (i is { Bridge: { } bridge, Network: null })
                {
                    bridges.Add((bridge, i));
                }
                // A user interface's id names nothing on the host, yet a second one would be told apart by nobody.
                Unique(ids, i.Id.Value, vm, i, "id", diagnostics);
                Unique(macs, i.Mac, vm, i, "MAC", diagnostics);
            }
            foreach (var port in vm.ForwardPorts.Concat(vm.NetworkForwards))
            {
                if (port.From == "host")
                {
                    Port(ports, port, vm, diagnostics);
                }
            }
        }
        NetworkRules.Check(vms, diagnostics);
        PathRules.Check(vms, diagnostics);
        foreach (var (bridge, i) in bridges)
        {
            if (ids.TryGetValue(bridge.Value, out var other) && bridge.Value != i.Id.Value && IsLink(vms, bridge.Value))
            {
                diagnostics.Error(i.At, $"'{i.Id}' needs the bridge '{bridge}', but that is the id of an interface of '{other.Vm}' at {other.At}; name a bridge of the host");
            }
        }
    }

    /// <summary>One in mode passthru has its lower device to itself: the kernel refuses any other beside it.</summary>
    private static void Lower(Dictionary<string, (string Id, bool Alone)> lowers, NetworkInterface i, DiagnosticBag diagnostics)
    {
        if (i.MacvtapLink is not { } lower)
        {
            return;
        }
        var alone = i.MacvtapMode == MacvtapMode.Passthru;
        if (!lowers.TryAdd(lower.Value, (i.Id.Value, alone)) && (alone || lowers[lower.Value].Alone))
        {
            diagnostics.Error(i.At, $"'{i.Id}' and '{lowers[lower.Value].Id}' are both on '{lower}', which one in mode passthru has to itself; choose another mode, or another lower device");
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

    private static void Port(Dictionary<(string, int), List<(string? Address, string Vm)>> seen, ForwardPort port, MicrovmConfig vm, DiagnosticBag diagnostics)
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

    // The id of an interface of type user names nothing on the host.
    private static bool IsLink(IReadOnlyList<MicrovmConfig> vms, string id) => vms.Any(v => v.Interfaces.Any(i => i.Id.Value == id && i.Type != InterfaceType.User));

    private static bool IsAny(string? address) => address is null or "0.0.0.0";
}
