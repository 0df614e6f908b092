using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Doctor;

/// <summary>Whether packets of routed and NATed guests are forwarded: ip_forward, and the firewall's policy, which Docker sets to drop.</summary>
public sealed class ForwardPolicy : ICheck
{
    public string Name => "forwarding";

    public IEnumerable<Finding> Look(HostView host)
    {
        // A tap of no bridge reaches the world only through the host's routing.
        var routed = host.Interfaces.FirstOrDefault(i => i.Type == InterfaceType.Tap && i.Bridge is null);
        var drops = host.Chains.FirstOrDefault(c => c is { Hook: FirewallChain.Forward, Drops: true, Family: FirewallChain.Ip or FirewallChain.Inet });
        if (drops is not null)
        {
            var docker = host.Exists("/run/docker.sock") || host.Exists("/var/run/docker.sock") || host.Exists("/run/docker.pid");
            var link = Shell.Quote(routed?.Id.Value ?? "vm-+");
            yield return new(Name, routed is null ? Severity.Note : Severity.Warning, $"the firewall's {drops.Table}/{drops.Name} drops what is forwarded{(docker ? " (Docker sets this)" : "")}",
                "packets of routed and NATed guests stop here unless a rule lets them through",
                docker || drops.Name == "FORWARD" ? $"sudo iptables -I {(docker ? "DOCKER-USER" : "FORWARD")} -i {link} -j ACCEPT; sudo iptables -I {(docker ? "DOCKER-USER" : "FORWARD")} -o {link} -j ACCEPT"
                    : $"sudo nft {Shell.Quote($"insert rule {(drops.Family == FirewallChain.Ip ? "ip" : "inet")} {drops.Table} {drops.Name} iifname \"{routed?.Id.Value ?? "vm-*"}\" accept")}");
        }
        yield return host.Sysctl("net.ipv4.ip_forward") switch
        {
            0 => new(Name, Severity.Note, "the host does not forward IPv4 packets (net.ipv4.ip_forward=0)",
                "routed and NATed guests reach the host and nothing beyond; bridged and macvtap guests are not affected", "sudo sysctl -w net.ipv4.ip_forward=1"),
            _ => new(Name, Severity.Ok, "the host forwards IPv4 packets"),
        };
    }
}
