using System.Text;
using Microvm.Declaration;

namespace Microvm.Network.Networks;

/// <summary>An egress policy as chains of a network's table: <c>egress</c> for what is forwarded, <c>egress-host</c> for what the host itself is sent.</summary>
internal static class EgressChain
{
    internal const string Network = "egress";

    /// <summary>What a guest needs of the host to have an address and names at all: DHCP, DNS, neighbours and routers.</summary>
    private const string Service = "\t\tudp dport { 53, 67, 547 } accept\n\t\ttcp dport 53 accept\n\t\ticmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept\n";

    /// <summary>The two chains; nothing without a policy.</summary>
    /// <param name="name">The first one's name, with which the other's begins.</param>
    internal static string Of(EgressPolicy policy, string name = Network)
    {
        if (policy.IsNone)
        {
            return "";
        }
        var text = new StringBuilder();
        foreach (var toHost in (bool[])[false, true])
        {
            text.Append($"\tchain {name}{(toHost ? "-host" : "")} {{\n\t\tct state established,related return\n{(toHost ? Service : "")}");
            Append(text, policy.Deny, toHost, "drop");
            Append(text, policy.Allow, toHost, "return");
            if (policy.Allow.Count > 0)
            {
                text.Append("\t\tdrop\n");
            }
            text.Append("\t}\n");
        }
        return text.ToString();
    }

    private static void Append(StringBuilder text, IEnumerable<EgressEntry> entries, bool toHost, string verdict)
    {
        foreach (var entry in entries.Where(e => toHost || !e.Host))
        {
            var port = entry.Proto is null ? "" : $"{entry.Proto} dport {entry.FirstPort}{(entry.LastPort > entry.FirstPort ? $"-{entry.LastPort}" : "")} ";
            if (entry.Networks.Count == 0)
            {
                text.Append($"\t\t{port}{verdict}\n");
            }
            foreach (var network in entry.Networks)
            {
                text.Append($"\t\t{(network.IsV6 ? "ip6" : "ip")} daddr {network} {port}{verdict}\n");
            }
        }
    }
}
