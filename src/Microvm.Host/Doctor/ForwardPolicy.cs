using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Doctor;

/// <summary>Whether packets of routed and NATed guests are forwarded: ip_forward, and the firewall's policy, which Docker sets to drop.</summary>
public sealed class ForwardPolicy : ICheck
{
    private const int DeepestJump = 16;
    public string Name => "forwarding";

    public IEnumerable<Finding> Look(HostView host)
    {
        // A tap of no bridge reaches the world only through the host's routing.
        var routed = host.Interfaces.Where(i => i.Type == InterfaceType.Tap && i.Bridge is null).Select(i => i.Id.Value).ToList();
        foreach (var chain in host.Chains.Where(c => c is { Hook: FirewallChain.Forward, Drops: true, Family: FirewallChain.Ip or FirewallChain.Inet }))
        {
            var stopped = (routed.Count > 0 ? routed : ["vm-*"]).Where(l => !Passes(host, chain, chain.Name, l, true, 0) || !Passes(host, chain, chain.Name, l, false, 0)).ToList();
            if (stopped.Count == 0)
            {
                yield return new(Name, Severity.Ok, $"the firewall's {chain.Table}/{chain.Name} lets {string.Join(", ", routed)} through");
                continue;
            }
            var docker = host.Exists("/run/docker.sock") || host.Exists("/var/run/docker.sock") || host.Exists("/run/docker.pid");
            yield return new(Name, routed.Count == 0 ? Severity.Note : Severity.Warning, $"the firewall's {chain.Table}/{chain.Name} drops what is forwarded{(docker ? " (Docker sets this)" : "")}",
                "packets of routed and NATed guests stop here unless a rule lets them through", Mend(chain, stopped, docker));
        }
        yield return host.Sysctl("net.ipv4.ip_forward") switch
        {
            0 => new(Name, Severity.Note, "the host does not forward IPv4 packets (net.ipv4.ip_forward=0)",
                "routed and NATed guests reach the host and nothing beyond; bridged and macvtap guests are not affected", "sudo sysctl -w net.ipv4.ip_forward=1"),
            _ => new(Name, Severity.Ok, "the host forwards IPv4 packets"),
        };
    }

    /// <summary>Both ways, for each link.</summary>
    private static string Mend(FirewallChain chain, List<string> links, bool docker) => chain.Name == "FORWARD" && chain.Table == "filter"
        ? string.Join("; ", links.SelectMany(l => new[] { "-i", "-o" }.Select(way => $"sudo iptables -I {(docker ? "DOCKER-USER" : "FORWARD")} {way} {Shell.Quote(l.Replace('*', '+'))} -j ACCEPT")))
        : $"sudo nft {Shell.Quote(string.Join("; ", links.SelectMany(l => new[] { "iifname", "oifname" }.Select(way =>
            $"insert rule {(chain.Family == FirewallChain.Ip ? "ip" : "inet")} {chain.Table} {chain.Name} {way} \"{l}\" accept"))))}";

    /// <summary>Whether a rule lets all packets of a link through; what asks for more than links is taken to decide nothing.</summary>
    private static bool Passes(HostView host, FirewallChain hook, string chain, string link, bool incoming, int depth) => depth < DeepestJump
        && host.Rules.Where(r => r.Family == hook.Family && r.Table == hook.Table && r.Chain == chain && r.IsFor(link, incoming))
            .Any(r => r.Accepts || Passes(host, hook, r.Jump!, link, incoming, depth + 1));
}
