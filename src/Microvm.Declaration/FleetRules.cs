namespace Microvm.Declaration;

/// <summary>The rules that hold over all VMs given together.</summary>
public static class FleetRules
{
    /// <summary>Finds ids, MACs, VM names and forwarded ports that two declarations share.</summary>
    public static void Check(IReadOnlyList<MicrovmConfig> vms, DiagnosticBag diagnostics)
    {
        var all = vms.SelectMany(vm => vm.Interfaces.Select(i => (vm, i))).ToList();
        // A user interface's id names nothing on the host, yet a second one on one VM would clash on the command line.
        Unique(all.GroupBy(p => p.i.Id.Value), k => $"id '{k}'");
        Unique(all.GroupBy(p => p.i.Mac.ToString()), k => $"MAC {k}");
        foreach (var twin in vms.GroupBy(v => v.Name).Where(g => g.Count() > 1))
        {
            var at = twin.Last().Interfaces.FirstOrDefault()?.At ?? default;
            diagnostics.Error(at, $"two VMs are named '{twin.Key}'; give each its own networking.hostName");
        }
        foreach (var vm in vms)
        {
            var ports = vm.ForwardPorts.Where(p => p.From == "host").ToList();
            for (var i = 0; i < ports.Count; i++)
            {
                if (ports.Take(i).Any(p => p.Proto == ports[i].Proto && p.HostPort == ports[i].HostPort && Overlap(p.HostAddress, ports[i].HostAddress)))
                {
                    diagnostics.Error(vm.Interfaces.FirstOrDefault()?.At ?? default, $"two forwardPorts of '{vm.Name}' use {ports[i].Proto} port {ports[i].HostPort} of the host");
                }
            }
        }

        void Unique(IEnumerable<IGrouping<string, (MicrovmConfig vm, NetworkInterface i)>> groups, Func<string, string> what)
        {
            foreach (var group in groups.Where(g => g.Count() > 1))
            {
                var (firstVm, first) = group.First();
                foreach (var (_, later) in group.Skip(1))
                {
                    diagnostics.Error(later.At, $"{what(group.Key)} is already used by '{firstVm.Name}' at {first.At}; each interface needs its own");
                }
            }
        }
    }

    private static bool Overlap(string a, string b) => a == b || IsAny(a) || IsAny(b);
    private static bool IsAny(string address) => address is "" or "0.0.0.0";
}
