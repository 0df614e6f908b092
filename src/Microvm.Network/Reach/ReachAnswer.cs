namespace Microvm.Network.Reach;

/// <summary>Whether frames get there.</summary>
internal enum ReachVerdict
{
    /// <summary>They do, as far as the host decides it.</summary>
    Yes,

    /// <summary>What decides it is not known here.</summary>
    Unknown,

    /// <summary>They don't.</summary>
    No,
}

/// <summary>What decides about a frame's way.</summary>
internal enum ReachRule
{
    Link, Bridge, Isolation, AntiSpoof, Macvtap, UserNetwork, Network, ForwardedPort, Route, Forwarding, Firewall, Outside,
}

/// <summary>The words of the rules and verdicts in JSON. Scripts rely on them; they never change.</summary>
internal static class ReachWords
{
    internal static string Word(this ReachRule rule) => rule switch
    {
        ReachRule.Link => "link",
        ReachRule.Bridge => "bridge",
        ReachRule.Isolation => "isolation",
        ReachRule.AntiSpoof => "anti-spoof",
        ReachRule.Macvtap => "macvtap",
        ReachRule.UserNetwork => "user-network",
        ReachRule.Network => "network",
        ReachRule.ForwardedPort => "forwarded-port",
        ReachRule.Route => "route",
        ReachRule.Forwarding => "forwarding",
        ReachRule.Firewall => "firewall",
        ReachRule.Outside => "outside",
        _ => throw new ArgumentOutOfRangeException(nameof(rule), rule, "no such rule"),
    };

    internal static string Word(this ReachVerdict verdict) => verdict switch
    {
        ReachVerdict.Yes => "yes",
        ReachVerdict.Unknown => "unknown",
        ReachVerdict.No => "no",
        _ => throw new ArgumentOutOfRangeException(nameof(verdict), verdict, "no such verdict"),
    };
}

/// <summary>One thing on the way, and what it does with a frame.</summary>
/// <param name="Text">In words, a whole clause.</param>
internal sealed record ReachStep(ReachRule Rule, ReachVerdict Verdict, string Text);

/// <summary>The way from one end to the other, and how far it leads.</summary>
internal sealed record ReachAnswer(IReadOnlyList<ReachStep> Steps)
{
    /// <summary>That of the step which lets the least through.</summary>
    internal ReachVerdict Verdict => Steps.Max(s => s.Verdict);

    /// <summary>The step that decides: the first that lets least through; where all let it pass, the one that leads there.</summary>
    internal ReachStep Decides => Verdict == ReachVerdict.Yes ? Steps[^1] : Steps.First(s => s.Verdict == Verdict);
}
