using System.Net;

namespace Microvm.Declaration;

/// <summary>What a guest is told of its own end of an interface, in place of DHCP.</summary>
/// <param name="Address">IPv4, with its network's prefix.</param>
/// <param name="Gateway">In that network; null for the one that the host's side implies.</param>
/// <param name="Dns">Two at most; none for the one that its network implies.</param>
/// <param name="At">Where it was declared.</param>
internal sealed record GuestSide(PrefixedAddress Address, IPAddress? Gateway, IReadOnlyList<IPAddress> Dns, SourcePosition At);
