namespace Microvm.Linux;

/// <summary>What a base chain does with a frame.</summary>
/// <param name="Passes">Whether a frame that meets nothing which is not known of it is let through.</param>
/// <param name="By">The base chain's own rule that decides it, itself or by the chains that it leads to; null for the policy.</param>
/// <param name="Unsure">Rules that decide the other way, of frames that meet what is not known here.</param>
internal sealed record FirewallOutcome(FirewallChain Chain, bool Passes, FirewallRule? By, IReadOnlyList<FirewallRule> Unsure);

/// <summary>Follows a frame through the chains of a firewall. Pure.</summary>
internal sealed class FirewallJudge(Firewall firewall)
{
    // NFT_JUMP_STACK_SIZE
    private const int DeepestJump = 16;
    private readonly ILookup<(bool, byte, string, string), FirewallRule> _rules = firewall.Rules.ToLookup(r => (r.IsLegacy, r.Family, r.Table, r.Chain));

    /// <summary>The chains that see a frame on its way through the host, in the order in which they do, with what each does with it.</summary>
    /// <param name="families">The families whose chains see it.</param>
    public IEnumerable<FirewallOutcome> Outcomes(FirewallFrame frame, params byte[] families) =>
        from chain in firewall.Chains
        where chain.Hook is FirewallChain.Prerouting or FirewallChain.Forward or FirewallChain.Postrouting && !chain.IsNat && families.Contains(chain.Family)
        orderby chain.Hook, chain.Priority
        select Judge(chain, frame);

    /// <summary>What one base chain does with a frame.</summary>
    public FirewallOutcome Judge(FirewallChain chain, FirewallFrame frame)
    {
        var walk = new Walk(this, chain, frame.At(chain.Hook));
        var end = walk.Through(chain.Name, 0);
        var passes = end.Passes ?? !chain.Drops;
        return new(chain, passes, end.By, [.. walk.Perhaps.Where(p => p.Passes != passes).Select(p => p.Rule).Distinct()]);
    }

    /// <summary>The rules of a chain, in order.</summary>
    public IEnumerable<FirewallRule> Of(FirewallChain chain, string? name = null) => _rules[(chain.IsLegacy, chain.Family, chain.Table, name ?? chain.Name)];

    /// <param name="Passes">Null where the chain came to its end and decided nothing.</param>
    /// <param name="By">The rule of this chain that it ended by.</param>
    private readonly record struct End(bool? Passes, FirewallRule? By);

    private sealed class Walk(FirewallJudge judge, FirewallChain chain, FirewallFrame frame)
    {
        private readonly Dictionary<string, End> _walked = [];

        /// <summary>What rules that are not sure to be for the frame would decide.</summary>
        public List<(bool Passes, FirewallRule Rule)> Perhaps { get; } = [];

        // What a chain does with a frame does not hang on where it is called from, so each is walked once.
        public End Through(string name, int depth) => depth > DeepestJump ? new(null, null) : _walked.TryGetValue(name, out var end) ? end : _walked[name] = Judge(name, depth);

        private End Judge(string name, int depth)
        {
            foreach (var rule in judge.Of(chain, name))
            {
                var machine = new FirewallMachine(frame, chain.Family, set => judge.Set(chain, set));
                var met = Match.Yes;
                foreach (var expression in rule.Expressions)
                {
                    var one = expression.Run(machine);
                    met = one < met ? one : met;
                    if (met == Match.No)
                    {
                        break;
                    }
                }
                var sure = met == Match.Yes && machine.Verdicts.Count == 1;
                foreach (var verdict in met == Match.No ? [] : machine.Verdicts)
                {
                    if (Decide(verdict, depth) is not { } passes)
                    {
                        if (sure && verdict.Kind is VerdictKind.Return or VerdictKind.Goto)
                        {
                            return new(null, null);
                        }
                    }
                    else if (sure)
                    {
                        return new(passes, rule);
                    }
                    else
                    {
                        Perhaps.Add((passes, rule));
                    }
                }
            }
            return new(null, null);
        }

        private bool? Decide(FirewallVerdict verdict, int depth) => verdict.Kind switch
        {
            VerdictKind.Accept => true,
            VerdictKind.Drop => false,
            VerdictKind.Jump or VerdictKind.Goto => Through(verdict.Chain!, depth + 1).Passes,
            _ => null,
        };
    }

    private FirewallSet? Set(FirewallChain chain, string name) => chain.IsLegacy ? null : firewall.Set(chain.Family, chain.Table, name);
}
