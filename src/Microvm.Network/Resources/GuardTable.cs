using System.Text;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Networks;

namespace Microvm.Network.Resources;

/// <summary>What is there of the guests' guards.</summary>
/// <param name="IsThere">There is a table.</param>
/// <param name="IsSound">Its rules are those that were made.</param>
/// <param name="Guards">By the name of the link.</param>
internal sealed record GuardsSeen(bool IsThere, bool IsSound, IReadOnlyDictionary<string, AddressGuard> Guards)
{
    /// <summary>All of it, to be compared with what is there later.</summary>
    internal string Picture => $"{IsThere} {IsSound} {string.Join(';', Guards.Values.OrderBy(g => g.Link, StringComparer.Ordinal))}";
}

/// <summary>One table of nftables for all guests that send under their own addresses alone: <c>bridge microvm-antispoof</c>. Its rules never change; its sets
/// say which link may send under what, and whose it is. It is there as long as a guest is in it. A file below /run tells that it is, so that nothing is asked of
/// the firewall on hosts that have none, and tells those without CAP_NET_ADMIN what was asked for.</summary>
internal static class GuardTable
{
    private const string Name = "microvm-antispoof", Folder = "/run/microvm/antispoof";
    private const byte NFPROTO_BRIDGE = 7;
    private const int NameBytes = 16, MacBytes = 6;

    private static readonly CapabilitySet s_lent = CapabilitySet.Of(Capability.NetAdmin);

    // Raw offsets, since nft 1.0.6 has no words for what neighbour discovery asks for, and since its words for IPv6 and ARP pass over frames with a VLAN tag.
    // "!=" too asks for a packet whose protocol could be told: of one that says it is longer than it is, no rule about it counts.
    private const string Sets = """
        	set guests { typeof iifname; }
        	set macs { typeof iifname . @ll,48,48; }
        	set v4 { typeof iifname . @nh,96,32; }
        	set v6 { typeof iifname . @nh,64,128; }

        """;

    private const string Rules = """
        	chain solicit {
        		ip6 saddr :: iifname . @th,64,128 @v6 accept
        		iifname . @nh,64,128 != @v6 drop
        		ip6 length 24 accept
        		ip6 length 32 @th,192,16 0x0101 iifname . @th,208,48 @macs accept
        		drop
        	}
        	chain advertise {
        		iifname . @nh,64,128 != @v6 drop
        		iifname . @th,64,128 != @v6 drop
        		ip6 length 24 accept
        		ip6 length 32 @th,192,16 0x0201 iifname . @th,208,48 @macs accept
        		drop
        	}
        	chain ask-routers {
        		ip6 saddr :: ip6 length 8 accept
        		iifname . @nh,64,128 != @v6 drop
        		ip6 length 8 accept
        		ip6 length 16 @th,64,16 0x0101 iifname . @th,80,48 @macs accept
        		drop
        	}
        	chain from-icmp6 {
        		@th,0,8 135 goto solicit
        		@th,0,8 136 goto advertise
        		@th,0,8 133 goto ask-routers
        		ip6 saddr :: @th,0,8 { 131, 132, 143 } accept
        		@th,0,8 != { 133, 134, 135, 136, 137 } iifname . @nh,64,128 @v6 accept
        		frag frag-off != 0 iifname . @nh,64,128 @v6 accept
        		drop
        	}
        	chain from-ip6 {
        		meta l4proto ipv6-icmp goto from-icmp6
        		meta l4proto udp @th,16,16 546 drop
        		meta l4proto != 58 iifname . @nh,64,128 @v6 accept
        		drop
        	}
        	chain from-ip {
        		meta l4proto udp @th,16,16 68 drop
        		meta l4proto != 255 iifname . @nh,96,32 @v4 accept
        		@nh,96,64 0x00000000ffffffff meta l4proto udp @th,0,32 0x00440043 accept
        		drop
        	}
        	chain from-arp {
        		@nh,0,48 != 0x000108000604 drop
        		iifname . @nh,64,48 != @macs drop
        		iifname . @nh,112,32 @v4 accept
        		@nh,48,16 1 @nh,112,32 0 accept
        		drop
        	}
        	chain guest {
        		iifname . @ll,48,48 != @macs drop
        		meta protocol vmap { arp : goto from-arp, ip : goto from-ip, ip6 : goto from-ip6 }
        		drop
        	}
        	chain prerouting {
        		type filter hook prerouting priority -350; policy accept;
        		iifname @guests jump guest
        	}

        """;

    /// <summary>Whether VMs want guards, or there is one in any network namespace.</summary>
    internal static bool IsUsed(IEnumerable<MicrovmConfig> vms) => Directory.Exists(Folder) || vms.Any(v => v.Interfaces.Any(i => i.AntiSpoof == AntiSpoof.Ip));

    /// <summary>Looks at what is there.</summary>
    /// <param name="wanted">Somebody wants to be in it; else it is asked for only where there was one.</param>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal static GuardsSeen Read(bool wanted)
    {
        var noted = Noted();
        if (noted is null && !wanted)
        {
            return new(false, true, new Dictionary<string, AddressGuard>());
        }
        string[] lines = noted?.Split('\n', StringSplitOptions.RemoveEmptyEntries) ?? [];
        if (!Privileges.Permitted.Has(Capability.NetAdmin))
        {
            return new(noted is not null, true, lines.Skip(1).Select(Parse).OfType<AddressGuard>().ToDictionary(g => g.Link));
        }
        if (FirewallSocket.Set(NFPROTO_BRIDGE, Name, "guests") is not { } guests)
        {
            return new(false, true, new Dictionary<string, AddressGuard>());
        }
        var (macs, v4, v6) = (Values("macs", MacBytes), Values("v4", 4), Values("v6", 16));
        return new(true, lines.FirstOrDefault() == Fingerprint(), guests.Elements.Select(e => (Link: LinkOf(e.Key), e.Comment))
            .Select(e => new AddressGuard(e.Link, e.Comment ?? "", string.Join(' ', macs[e.Link]), string.Join(' ', v4[e.Link].Concat(v6[e.Link]).Order(StringComparer.Ordinal)))).ToDictionary(g => g.Link));
    }

    /// <summary>Forgets a table that is gone: a process was killed between the two, or somebody flushed all rules.</summary>
    internal static void Tidy()
    {
        if (Noted() is null)
        {
            HeldFolder.RemoveIfEmpty(Folder);
        }
        else if (Privileges.Permitted.Has(Capability.NetAdmin) && !Read(wanted: true).IsThere)
        {
            Note(null);
        }
    }

    /// <summary>Makes it so, in one transaction.</summary>
    /// <param name="seen">What is there.</param>
    /// <exception cref="LinuxException">nft failed.</exception>
    internal static void Write(GuardsSeen seen, IReadOnlyDictionary<string, AddressGuard> wanted)
    {
        var text = new StringBuilder();
        var isKept = seen is { IsThere: true, IsSound: true } && wanted.Count > 0;
        if (!isKept)
        {
            text.Append(seen.IsThere ? $"delete table bridge {Name}\n" : "");
            // A table of somebody else's is not added to. In one piece nft 1.0.6 does not find the sets again.
            text.Append(wanted.Count > 0 ? $"create table bridge {Name} {{ comment \"{Name}\"; }}\ntable bridge {Name} {{\n{Sets}{Rules}}}\n" : "");
        }
        foreach (var gone in isKept ? seen.Guards.Values.Where(g => wanted.GetValueOrDefault(g.Link) != g) : [])
        {
            Elements(text, "delete", gone);
        }
        foreach (var guard in wanted.Values.Where(g => !isKept || seen.Guards.GetValueOrDefault(g.Link) != g))
        {
            Elements(text, "add", guard);
        }
        var noted = Noted();
        if (wanted.Count > 0)
        {
            // First, so that a process killed on the way leaves word of what it left.
            Note(noted ?? "-\n");
        }
        try
        {
            NetworkProgram.Run(NetworkProgram.Nft, "guard the addresses of guests", text.ToString(), s_lent, "-f", "-");
        }
        catch (LinuxException)
        {
            Note(noted);
            throw;
        }
        Note(wanted.Count == 0 ? null : $"{Fingerprint()}\n{string.Concat(wanted.Values.Select(g => $"{g.Link}\t{g.Alias}\t{g.Mac}\t{g.Addresses}\n"))}");
    }

    private static void Elements(StringBuilder text, string verb, AddressGuard guard)
    {
        var link = $"\"{guard.Link}\"";
        text.Append($"{verb} element bridge {Name} guests {{ {link}{(verb == "add" ? $" comment \"{guard.Alias}\"" : "")} }}\n");
        foreach (var mac in guard.Mac.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            text.Append($"{verb} element bridge {Name} macs {{ {link} . 0x{mac} }}\n");
        }
        foreach (var address in guard.Addresses.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            text.Append($"{verb} element bridge {Name} {(address.Length == 8 ? "v4" : "v6")} {{ {link} . 0x{address} }}\n");
        }
    }

    private static ILookup<string, string> Values(string set, int bytes) => (FirewallSocket.Set(NFPROTO_BRIDGE, Name, set)?.Elements ?? [])
        .Where(e => e.Key.Length >= NameBytes + bytes).ToLookup(e => LinkOf(e.Key), e => Convert.ToHexStringLower(e.Key.AsSpan(NameBytes, bytes)));

    private static string LinkOf(byte[] key) => Encoding.UTF8.GetString(key.AsSpan(0, Math.Min(NameBytes, key.Length))).TrimEnd('\0');

    private static string Fingerprint() => Convert.ToHexStringLower(Sha256.HashData(FirewallSocket.RulesOf(NFPROTO_BRIDGE, Name)));

    // Unlike the number of the namespace's file it is given to no other.
    private static string Namespace() => NetworkNamespace.Cookie().ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <exception cref="LinuxException">It is there, and can't be read: to take that for a host without guards would leave them.</exception>
    private static string? Noted()
    {
        try
        {
            return File.ReadAllText($"{Folder}/{Namespace()}");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LinuxException($"read which guests' addresses are guarded: {e.Message}", 0);
        }
    }

    /// <param name="text">Null for a host without guards.</param>
    private static void Note(string? text)
    {
        if (text is not null)
        {
            using var made = HeldFolder.OpenOrMake(Folder);
            made.Put(Namespace(), Encoding.UTF8.GetBytes(text));
        }
        else if (Noted() is not null)
        {
            using var folder = HeldFolder.OpenOrMake(Folder);
            _ = folder.Remove(Namespace());
            HeldFolder.RemoveIfEmpty(Folder);
        }
    }

    private static AddressGuard? Parse(string line) => line.Split('\t') is [var link, var alias, var mac, var addresses] ? new(link, alias, mac, addresses) : null;
}
