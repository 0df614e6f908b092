using Microvm.Linux;

namespace Microvm.Network.Reach;

/// <summary>What the firewall does with a frame and with its answer. The tables of declared networks are told by their own rule.</summary>
internal static class Firewalling
{
    private const uint Input = 1, Output = 3;

    /// <summary>From one port of a bridge to another: the bridge's own chains, and those of routed packets where br_netfilter sends bridged frames there.</summary>
    internal static IEnumerable<ReachStep> Bridged(ReachScene scene, string bridge, string? portIn, string? portOut)
    {
        var routed = scene.Setting("/proc/sys/net/bridge/bridge-nf-call-iptables") is 1 || scene.Setting($"/sys/class/net/{bridge}/bridge/nf_call_iptables") is 1;
        var way = new FirewallFrame(false, false) { In = bridge, Out = bridge, IsBridged = true, PortIn = portIn, PortOut = portOut };
        return Through(scene, [way, way with { IsReply = true, PortIn = portOut, PortOut = portIn }],
            [FirewallChain.Prerouting, FirewallChain.Forward, FirewallChain.Postrouting], routed ? [FirewallChain.Bridge, FirewallChain.Ip, FirewallChain.Inet] : [FirewallChain.Bridge]);
    }

    /// <summary>From one link over the host's routes to another.</summary>
    internal static IEnumerable<ReachStep> Routed(ReachScene scene, string? comesBy, string? goesBy, bool six)
    {
        var way = new FirewallFrame(six, false) { In = comesBy, Out = goesBy };
        return Through(scene, [way, way with { IsReply = true, In = goesBy, Out = comesBy }], [FirewallChain.Prerouting, FirewallChain.Forward, FirewallChain.Postrouting], Families(six));
    }

    /// <summary>To the host, and its answer; or from it.</summary>
    /// <param name="opens">Whether it is the host that begins.</param>
    internal static IEnumerable<ReachStep> OfHost(ReachScene scene, string link, bool opens, bool six) =>
        Through(scene, [new FirewallFrame(six, opens) { In = link, Out = "" }], [FirewallChain.Prerouting, Input], Families(six))
            .Concat(Through(scene, [new FirewallFrame(six, !opens) { In = "", Out = link }], [Output, FirewallChain.Postrouting], Families(six)));

    private static byte[] Families(bool six) => [six ? FirewallChain.Ip6 : FirewallChain.Ip, FirewallChain.Inet];

    private static IEnumerable<ReachStep> Through(ReachScene scene, FirewallFrame[] frames, uint[] hooks, byte[] families)
    {
        if (scene.Firewall is not { } firewall)
        {
            yield break;
        }
        var judge = new FirewallJudge(firewall);
        var indexes = scene.Links.GroupBy(l => l.Name).ToDictionary(g => g.Key, g => g.First().Index);
        foreach (var frame in frames)
        {
            foreach (var chain in firewall.Chains.Where(c => hooks.Contains(c.Hook) && families.Contains(c.Family) && !c.IsNat && !c.Table.StartsWith("microvm-", StringComparison.Ordinal)).OrderBy(c => (c.Hook, c.Priority)))
            {
                var outcome = judge.Judge(chain, frame with { Indexes = indexes });
                if (!outcome.Passes)
                {
                    yield return new(ReachRule.Firewall, outcome.Unsure.Count == 0 ? ReachVerdict.No : ReachVerdict.Unknown, Words(judge, outcome, frame));
                }
            }
        }
    }

    private static string Words(FirewallJudge judge, FirewallOutcome outcome, FirewallFrame frame)
    {
        var chain = $"{outcome.Chain.Table}/{outcome.Chain.Name}";
        var by = outcome.By is { } rule ? $"rule {judge.Of(outcome.Chain).TakeWhile(r => r != rule).Count() + 1}" : "its policy, since no rule lets it through";
        return $"the firewall's {chain} drops {(frame.IsReply ? "the answer" : "it")} by {by}{(outcome.Unsure.Count == 0 ? "" : "; rules that ask for more than links and the connection's state may let some through")}";
    }
}
