using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Microvm.Declaration;

/// <summary>An address with the length of its network's prefix.</summary>
internal sealed record PrefixedAddress(IPAddress Address, int PrefixLength)
{
    /// <summary>As a person writes it.</summary>
    public override string ToString() => $"{Address}/{PrefixLength}";

    internal bool IsV6 => Address.AddressFamily == AddressFamily.InterNetworkV6;

    /// <summary>Whether an address is in the network.</summary>
    internal bool Holds(IPAddress other)
    {
        var (own, its) = (Address.GetAddressBytes(), other.GetAddressBytes());
        return own.Length == its.Length && Enumerable.Range(0, PrefixLength).All(bit => ((own[bit / 8] ^ its[bit / 8]) & 0x80 >> bit % 8) == 0);
    }

    /// <summary>Whether two networks share an address.</summary>
    internal bool Overlaps(PrefixedAddress other) => PrefixLength <= other.PrefixLength ? Holds(other.Address) : other.Holds(Address);

    /// <summary>The address that comes so many after the network's first.</summary>
    internal IPAddress At(ulong offset)
    {
        var bytes = Address.GetAddressBytes();
        for (var bit = PrefixLength; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> bit % 8);
        }
        for (var at = bytes.Length - 1; at >= 0 && offset > 0; at--, offset >>= 8)
        {
            bytes[at] |= (byte)offset;
        }
        return new(bytes);
    }
}

/// <summary>Who reaches whom, by the words of <see cref="DeclaredNetwork.Kinds"/>, in their order.</summary>
internal enum NetworkKind
{
    /// <summary>Guests leave under the host's addresses.</summary>
    Nat,

    /// <summary>Guests leave under their own, and are reached under these.</summary>
    Routed,

    /// <summary>Guests reach each other and the host.</summary>
    Isolated,

    /// <summary>Guests reach each other; the host has no address there.</summary>
    Internal,
}

/// <summary>A network of <c>microvm.networks</c> that passed every rule.</summary>
internal sealed record DeclaredNetwork
{
    /// <summary>The name of the network that needs no declaration.</summary>
    internal const string Default = "default";

    internal required string Name { get; init; }

    /// <summary>Where it was declared, or first used.</summary>
    internal SourcePosition At { get; init; }

    /// <summary>The host's own addresses in it, one of each family at most; empty leaves the choice to the host.</summary>
    internal IReadOnlyList<PrefixedAddress> Addresses { get; init => field = ValueList<PrefixedAddress>.Of(value); } = ValueList<PrefixedAddress>.Empty;

    /// <summary>The words of the kinds.</summary>
    internal static readonly string[] Kinds = ["nat", "routed", "isolated", "internal"];

    /// <summary>Who reaches whom.</summary>
    internal NetworkKind Kind { get; init; }

    /// <summary>Whether guests leave under the host's addresses.</summary>
    internal bool Nat => Kind == NetworkKind.Nat;

    /// <summary>With NAT: the one link by which guests leave; null for whatever the routes lead to.</summary>
    internal InterfaceName? Uplink { get; init; }

    /// <summary>With NAT: whether it is done for IPv6 too.</summary>
    internal bool NatV6 { get; init; } = true;

    /// <summary>The bridge's; null for the kernel's choice.</summary>
    internal int? Mtu { get; init; }

    /// <summary>Where guests may connect to.</summary>
    internal EgressPolicy Egress { get; init; } = EgressPolicy.None;

    /// <summary>Whether packets of a family leave the host.</summary>
    internal bool HasWayOut(bool v6) => Kind == NetworkKind.Routed || (Nat && (NatV6 || !v6));

    internal bool Dhcp { get; init; } = true;
    internal bool Dns { get; init; } = true;
    internal string? Domain { get; init; }

    /// <summary>All that the VMs declare, and <c>default</c> where an interface names it and nobody declares it. By name.</summary>
    internal static IReadOnlyList<DeclaredNetwork> Of(IReadOnlyList<MicrovmConfig> vms)
    {
        List<DeclaredNetwork>? networks = null;
        foreach (var network in vms.SelectMany(v => v.Networks))
        {
            if (networks?.Exists(n => n.Name == network.Name) != true)
            {
                (networks ??= []).Add(network);
            }
        }
        foreach (var user in vms.SelectMany(v => v.Interfaces).Where(i => i.Network == Default))
        {
            if (networks?.Exists(n => n.Name == Default) != true)
            {
                (networks ??= []).Add(new() { Name = Default, At = user.At });
            }
        }
        return networks ?? (IReadOnlyList<DeclaredNetwork>)[];
    }

    /// <summary>Whether two declarations, wherever they stand, say the same.</summary>
    internal bool IsSameAs(DeclaredNetwork other) => this == other with { At = At };

    /// <summary>The bridge of a network: readable where that fits into the 15 bytes of a link's name, else a hash.</summary>
    internal static InterfaceName BridgeOf(string network)
    {
        var readable = $"net-{network}";
        if (!InterfaceName.TryParse(readable, out var bridge, out _))
        {
            _ = InterfaceName.TryParse($"net-{Convert.ToHexStringLower(Sha256.HashData(Encoding.UTF8.GetBytes(network)).AsSpan(0, 5))}", out bridge, out _);
        }
        return bridge;
    }
}
