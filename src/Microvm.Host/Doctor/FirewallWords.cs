using Microvm.Linux;

namespace Microvm.Host.Doctor;

/// <summary>What the doctor says of a firewall's chain.</summary>
internal static class FirewallWords
{
    public const string Lasting = "The rule is lost when the firewall is reloaded, so add it to the firewall's configuration too.";

    /// <summary>As people write it: table/chain.</summary>
    public static string Name(FirewallChain chain) => $"{chain.Table}/{chain.Name}{(chain.IsLegacy ? $" (ip{(chain.Family == FirewallChain.Ip6 ? "6" : "")}tables-legacy)" : "")}";

    /// <summary>What decides, and what is not known of it.</summary>
    public static string Decider(FirewallJudge judge, FirewallMend mend, FirewallOutcome outcome)
    {
        var decides = mend.Place(outcome) is { } place ? $"rule {place} of the chain drops them" : "no rule of the chain lets them through, and its policy drops the rest";
        return outcome.Unsure.Count == 0 ? decides : $"{decides}; some may pass, for {Rules(judge, outcome)}";
    }

    /// <summary>The rules that may or may not be for a frame.</summary>
    public static string Rules(FirewallJudge judge, FirewallOutcome outcome)
    {
        var places = outcome.Unsure.Select(r => (r.Chain, Place: judge.Of(outcome.Chain, r.Chain).TakeWhile(o => o != r).Count() + 1)).ToList();
        var few = string.Join(", ", places.Take(3).Select(p => p.Chain == outcome.Chain.Name ? $"rule {p.Place}" : $"rule {p.Place} of {p.Chain}"));
        return $"{few}{(places.Count > 3 ? $" and {places.Count - 3} more" : "")} depend{(places.Count == 1 ? "s" : "")} on more than links and the connection state, which the doctor can't judge";
    }

    public static string Few(IReadOnlyCollection<string> names) => string.Join(", ", names.Take(5)) + (names.Count > 5 ? $" and {names.Count - 5} more" : "");
}
