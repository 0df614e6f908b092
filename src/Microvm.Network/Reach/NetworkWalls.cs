using Microvm.Declaration;

namespace Microvm.Network.Reach;

/// <summary>The rules of declared networks, as their tables have them (<see cref="Networks.RulesetResource"/>), by the network's kind.</summary>
internal static class NetworkWalls
{
    /// <summary>What a guest sends to somebody who is not in its network.</summary>
    internal static IEnumerable<ReachStep> Out(ReachEnd.Guest from, DeclaredNetwork network)
    {
        var named = $"the network '{network.Name}', which '{from.Interface.Id}' is in,";
        yield return network.Kind switch
        {
            NetworkKind.Nat => Step(ReachVerdict.Yes, $"{named} leads outside by NAT"),
            NetworkKind.Routed => Step(ReachVerdict.Yes, $"{named} leads outside under the guests' own addresses"),
            NetworkKind.Isolated or NetworkKind.Internal => Step(ReachVerdict.No, $"{named} leads nowhere: it is of kind {Word(network)}"),
            _ => throw new ArgumentOutOfRangeException(nameof(network), network.Kind, "no such kind"),
        };
        if (!network.Egress.IsNone)
        {
            yield return Step(ReachVerdict.Unknown, $"{named} has rules about where its guests may connect to (egress), by address and port");
        }
    }

    /// <summary>What comes from somebody who is not in the network.</summary>
    internal static ReachStep In(ReachEnd.Guest to, DeclaredNetwork network, int? port, string proto)
    {
        var named = $"the network '{network.Name}', which '{to.Interface.Id}' is in,";
        return network.Kind switch
        {
            NetworkKind.Nat => PortForwards.To(to, port, proto, $"{named} lets nobody in from outside", ReachRule.Network),
            NetworkKind.Routed => Step(ReachVerdict.Yes, $"{named} is reached under the guests' own addresses"),
            NetworkKind.Isolated or NetworkKind.Internal => Step(ReachVerdict.No, $"{named} lets nobody in: it is of kind {Word(network)}"),
            _ => throw new ArgumentOutOfRangeException(nameof(network), network.Kind, "no such kind"),
        };
    }

    /// <summary>Between a guest and the host itself.</summary>
    internal static ReachStep Gateway(DeclaredNetwork network) => network.Kind == NetworkKind.Internal
        ? Step(ReachVerdict.No, $"the host has no address in the network '{network.Name}': it is of kind {Word(network)}")
        : Step(ReachVerdict.Yes, $"the host is the gateway of the network '{network.Name}'");

    private static ReachStep Step(ReachVerdict verdict, string text) => new(ReachRule.Network, verdict, text);

    private static string Word(DeclaredNetwork network) => DeclaredNetwork.Kinds[(int)network.Kind];
}
