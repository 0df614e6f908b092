using System.Text;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Networks;

/// <summary>The rules of a network: who gets out, and that nobody gets in.</summary>
internal static class RulesetResource
{
    internal static IEnumerable<Refusal> Faults(NetworkSite site)
    {
        if (NetworkProgram.Missing(NetworkProgram.Nft) is { } missing)
        {
            yield return new(RefusalKind.ProgramMissing, "", site.BridgeName, NetworkSite.Mark(site.Name), $"the network '{site.Name}' needs firewall rules, and {missing}");
        }
        else if (Privileges.Permitted.Has(Capability.NetAdmin) && new NftTable(site.Name) is var own && own.Listing() is { } there && !own.IsOurs(there))
        {
            yield return new(RefusalKind.Foreign, "", site.BridgeName, NetworkSite.Mark(site.Name),
                $"the network '{site.Name}' needs a table 'inet {own.Name}', and one is there that microvm did not create; delete it: nft delete table inet {own.Name}");
        }
    }

    internal static NetworkStep Up(NetworkSite site) => new NftTable(site.Name).Up(Text(site), site.Bridge is null);

    private static string Text(NetworkSite site)
    {
        var bridge = $"\"{site.BridgeName}\"";
        var wanted = site.Wanted;
        var text = new StringBuilder(new NftTable(site.Name).Head);
        text.Append(EgressChain.Of(wanted.Egress));
        text.Append("\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n");
        text.Append($"\t\tiifname {bridge} oifname {bridge} accept\n");
        // A guest sends under an address of the network, or not at all.
        foreach (var own in site.Gateways)
        {
            text.Append($"\t\tiifname {bridge} {Ip(own)} saddr != {Range(own)} drop\n");
        }
        if (wanted.Uplink is { } uplink)
        {
            text.Append($"\t\tiifname {bridge} oifname != \"{uplink.Value}\" drop\n");
        }
        foreach (var (v6, family) in ((bool, string)[])[(false, "ipv4"), (true, "ipv6")])
        {
            if (!wanted.HasWayOut(v6))
            {
                text.Append($"\t\tiifname {bridge} meta nfproto {family} drop\n\t\toifname {bridge} meta nfproto {family} drop\n");
            }
        }
        if (!wanted.Egress.IsNone)
        {
            text.Append($"\t\tiifname {bridge} jump egress\n");
        }
        if (wanted.Nat)
        {
            text.Append($"\t\toifname {bridge} ct state established,related accept\n");
            // What the forwards of VMs let in.
            text.Append($"\t\toifname {bridge} ct status dnat accept\n\t\toifname {bridge} drop\n");
        }
        text.Append("\t}\n");
        if (wanted.Kind == NetworkKind.Internal)
        {
            text.Append($"\tchain input {{\n\t\ttype filter hook input priority filter; policy accept;\n\t\tiifname {bridge} drop\n\t}}\n");
        }
        else if (!wanted.Egress.IsNone)
        {
            text.Append($"\tchain input {{\n\t\ttype filter hook input priority filter; policy accept;\n\t\tiifname {bridge} jump egress-host\n\t}}\n");
        }
        if (wanted.Nat)
        {
            text.Append("\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n");
            foreach (var own in site.Gateways.Where(g => wanted.HasWayOut(g.IsV6)))
            {
                text.Append($"\t\t{Ip(own)} saddr {Range(own)} oifname != {bridge} masquerade\n");
            }
            text.Append("\t}\n");
        }
        return text.Append("}\n").ToString();
    }

    private static string Range(PrefixedAddress own) => $"{own.At(0)}/{own.PrefixLength}";

    private static string Ip(PrefixedAddress address) => address.IsV6 ? "ip6" : "ip";
}
