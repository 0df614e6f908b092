using System.Net;
using System.Net.Sockets;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Networks;

namespace Microvm.Observation;

/// <summary>An address of a guest, and how the host knows of it.</summary>
/// <param name="From">One of <see cref="Reserved"/>, <see cref="Leased"/> and <see cref="Seen"/>.</param>
public sealed record GuestAddress(IPAddress Address, string From)
{
    /// <summary>A declared network keeps it for the guest, which has not asked for it yet, or needs not to: an IPv6 guest may form its own.</summary>
    public const string Reserved = "reserved";

    /// <summary>The guest was given it by DHCP.</summary>
    public const string Leased = "leased";

    /// <summary>The guest uses it: the host has it among its neighbours. What a guest says of itself there, nobody vouches for.</summary>
    public const string Seen = "seen";
}

/// <summary>The addresses of guests, as the host knows them at one time.</summary>
public sealed class GuestAddresses
{
    // A guest may have itself seen under as many as it likes.
    private const int MostSeen = 8;

    private readonly ILookup<(string Vm, string Mac), IPAddress> _reserved;
    private readonly ILookup<(string Vm, string Bridge), string> _macs;
    private readonly ILookup<string, IPAddress> _leased;
    private readonly ILookup<(int Link, string Mac), IPAddress> _seen;
    private readonly HashSet<IPAddress> _given;

    private GuestAddresses(IReadOnlyList<(string Network, Reservation Reservation)> reservations, IReadOnlyList<(string Network, Lease Lease)> leases, IReadOnlyList<LinkNeighbour> neighbours)
    {
        _reserved = reservations.Select(r => r.Reservation).SelectMany(r => r.Addresses.Select(a => (Key: (r.Vm, r.Mac), a))).ToLookup(p => p.Key, p => p.a);
        _macs = reservations.ToLookup(r => (r.Reservation.Vm, DeclaredNetwork.BridgeOf(r.Network).Value), r => r.Reservation.Mac);
        _leased = leases.ToLookup(l => l.Lease.Mac, l => l.Lease.Address);
        _given = [.. leases.Select(l => l.Lease.Address)];
        _seen = neighbours.Where(n => n.Mac.Length == 12 && !n.Address.IsIPv6LinkLocal && !n.Address.IsIPv6Multicast).ToLookup(n => (n.Link, n.Mac), n => n.Address);
        Leases = [.. leases.GroupBy(l => l.Network).Select(g => (g.Key, g.Count()))];
    }

    /// <summary>How many leases each network has given, of those that gave one.</summary>
    public IReadOnlyList<(string Network, int Count)> Leases { get; }

    /// <summary>What the host knows now.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    public static GuestAddresses Read(RouteSocket route)
    {
        List<NetworkFolder> folders = [.. NetworkFolder.All().Select(n => new NetworkFolder(n))];
        return new([.. folders.SelectMany(f => Reservation.All(f).Select(r => (f.Network, r)))], [.. folders.SelectMany(f => Lease.All(f).Select(l => (f.Network, l)))], route.Neighbours());
    }

    /// <summary>Those of one interface, IPv4's first. Nothing where its MAC is not known.</summary>
    public IReadOnlyList<GuestAddress> Of(InterfaceStatus i)
    {
        if ((i.Mac ?? SoleMac(i)) is not { } mac)
        {
            return [];
        }
        var all = new Dictionary<IPAddress, string>();
        foreach (var address in _reserved[(i.Vm, mac)])
        {
            all[address] = _given.Contains(address) ? GuestAddress.Leased : GuestAddress.Reserved;
        }
        foreach (var address in _leased[mac])
        {
            all[address] = GuestAddress.Leased;
        }
        if (i.Link is { } link && i.State != InterfaceState.Foreign)
        {
            var plain = mac.Replace(":", "", StringComparison.Ordinal);
            // Of all hosts' guests with this MAC, those are another's that are not on its own link.
            foreach (var address in _seen[(link.Master ?? link.Index, plain)].Where(a => !all.ContainsKey(a)).OrderBy(a => a.ToString(), StringComparer.Ordinal).Take(MostSeen).ToList())
            {
                all.Add(address, GuestAddress.Seen);
            }
        }
        return [.. all.OrderBy(p => p.Key.AddressFamily == AddressFamily.InterNetworkV6).ThenBy(p => p.Value == GuestAddress.Seen).Select(p => new GuestAddress(p.Key, p.Value))];
    }

    // A tap does not tell its guest's MAC, but a VM with one interface on the network can only have reserved for that.
    private string? SoleMac(InterfaceStatus i) => i.Upper is { } bridge && _macs[(i.Vm, bridge)].Take(2).ToList() is [var only] ? only : null;
}
