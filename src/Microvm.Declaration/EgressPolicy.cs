namespace Microvm.Declaration;

/// <summary>One entry of an egress policy.</summary>
/// <param name="Host">The host itself, whatever its addresses.</param>
/// <param name="Networks">Where to; empty for anywhere, or with <paramref name="Host"/>.</param>
/// <param name="Proto"><c>tcp</c> or <c>udp</c>; null for every protocol.</param>
internal sealed record EgressEntry(bool Host, IReadOnlyList<PrefixedAddress> Networks, string? Proto, int FirstPort, int LastPort);

/// <summary>Where guests may connect to. What is denied is denied whatever is allowed; where something is allowed, nothing else is.</summary>
internal sealed record EgressPolicy
{
    internal static EgressPolicy None { get; } = new();

    internal IReadOnlyList<EgressEntry> Allow { get; init => field = ValueList<EgressEntry>.Of(value); } = ValueList<EgressEntry>.Empty;
    internal IReadOnlyList<EgressEntry> Deny { get; init => field = ValueList<EgressEntry>.Of(value); } = ValueList<EgressEntry>.Empty;

    internal bool IsNone => Allow.Count == 0 && Deny.Count == 0;
}
