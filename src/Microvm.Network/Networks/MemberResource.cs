using System.Net;
using System.Text;
using Microvm.Declaration;

namespace Microvm.Network.Networks;

/// <summary>The guests of a network as its service knows them: a file of reservations and one of names for each VM.</summary>
internal static class MemberResource
{
    /// <param name="vms">All VMs of the command: one that no longer joins the network is taken off it.</param>
    internal static IEnumerable<NetworkStep> Up(NetworkSite site, IReadOnlyList<NetworkMember> members, IReadOnlyList<Reservation> made, IReadOnlyCollection<string> vms)
    {
        var known = Known(site);
        foreach (var (vm, its) in made.GroupBy(r => r.Vm).Select(g => (g.Key, g.ToList())))
        {
            var (lines, names) = (Lines(its.Select(r => r.Line)), Lines(its.SelectMany(r => r.Addresses.Select(a => $"{a} {r.Host}"))));
            var isRight = site.Bridge is not null && site.Folder.Read($"{NetworkFolder.Reservations}/{vm}") == lines && site.Folder.Read($"{NetworkFolder.Names}/{vm}") == names;
            var what = its.SelectMany(r => r.Addresses).ToList() is { Count: > 0 } at ? string.Join(", ", at) : "no address";
            yield return isRight ? site.Step(StepKind.Keep, vm, $"{what}: it is right") : site.Step(StepKind.Create, vm, $"{what}: not reserved", undo =>
            {
                site.Folder.Write($"{NetworkFolder.Reservations}/{vm}", lines, undo);
                site.Folder.Write($"{NetworkFolder.Names}/{vm}", names, undo);
            });
        }
        // A VM that was renamed has its MAC under another name now.
        var macs = members.Select(m => m.Mac.ToString()).ToHashSet();
        foreach (var gone in known.Where(r => vms.Contains(r.Vm) || macs.Contains(r.Mac)).Select(r => r.Vm).Distinct().Where(v => members.All(m => m.Vm != v)))
        {
            yield return Down(site.Name, gone);
        }
    }

    internal static NetworkStep Down(string network, string vm) => new(StepKind.Delete, network, vm, $"{Printable.Of(vm)} is on it no longer", undo =>
    {
        var folder = new NetworkFolder(network);
        folder.Write($"{NetworkFolder.Reservations}/{vm}", null, undo);
        folder.Write($"{NetworkFolder.Names}/{vm}", null, undo);
    });

    // Files of a bridge that is gone are of a network that is gone.
    private static IReadOnlyList<Reservation> Known(NetworkSite site) => site.Bridge is null ? [] : Reservation.All(site.Folder);

    /// <summary>The address that a guest makes for itself out of its MAC and a router's advertisement (EUI-64, RFC 4291): the same, whether it does
    /// so or asks by DHCPv6.</summary>
    private static IPAddress OutOf(PrefixedAddress own, MacAddress mac)
    {
        var bytes = own.At(0).GetAddressBytes();
        mac.InterfaceIdentifier().CopyTo(bytes, 8);
        return new(bytes);
    }

    private static string Lines(IEnumerable<string> lines) => string.Concat(lines.Select(l => l + "\n"));

    /// <summary>Gives each member its declared addresses, those that it had, or some that follow from its name.</summary>
    internal static IReadOnlyList<Reservation> Reserve(NetworkSite site, IReadOnlyList<NetworkMember> members)
    {
        var known = Known(site);
        var vms = members.Select(m => m.Vm).ToHashSet();
        var macs = members.Select(m => m.Mac.ToString()).ToHashSet();
        var taken = new HashSet<IPAddress>(site.Gateways.Select(g => g.Address));
        taken.UnionWith(known.Where(r => !vms.Contains(r.Vm) && !macs.Contains(r.Mac)).SelectMany(r => r.Addresses));
        taken.UnionWith(members.SelectMany(m => m.Addresses));
        taken.UnionWith(Lease.All(site.Folder).Where(l => !macs.Contains(l.Mac)).Select(l => l.Address));
        var made = new List<Reservation>();
        foreach (var member in members)
        {
            var had = known.FirstOrDefault(r => r.Mac == member.Mac.ToString());
            made.Add(new(member.Vm, member.Mac.ToString(), Address(site.V4, had?.V4), Address(site.V6, had?.V6), member.Host));

            IPAddress? Address(PrefixedAddress? own, IPAddress? before)
            {
                if (own is null)
                {
                    return null;
                }
                if (member.Addresses.FirstOrDefault(own.Holds) is { } declared)
                {
                    return declared;
                }
                if (own is { IsV6: true, PrefixLength: 64 })
                {
                    return OutOf(own, member.Mac);
                }
                if (before is not null && own.Holds(before) && taken.Add(before))
                {
                    return before;
                }
                // In the lower half, since guests that nobody declared get theirs out of the upper one.
                var room = Pool.Half(own) - 2;
                var hash = BitConverter.ToUInt32(Sha256.HashData(Encoding.UTF8.GetBytes($"{member.Vm}/{member.Id}")));
                for (ulong n = 0; n < room; n++)
                {
                    if (own.At(2 + (hash + n) % room) is var next && taken.Add(next))
                    {
                        return next;
                    }
                }
                return null;
            }
        }
        return made;
    }
}

/// <summary>How the addresses of a network are divided: the lower half is reserved by name, the upper half is for whoever asks.</summary>
internal static class Pool
{
    internal static ulong Half(PrefixedAddress own) => 1ul << Math.Min((own.IsV6 ? 128 : 32) - own.PrefixLength, 16) - 1;

    /// <summary>The first and the last address for whoever asks.</summary>
    internal static (IPAddress First, IPAddress Last) Upper(PrefixedAddress own) => (own.At(Half(own)), own.At(2 * Half(own) - 2));
}
