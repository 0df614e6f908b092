using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Doctor;

/// <summary>Frames that a chain shall let through: by the link they come in by, the link they go out by, or both.</summary>
/// <param name="In">A link's name; null for any.</param>
/// <param name="Out">Likewise.</param>
/// <param name="Answers">Only what answers a connection that was let through before.</param>
internal sealed record Passage(string? In, string? Out, bool Answers);

/// <summary>The smallest rules that let frames through a chain: for these links alone, at the very place where they are dropped, so that whatever the chain
/// decides before it decides as before.</summary>
/// <param name="isPattern">Whether the links' names end in a <c>*</c> that stands for anything.</param>
internal sealed class FirewallMend(HostView host, FirewallJudge judge, bool isPattern = false)
{
    // Docker calls it before its own rules, never changes it, and asks that people put theirs there.
    private const string DockersOwn = "DOCKER-USER";

    /// <summary>The command; null where neither tool can say it.</summary>
    public string? Of(IEnumerable<(FirewallOutcome Outcome, FirewallFrame Frame, Passage Passage)> dropped)
    {
        var all = dropped.DistinctBy(d => (d.Outcome.Chain, d.Passage)).ToList();
        var commands = all.Select(d => Iptables(d.Outcome.Chain) is { } program ? (Rule(program, d.Outcome, d.Frame, d.Passage), 0) : (Rule(d.Outcome, d.Passage), 1)).ToList();
        if (commands.Count == 0 || commands.Any(c => c.Item1 is null))
        {
            return null;
        }
        // A rule that is inserted moves those behind it, so the last place comes first.
        var iptables = all.Zip(commands).Where(z => z.Second.Item2 == 0).OrderByDescending(z => Place(z.First.Outcome) ?? int.MaxValue).Select(z => z.Second.Item1!);
        var nft = commands.Where(c => c.Item2 == 1).Select(c => c.Item1!).ToList();
        return string.Join("; ", [.. iptables, .. nft.Count == 0 ? Array.Empty<string>() : [$"{host.Sudo("nft")} {Shell.Quote(string.Join("; ", nft))}"]]);
    }

    /// <summary>The chain's rule that decides, from 1; null for its policy.</summary>
    public int? Place(FirewallOutcome outcome) => outcome.By is { } by ? judge.Of(outcome.Chain).TakeWhile(r => r != by).Count() + 1 : null;

    /// <summary>The program of iptables that shows and changes the chain; null where it is nft's.</summary>
    private string? Iptables(FirewallChain chain)
    {
        var made = chain is { Family: FirewallChain.Ip or FirewallChain.Ip6, Table: "filter" or "raw" or "mangle" or "security", Name: "PREROUTING" or "FORWARD" or "POSTROUTING" };
        var six = chain.Family == FirewallChain.Ip6 ? "6" : "";
        var (usual, own) = ($"ip{six}tables", $"ip{six}tables-{(chain.IsLegacy ? "legacy" : "nft")}");
        return !made ? null
            // On Debian both are there, and which one plain iptables is, is the administrator's choice.
            : host.Program(own) is { } path && host.Program(usual) is { } plain && host.Target(path) != host.Target(plain) ? own
            : host.Program(usual) is not null || chain.IsLegacy || host.Program("nft") is null ? usual : null;
    }

    private string? Rule(string program, FirewallOutcome outcome, FirewallFrame frame, Passage passage)
    {
        var chain = outcome.Chain;
        string? Link(string option, string? name) => name is null ? "" : isPattern ? $" {option} {Shell.Quote(name.Replace('*', '+'))}" : name.EndsWith('+') ? null : $" {option} {Shell.Quote(name)}";
        if (Link("-i", passage.In) is not { } comes || Link("-o", passage.Out) is not { } goes || !Fits(chain, passage))
        {
            return null;
        }
        var where = IsOpenedBy(DockersOwn, chain, frame) ? $"-I {DockersOwn}" : Place(outcome) is { } place ? $"-I {chain.Name} {place}" : $"-A {chain.Name}";
        return $"{host.Sudo(program)}{(chain.Table == "filter" ? "" : $" -t {chain.Table}")} {where}{comes}{goes}{(passage.Answers ? " -m conntrack --ctstate RELATED,ESTABLISHED" : "")} -j ACCEPT";
    }

    private string? Rule(FirewallOutcome outcome, Passage passage)
    {
        var chain = outcome.Chain;
        // nft has no way to write a quotation mark in a name, and takes a star at its end for anything.
        string? Link(string key, string? name) => name is null ? "" : name.AsSpan().IndexOfAny('"', '\\') >= 0 || (!isPattern && name.EndsWith('*')) ? null : $" {key} \"{name}\"";
        if (Link("iifname", passage.In) is not { } comes || Link("oifname", passage.Out) is not { } goes || !Fits(chain, passage))
        {
            return null;
        }
        var family = chain.Family switch { FirewallChain.Ip => "ip", FirewallChain.Ip6 => "ip6", FirewallChain.Bridge => "bridge", _ => "inet" };
        return $"{(outcome.By is { } by ? $"insert rule {family} {chain.Table} {chain.Name} handle {by.Handle}" : $"add rule {family} {chain.Table} {chain.Name}")}{comes}{goes}{(passage.Answers ? " ct state established,related" : "")} accept";
    }

    // Before routing there is no way out to ask for, and after it no way in.
    private static bool Fits(FirewallChain chain, Passage passage) => chain.Hook == FirewallChain.Forward || (chain.Hook == FirewallChain.Prerouting ? passage.In is not null && passage.Out is null : passage.Out is not null && passage.In is null);

    /// <summary>Whether a rule in front of another chain would let the frame through.</summary>
    private bool IsOpenedBy(string name, FirewallChain chain, FirewallFrame frame)
    {
        var open = new FirewallRule(chain.Family, chain.Table, name, 0, [new Decide(new(VerdictKind.Accept))]) { IsLegacy = chain.IsLegacy };
        return new FirewallJudge(host.Firewall with { Rules = [open, .. host.Firewall.Rules] }).Judge(chain, frame).Passes;
    }
}
