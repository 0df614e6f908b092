using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Doctor;

/// <summary>Whether a firewall drops frames that a bridge hands from a VM to its other ports: the bridge's own chains, and, where br_netfilter sends bridged frames
/// there, those of routed packets. A frame is followed through the rules; a setting alone is no fault.</summary>
public sealed class BridgeNetfilter : ICheck
{
    private const string Off = "bridged frames don't go through iptables";
    public string Name => "br-netfilter";

    public IEnumerable<Finding> Look(HostView host)
    {
        var bridges = host.Bridged.GroupBy(b => b.Bridge).ToList();
        if (bridges.Count == 0)
        {
            yield return Unasked(host);
            yield break;
        }
        var judge = new FirewallJudge(host.Firewall);
        foreach (var bridge in bridges)
        {
            var seen = false;
            var dropped = new List<(FirewallOutcome Outcome, FirewallFrame Frame, string? Tap)>();
            var unsure = new List<FirewallOutcome>();
            foreach (var (six, key) in new[] { (false, "iptables"), (true, "ip6tables") })
            {
                var called = Called(host, bridge.Key, key);
                seen |= called;
                byte[] families = [FirewallChain.Bridge, .. called ? new[] { six ? FirewallChain.Ip6 : FirewallChain.Ip, FirewallChain.Inet } : []];
                foreach (var tap in bridge.Select(b => b.Tap).Distinct())
                {
                    foreach (var frame in Frames(host, bridge.Key, tap, six))
                    {
                        foreach (var outcome in judge.Outcomes(frame, families))
                        {
                            if (!outcome.Passes)
                            {
                                dropped.Add((outcome, frame, tap));
                            }
                            else if (outcome.Unsure.Count > 0)
                            {
                                unsure.Add(outcome);
                            }
                        }
                    }
                }
            }
            var mend = new FirewallMend(host, judge);
            foreach (var chain in dropped.GroupBy(d => d.Outcome.Chain))
            {
                var taps = chain.Select(d => d.Tap).OfType<string>().Distinct().ToList();
                yield return new(Name, Severity.Problem,
                    $"{(chain.Key.Family == FirewallChain.Bridge ? "" : "bridged frames go through the firewall, and ")}{FirewallWords.Name(chain.Key)} drops those of {(taps.Count == 0 ? bridge.Key : $"{FirewallWords.Few(taps)} on {bridge.Key}")}",
                    $"VMs on the bridge can't talk to each other or to the network, though all links are up: {FirewallWords.Decider(judge, mend, chain.First().Outcome)}. {FirewallWords.Lasting}",
                    mend.Of(chain.SelectMany(d => Passages(d.Outcome.Chain, bridge.Key, d.Tap, d.Frame).Select(p => (d.Outcome, d.Frame, p)))));
            }
            foreach (var chain in unsure.Where(u => dropped.All(d => d.Outcome.Chain != u.Chain)).DistinctBy(u => u.Chain))
            {
                yield return new(Name, Severity.Note, $"{FirewallWords.Name(chain.Chain)} may drop some bridged frames of {bridge.Key}", $"the others pass; {FirewallWords.Rules(judge, chain)}");
            }
            if (dropped.Count == 0 && unsure.Count == 0)
            {
                yield return new(Name, Severity.Ok, seen ? $"bridged frames of {bridge.Key} go through the firewall, and it lets them pass" : Off);
            }
        }
    }

    /// <summary>No bridge of ours is there to ask for.</summary>
    private Finding Unasked(HostView host)
    {
        const string Any = "?";
        if (!Called(host, Any, "iptables"))
        {
            return new(Name, Severity.Ok, Off);
        }
        var stops = Frames(host, Any, null, false).SelectMany(f => new FirewallJudge(host.Firewall).Outcomes(f, FirewallChain.Ip, FirewallChain.Inet)).FirstOrDefault(o => !o.Passes);
        return stops is null ? new(Name, Severity.Ok, "bridged frames go through the firewall, and it lets them pass")
            : new(Name, Severity.Note, $"bridged frames go through the firewall, and {FirewallWords.Name(stops.Chain)} drops those of bridges that no rule of it names",
                "a VM on such a bridge has no network; 'microvm doctor FILE' looks at the bridges of a declaration, and tells the rule that helps");
    }

    // The setting of the host, or of the bridge alone, whichever is on (br_netfilter_hooks.c).
    private static bool Called(HostView host, string bridge, string key) =>
        host.Sysctl($"net.bridge.bridge-nf-call-{key}") is 1 || host.Setting($"/sys/class/net/{bridge}/bridge/nf_call_{key}") is 1;

    /// <summary>What a VM sends to another port, and the answer.</summary>
    private static IEnumerable<FirewallFrame> Frames(HostView host, string bridge, string? tap, bool six)
    {
        var way = new FirewallFrame(six, false) { In = bridge, Out = bridge, IsBridged = true, PortIn = tap, PortOut = null, Indexes = host.Indexes };
        return [way, way with { IsReply = true, PortIn = null, PortOut = tap }];
    }

    /// <summary>In the bridge's own chains links are ports; in the others every port is the bridge.</summary>
    private static IEnumerable<Passage> Passages(FirewallChain chain, string bridge, string? tap, FirewallFrame frame) => chain switch
    {
        { Hook: FirewallChain.Prerouting } => [new(chain.Family == FirewallChain.Bridge ? frame.IsReply ? null : tap : bridge, null, false)],
        { Hook: FirewallChain.Postrouting } => [new(null, chain.Family == FirewallChain.Bridge ? frame.IsReply ? tap : null : bridge, false)],
        { Family: FirewallChain.Bridge } => [frame.IsReply ? new(null, tap, false) : new(tap, null, false)],
        _ => [new(bridge, bridge, false)],
    };
}
