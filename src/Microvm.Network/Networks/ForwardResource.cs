using System.Globalization;
using System.Net;
using System.Text;
using Microvm.Declaration;

namespace Microvm.Network.Networks;

/// <summary>Rules of one guest of a network: ports of the host that lead to it, and where it may connect to. A table for each VM, so that it comes and goes with the VM.</summary>
internal static class ForwardResource
{
    /// <summary>Ports that something else has.</summary>
    internal static IEnumerable<Refusal> Faults(NetworkSite site, IReadOnlyList<NetworkMember> members)
    {
        foreach (var (member, port) in members.SelectMany(m => m.Forwards.Select(f => (m, f))))
        {
            var rule = Match(port);
            foreach (var network in NetworkFolder.All())
            {
                var folder = new NetworkFolder(network);
                if (folder.List(NftTable.Forwards).FirstOrDefault(f => f.EndsWith(".asked", StringComparison.Ordinal) && f != $"{member.Vm}.asked"
                    && folder.Read($"{NftTable.Forwards}/{f}")!.Contains($"{rule} ", StringComparison.Ordinal)) is { } other && site.Bridge is not null)
                {
                    yield return Taken($"is forwarded to '{other[..^".asked".Length]}' already");
                }
            }
            if (site.Folder.Read($"{NftTable.Forwards}/{member.Vm}.asked")?.Contains($"{rule} ", StringComparison.Ordinal) != true && Listens(port))
            {
                yield return Taken("is another program's, which nobody would reach any more");
            }

            Refusal Taken(string by) => new(RefusalKind.PortTaken, member.Vm, member.Id, NetworkSite.Mark(site.Name), $"{port.Proto} port {port.HostPort} of the host {by}; forward another to '{member.Vm}'");
        }
    }

    internal static IEnumerable<NetworkStep> Up(NetworkSite site, IReadOnlyList<NetworkMember> members, IReadOnlyList<Reservation> reservations, IReadOnlyCollection<string> vms)
    {
        var forwarding = members.Where(m => m.HasRules).ToList();
        foreach (var vm in forwarding.GroupBy(m => m.Vm))
        {
            yield return new NftTable(site.Name, vm.Key).Up(Text(site, [.. vm], reservations), site.Bridge is null,
                string.Join(" and ", new[] { vm.Any(m => m.Forwards.Count > 0) ? $"ports of the host to {vm.Key}" : null, vm.Any(m => !m.Egress.IsNone) ? $"where {vm.Key} may connect to" : null }.OfType<string>()));
        }
        foreach (var gone in site.Folder.List(NftTable.Forwards).Where(f => f.EndsWith(".asked", StringComparison.Ordinal)).Select(f => f[..^".asked".Length]).Where(v => vms.Contains(v) && forwarding.All(m => m.Vm != v)))
        {
            if (new NftTable(site.Name, gone).Down($"'{gone}' has no rules of its own any more") is { } step)
            {
                yield return step;
            }
        }
    }

    private static string Text(NetworkSite site, IReadOnlyList<NetworkMember> members, IReadOnlyList<Reservation> reservations)
    {
        var text = new StringBuilder(new NftTable(site.Name, members[0].Vm).Head);
        foreach (var member in members.Where(m => m.Forwards.Count > 0))
        {
            Forwards(text, site, member, reservations.First(r => r.Mac == member.Mac.ToString()));
        }
        Egress(text, site, [.. members.Where(m => !m.Egress.IsNone)]);
        return text.Append("}\n").ToString();
    }

    /// <summary>A guest is told by its MAC, which <c>antiSpoof</c> holds it to.</summary>
    private static void Egress(StringBuilder text, NetworkSite site, IReadOnlyList<NetworkMember> members)
    {
        if (members.Count == 0)
        {
            return;
        }
        foreach (var member in members)
        {
            text.Append(EgressChain.Of(member.Egress, Chain(member)));
        }
        foreach (var (hook, end) in ((string, string)[])[("forward", ""), ("input", "-host")])
        {
            text.Append($"\tchain {hook} {{\n\t\ttype filter hook {hook} priority filter; policy accept;\n");
            foreach (var member in members)
            {
                text.Append($"\t\tiifname \"{site.BridgeName}\" {(hook == "forward" ? $"oifname != \"{site.BridgeName}\" " : "")}ether saddr {member.Mac} jump {Chain(member)}{end}\n");
            }
            text.Append("\t}\n");
        }

        static string Chain(NetworkMember member) => $"egress-{member.Mac.ToHex()}";
    }

    private static void Forwards(StringBuilder text, NetworkSite site, NetworkMember member, Reservation own)
    {
        var rules = new StringBuilder();
        foreach (var port in member.Forwards)
        {
            // The host's own loopback stays the host's.
            if (own.V4 is { } v4)
            {
                var where = port.HostAddress is null or "0.0.0.0" ? "ip daddr != 127.0.0.0/8 fib daddr type local" : $"ip daddr {port.HostAddress}";
                rules.Append($"\t\t{where} {Match(port)} dnat ip to {v4}:{port.GuestPort}\n");
            }
            if (own.V6 is { } v6 && port.HostAddress is null)
            {
                rules.Append($"\t\tip6 daddr != ::1 fib daddr type local {Match(port)} dnat ip6 to [{v6}]:{port.GuestPort}\n");
            }
        }
        text.Append($"\tchain prerouting {{\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n{rules}\t}}\n")
            .Append($"\tchain output {{\n\t\ttype nat hook output priority -100; policy accept;\n{rules}\t}}\n")
            .Append("\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n");
        // A guest that comes by the host's address hears from the host, and not from its neighbour, whom it did not ask.
        foreach (var gateway in site.Gateways)
        {
            if (own.Addresses.FirstOrDefault(gateway.Holds) is { } address)
            {
                var ip = gateway.IsV6 ? "ip6" : "ip";
                text.Append($"\t\tct status dnat {ip} saddr {gateway.At(0)}/{gateway.PrefixLength} {ip} daddr {address} masquerade\n");
            }
        }
        text.Append("\t}\n");
    }

    private static string Match(ForwardPort port) => $"{port.Proto} dport {port.HostPort}";

    /// <summary>Whether a program of the host has the port on an address that the forward would take, as /proc/net tells.</summary>
    private static bool Listens(ForwardPort port)
    {
        var end = $":{port.HostPort.ToString("X4", CultureInfo.InvariantCulture)}";
        return ((string[])[port.Proto, $"{port.Proto}6"]).Select(f => $"/proc/thread-self/net/{f}").Where(File.Exists).SelectMany(File.ReadLines)
            .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Any(f => f.Length > 3 && f[1].EndsWith(end, StringComparison.Ordinal) && (port.Proto != "tcp" || f[3] == "0A") && !IsLoopback(f[1][..^end.Length])
                && (port.HostAddress is null || Address(f[1][..^end.Length]) is var at && (at.Equals(IPAddress.Parse(port.HostAddress)) || at.Equals(IPAddress.Any) || at.Equals(IPAddress.IPv6Any))));
    }

    private static bool IsLoopback(string digits) => IPAddress.IsLoopback(Address(digits));

    /// <summary>The kernel writes an address as numbers of 32 bits of its own byte order.</summary>
    private static IPAddress Address(string digits)
    {
        var bytes = Convert.FromHexString(digits);
        for (var at = 0; at + 4 <= bytes.Length; at += 4)
        {
            Array.Reverse(bytes, at, 4);
        }
        return new(bytes);
    }
}
