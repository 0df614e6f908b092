using System.Text;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Networks;

/// <summary>The host's addresses in a network. They are ours by their origin (<c>IFA_PROTO</c>), where the kernel keeps one.</summary>
internal static class AddressResource
{
    /// <summary>Chooses what the declaration leaves to us, and finds what else on the host has those addresses.</summary>
    /// <param name="others">Networks of the same command.</param>
    internal static IEnumerable<Refusal> Choose(NetworkSite site, IEnumerable<NetworkSite> others)
    {
        if (!site.HasHost)
        {
            yield break;
        }
        var foreign = site.Foreign.ToList();
        if (site.Wanted.Addresses.Count > 0)
        {
            foreach (var own in site.Gateways)
            {
                if (foreign.Find(f => f.Network.Overlaps(own)) is { Network: { } shared, Link: var index })
                {
                    var link = site.Links.FirstOrDefault(l => l.Index == index)?.Name;
                    yield return new(RefusalKind.AddressTaken, "", site.BridgeName, NetworkSite.Mark(site.Name),
                        $"{own} of the network '{site.Name}' overlaps {shared}, which this host has{(link is null ? "" : $" on '{Printable.Of(link)}'")}; choose other addresses, or leave them out and microvm takes free ones");
                }
            }
            yield break;
        }
        // Once chosen it stays: the bridge has it.
        var made = site.Has.Where(a => !a.Address.IsIPv6LinkLocal).Select(a => new PrefixedAddress(a.Address, a.PrefixLength)).ToList();
        var taken = foreign.Select(f => f.Network).Concat(others.SelectMany(o => o.Gateways)).ToList();
        var v4 = made.Find(a => !a.IsV6) ?? Candidates(site.Name).FirstOrDefault(c => !taken.Exists(c.Overlaps));
        var v6 = made.Find(a => a.IsV6) ?? (Directory.Exists("/proc/sys/net/ipv6") ? UniqueLocal(site.Name) : null);
        if (v6 is not null && taken.Exists(v6.Overlaps))
        {
            v6 = null;
        }
        site.Gateways = [.. new[] { v4, v6 }.OfType<PrefixedAddress>()];
        if (v4 is null)
        {
            yield return new(RefusalKind.AddressTaken, "", site.BridgeName, NetworkSite.Mark(site.Name),
                $"the network '{site.Name}' finds no free private /24 on this host; declare one: microvm.networks.{site.Name}.addresses = [ \"10.20.0.1/24\" ]");
        }
    }

    internal static IEnumerable<NetworkStep> Up(NetworkSite site)
    {
        foreach (var want in site.Gateways)
        {
            var address = new LinkAddress(site.Index, want.Address, want.PrefixLength, LinkAddress.Ours);
            yield return site.Has.Any(h => h.Address.Equals(want.Address) && h.PrefixLength == want.PrefixLength) ? site.Step(StepKind.Keep, want.ToString(), "it is right")
                : site.Step(StepKind.Create, want.ToString(), $"'{site.BridgeName}' does not have it", undo =>
                {
                    undo.Push(() => Gone(site, address));
                    site.Route.Commit(new RouteBatch().AddAddress(site.BridgeName, address));
                });
        }
        foreach (var old in site.Has.Where(h => h.Origin == LinkAddress.Ours && !site.Gateways.Any(g => g.Address.Equals(h.Address) && g.PrefixLength == h.PrefixLength)))
        {
            yield return site.Step(StepKind.Delete, old.ToString(), "the declaration no longer has it", undo =>
            {
                undo.Push(() => site.Route.CommitToWhatIsThere(new RouteBatch().AddAddress(site.BridgeName, old)));
                site.Route.Commit(new RouteBatch().DeleteAddress(site.BridgeName, old));
            });
        }
    }

    private static void Gone(NetworkSite site, LinkAddress address)
    {
        if (site.Route.Addresses().Any(a => a.Link == address.Link && a.Address.Equals(address.Address)))
        {
            site.Route.CommitToWhatIsThere(new RouteBatch().DeleteAddress(site.BridgeName, address));
        }
    }

    /// <summary>Private /24 networks, most of them out of 10.0.0.0/8, in an order that follows from the name.</summary>
    private static IEnumerable<PrefixedAddress> Candidates(string network)
    {
        for (var n = 0; n < 96; n++)
        {
            var hash = Sha256.HashData(Encoding.UTF8.GetBytes($"{NetworkSite.Mark(network)}/{n}"));
            byte[] bytes = n switch
            {
                < 48 => [10, hash[0], hash[1], 1],
                < 72 => [172, (byte)(16 + hash[0] % 16), hash[1], 1],
                _ => [192, 168, hash[1], 1],
            };
            yield return new(new(bytes), 24);
        }
    }

    /// <summary>A unique local /64 (RFC 4193), its random part out of the name.</summary>
    private static PrefixedAddress UniqueLocal(string network)
    {
        var hash = Sha256.HashData(Encoding.UTF8.GetBytes(NetworkSite.Mark(network)));
        return new(new([0xfd, .. hash.AsSpan(0, 5), 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), 64);
    }
}
