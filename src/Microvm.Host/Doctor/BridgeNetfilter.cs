using Microvm.Linux;

namespace Microvm.Host.Doctor;

/// <summary>Whether br_netfilter hands bridged frames to the firewall of routed packets.</summary>
public sealed class BridgeNetfilter : ICheck
{
    private static readonly string[] s_settings = ["net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"];
    public string Name => "br-netfilter";

    public IEnumerable<Finding> Look(HostView host)
    {
        string[] on = [.. s_settings.Where(s => host.Sysctl(s) is 1)];
        if (on.Length == 0)
        {
            yield return new(Name, Severity.Ok, "bridged frames don't go through iptables");
            yield break;
        }
        var bridged = host.Interfaces.Any(i => i.Bridge is not null) || host.Links.Any(l => l.Master is not null && host.IsOurs(l));
        var drops = host.Chains.FirstOrDefault(c => c is { Hook: FirewallChain.Forward, Drops: true, Family: FirewallChain.Ip or FirewallChain.Ip6 or FirewallChain.Inet });
        var mend = $"sudo sysctl -w {string.Join(' ', on.Select(s => $"{s}=0"))}";
        yield return drops is not null
            ? new(Name, bridged ? Severity.Problem : Severity.Warning, $"bridged frames go through the firewall, and {drops.Table}/{drops.Name} drops what it does not know",
                "VMs on a bridge can't talk to each other or to the network, though all links are up", mend)
            : new(Name, bridged ? Severity.Warning : Severity.Note, $"bridged frames go through the firewall's forward chains ({string.Join(", ", on.Select(s => $"{s}=1"))})",
                "a rule meant for routed packets, Docker's say, can drop frames between VMs on one bridge", mend);
    }
}
