using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Doctor;

/// <summary>Whether packets of routed and NATed guests are forwarded: by the kernel's setting, and by the firewall, whose rules a packet and its answer are followed through.</summary>
public sealed class ForwardPolicy : ICheck
{
    private const string Example = "vm-*";
    public string Name => "forwarding";

    public IEnumerable<Finding> Look(HostView host)
    {
        // A tap of no bridge reaches the world only through the host's routing.
        var routed = host.Routed.ToList();
        var uplink = host.Uplink;
        foreach (var finding in Firewall(host, routed, uplink).Concat(Setting(host, routed, uplink)))
        {
            yield return finding;
        }
    }

    private IEnumerable<Finding> Firewall(HostView host, List<string> routed, string? uplink)
    {
        var judge = new FirewallJudge(host.Firewall);
        var mend = new FirewallMend(host, judge, isPattern: routed.Count == 0);
        var seen = new List<(FirewallOutcome Outcome, FirewallFrame Frame, string Link)>();
        foreach (var six in host.Sysctl("net.ipv6.conf.all.forwarding") is 1 ? new[] { false, true } : [false])
        {
            foreach (var link in routed.Count > 0 ? routed : [Example])
            {
                var way = new FirewallFrame(six, false) { In = link, Out = uplink, Indexes = host.Indexes };
                foreach (var frame in new[] { way, way with { IsReply = true, In = uplink, Out = link } })
                {
                    seen.AddRange(judge.Outcomes(frame, six ? FirewallChain.Ip6 : FirewallChain.Ip, FirewallChain.Inet).Select(o => (o, frame, link)));
                }
            }
        }
        foreach (var chain in seen.GroupBy(s => s.Outcome.Chain))
        {
            var dropped = chain.Where(s => !s.Outcome.Passes).ToList();
            var links = dropped.Select(d => d.Link).Distinct().ToList();
            if (dropped.Count > 0)
            {
                var docker = chain.Key is { Table: "filter", Name: "FORWARD" } && (host.Exists("/run/docker.sock") || host.Exists("/var/run/docker.sock") || host.Exists("/run/docker.pid"));
                var what = dropped.All(d => d.Frame.IsReply) ? $"the answers that {FirewallWords.Few(links)} waits for" : dropped.Any(d => d.Frame.IsReply) ? $"what {FirewallWords.Few(links)} sends, and the answers" : $"what {FirewallWords.Few(links)} sends";
                yield return new(Name, routed.Count == 0 ? Severity.Note : Severity.Warning,
                    $"the firewall's {FirewallWords.Name(chain.Key)} drops what is forwarded{(docker ? " (Docker sets this)" : "")}: {(routed.Count == 0 ? "no rule lets guests through" : what)}",
                    $"packets of routed and NATed guests stop here: {FirewallWords.Decider(judge, mend, dropped[0].Outcome)}. {FirewallWords.Lasting}",
                    mend.Of(dropped.Select(d => (d.Outcome, d.Frame, Passage(d.Outcome.Chain, d.Frame, d.Link)))));
            }
            else if (routed.Count > 0 && chain.FirstOrDefault(s => s.Outcome.Unsure.Count > 0) is { Outcome: { } unsure })
            {
                yield return new(Name, Severity.Note, $"the firewall's {FirewallWords.Name(chain.Key)} may drop some of what is forwarded for {FirewallWords.Few([.. chain.Select(c => c.Link).Distinct()])}", $"the rest passes; {FirewallWords.Rules(judge, unsure)}");
            }
            else if (chain.Key.Drops)
            {
                yield return new(Name, Severity.Ok, $"the firewall's {FirewallWords.Name(chain.Key)} lets {FirewallWords.Few([.. chain.Select(c => c.Link).Distinct()])} through");
            }
        }
    }

    private static Passage Passage(FirewallChain chain, FirewallFrame frame, string link) => (frame.IsReply, chain.Hook) switch
    {
        (false, FirewallChain.Postrouting) => new(null, frame.Out, false),
        (false, _) => new(link, null, false),
        (true, FirewallChain.Prerouting) => new(frame.In, null, true),
        (true, _) => new(null, link, true),
    };

    private IEnumerable<Finding> Setting(HostView host, List<string> routed, string? uplink)
    {
        if (host.Sysctl("net.ipv4.ip_forward") is not 0)
        {
            yield return new(Name, Severity.Ok, "the host forwards IPv4 packets");
            yield break;
        }
        // Without the host's own setting, that of the link by which a packet comes in decides (ip_route_input_slow() in net/ipv4/route.c).
        var ways = uplink is null ? [] : routed.Append(uplink).ToList();
        var closed = ways.Where(l => host.Setting($"/proc/sys/net/ipv4/conf/{l}/forwarding") is not 1).ToList();
        if (ways.Count > 1 && closed.Count == 0)
        {
            yield return new(Name, Severity.Ok, $"{FirewallWords.Few(ways)} forward IPv4 packets, and no other link does");
            yield break;
        }
        var isHere = ways.Count > 1 && closed.TrueForAll(l => host.Setting($"/proc/sys/net/ipv4/conf/{l}/forwarding") is 0);
        yield return new(Name, Severity.Note, "the host does not forward IPv4 packets (net.ipv4.ip_forward=0)",
            "routed and NATed guests reach the host and nothing beyond; bridged and macvtap guests are not affected"
                + (isHere ? $". This is for {FirewallWords.Few(closed)} alone, until they are recreated" : ""),
            isHere ? $"{host.Sudo("sysctl -w")} {string.Join(' ', closed.Select(l => Shell.Quote($"net.ipv4.conf.{l.Replace('.', '/')}.forwarding=1")))}" : host.Sudo("sysctl -w net.ipv4.ip_forward=1"));
    }
}
