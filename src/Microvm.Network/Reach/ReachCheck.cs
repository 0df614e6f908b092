using Microvm.Declaration;

namespace Microvm.Network.Reach;

/// <summary>Holds declarations to what they assert, by the declarations alone.</summary>
internal static class ReachCheck
{
    /// <summary>An error for each assertion that does not hold, or whose outcome the declarations leave open.</summary>
    /// <param name="vms">All VMs that are looked at together.</param>
    /// <param name="more">Assertions besides those of the VMs, whose ends must all be there.</param>
    internal static void Check(IReadOnlyList<MicrovmConfig> vms, IReadOnlyList<ReachAssertion> more, DiagnosticBag diagnostics)
    {
        var scene = new ReachScene(vms);
        foreach (var (assertion, must) in vms.SelectMany(v => v.ReachAssertions).Select(a => (a, false)).Concat(more.Select(a => (a, true))))
        {
            var from = ReachEnd.Of(assertion.From, scene, out var fault);
            var to = ReachEnd.Of(assertion.To, scene, out var other);
            if ((fault ?? other) is { } unknown)
            {
                if (must)
                {
                    diagnostics.Error(assertion.At, $"\"{assertion}\": {unknown}");
                }
                else
                {
                    diagnostics.Warning(assertion.At, $"\"{assertion}\" was not looked at: {unknown}; check all declarations together");
                }
                continue;
            }
            var answer = new Ways(scene, assertion.Port, assertion.Proto).Between(from, to);
            if (answer.Verdict != (assertion.Holds ? ReachVerdict.Yes : ReachVerdict.No))
            {
                var what = answer.Verdict switch
                {
                    ReachVerdict.Yes => "but it does",
                    ReachVerdict.No => "but it does not",
                    ReachVerdict.Unknown => "and the declarations leave that open",
                    _ => throw new InvalidOperationException(),
                };
                diagnostics.Error(assertion.At, $"\"{assertion}\" does not hold: '{assertion.From}' {(assertion.Holds ? "should reach" : "should not reach")} '{assertion.To}', {what}: {answer.Decides.Text}");
            }
        }
    }
}
