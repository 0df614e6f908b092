using System.Net;

namespace Microvm.Declaration;

/// <summary>A route of the host over a tap.</summary>
/// <param name="To">The network, without bits behind its prefix.</param>
/// <param name="Via">A station on the tap that knows the way; null where all of the network is on the tap.</param>
/// <param name="Metric">The lower, the sooner it is taken; null for the kernel's usual one.</param>
internal sealed record HostRoute(PrefixedAddress To, IPAddress? Via, uint? Metric)
{
    /// <summary>The address that it leads to, where that is the guest itself; null for a network, and for what is behind the guest.</summary>
    internal IPAddress? Guest => Via is null && To.PrefixLength == (To.IsV6 ? 128 : 32) ? To.Address : null;
}
