using System.Net;

namespace Microvm.Declaration;

/// <summary>The rules between networks and the interfaces of all VMs that join them.</summary>
internal static class NetworkRules
{
    internal static void Check(IReadOnlyList<MicrovmConfig> vms, DiagnosticBag diagnostics)
    {
        var networks = DeclaredNetwork.Of(vms);
        var byName = networks.ToDictionary(n => n.Name);
        foreach (var again in vms.SelectMany(v => v.Networks).Where(n => !byName[n.Name].IsSameAs(n)))
        {
            diagnostics.Error(again.At, $"the network '{again.Name}' is declared differently at {byName[again.Name].At}; two declarations of one network have to say the same");
        }
        foreach (var (n, network) in networks.Index())
        {
            foreach (var other in networks.Take(n))
            {
                if (network.Addresses.FirstOrDefault(a => other.Addresses.Any(a.Overlaps)) is { } shared)
                {
                    diagnostics.Error(network.At, $"{shared} of the network '{network.Name}' overlaps the network '{other.Name}' at {other.At}; give each its own");
                }
            }
        }
        var taken = new Dictionary<(string Network, IPAddress), string>();
        var routed = new Dictionary<(PrefixedAddress To, uint? Metric), string>();
        foreach (var vm in vms)
        {
            foreach (var i in vm.Interfaces)
            {
                foreach (var route in i.HostRoutes)
                {
                    if (!routed.TryAdd((route.To, route.Metric), vm.Name))
                    {
                        diagnostics.Error(i.At, $"{route.To} is routed to '{routed[(route.To, route.Metric)]}' already; the host sends it to one guest");
                    }
                }
                if (i.Network is { } name)
                {
                    Interface(vm, i, name, byName, taken, diagnostics);
                }
            }
        }
    }

    /// <summary>What the guest's kernel is told fits the network, and was known where it was told.</summary>
    private static void Guest(MicrovmConfig vm, NetworkInterface i, DeclaredNetwork network, DiagnosticBag diagnostics)
    {
        if (i.Guest is not { } guest || network.Addresses.FirstOrDefault(a => a.Holds(guest.Address.Address)) is not { } own)
        {
            return;
        }
        if (own.PrefixLength != guest.Address.PrefixLength)
        {
            diagnostics.Error(guest.At, $"guest.addresses has {guest.Address}, and the network '{network.Name}' has {own}: guest and host would not agree on who is near; write \"{guest.Address.Address}/{own.PrefixLength}\"");
        }
        else if (guest.Gateway is null && network.Kind is not (NetworkKind.Isolated or NetworkKind.Internal) && vm.Networks.All(n => n.Name != network.Name))
        {
            diagnostics.Error(guest.At, $"the network '{network.Name}' is declared in another file, at {network.At}, and a VM's command line is made from its own file; write guest.gateway = \"{own.Address}\"");
        }
    }

    private static void Interface(MicrovmConfig vm, NetworkInterface i, string name, Dictionary<string, DeclaredNetwork> networks, Dictionary<(string, IPAddress), string> taken, DiagnosticBag diagnostics)
    {
        if (!networks.TryGetValue(name, out var network))
        {
            var near = Printable.Nearest(name, networks.Keys) is { } n ? $"did you mean '{n}'?" : $"declare it: microvm.networks.{Printable.Of(name)} = {{ }}; or use \"{DeclaredNetwork.Default}\", which needs no declaration";
            diagnostics.Error(i.At, $"no network '{Printable.Of(name)}' is declared; {near}");
            return;
        }
        if (network.Kind is NetworkKind.Isolated or NetworkKind.Internal && vm.NetworkForwards.Count > 0 && i == vm.Interfaces.First(f => f.Network is not null))
        {
            diagnostics.Error(vm.NetworkForwards[0].At, $"forwardPorts lead to the network '{name}', which nobody outside reaches (kind = \"isolated\" or \"internal\", or nat = false)");
        }
        const int Usual = 1500;
        if (i.Mtu > (network.Mtu ?? Usual))
        {
            diagnostics.Error(i.At, $"the bridge of network '{name}' has an MTU of {network.Mtu ?? Usual}, so larger packets would be lost there; declare at most that, or microvm.networks.{name}.mtu = {i.Mtu}");
        }
        Guest(vm, i, network, diagnostics);
        foreach (var address in i.Addresses)
        {
            if (network.Kind == NetworkKind.Internal)
            {
                diagnostics.Error(i.At, $"{address} can't be reserved in the network '{name}', which is internal and has no DHCP; give the guest its address in the guest");
            }
            else if (network.Addresses.Count == 0)
            {
                diagnostics.Error(i.At, $"{address} can't be reserved in the network '{name}', whose addresses the host chooses; declare them: microvm.networks.{name}.addresses");
            }
            else if (!network.Addresses.Any(a => a.Holds(address)))
            {
                diagnostics.Error(i.At, $"{address} is not in the network '{name}', which has {string.Join(" and ", network.Addresses)}");
            }
            else if (network.Addresses.Any(a => a.Address.Equals(address)))
            {
                diagnostics.Error(i.At, $"{address} is the host's own address in the network '{name}'");
            }
            else if (!taken.TryAdd((name, address), vm.Name))
            {
                diagnostics.Error(i.At, $"{address} is already reserved for '{taken[(name, address)]}' in the network '{name}'; each interface needs its own");
            }
        }
    }
}
