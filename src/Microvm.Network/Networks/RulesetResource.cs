using System.Text;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Networks;

/// <summary>The nftables table of a network: <c>microvm-NAME</c>, ours by its comment. It is replaced as a whole, in one transaction.</summary>
internal static class RulesetResource
{
    /// <summary>Where the text that was asked for, and what the kernel made of it, are kept to compare with.</summary>
    private const string Asked = "ruleset.asked", Made = "ruleset.made";

    private static readonly CapabilitySet s_lent = CapabilitySet.Of(Capability.NetAdmin);

    internal static IEnumerable<Refusal> Faults(NetworkSite site)
    {
        if (NetworkProgram.Missing(NetworkProgram.Nft) is { } missing)
        {
            yield return new(RefusalKind.ProgramMissing, "", site.BridgeName, NetworkSite.Mark(site.Name), $"the network '{site.Name}' needs firewall rules, and {missing}");
        }
        else if (site.Table.Value is { } table && !IsOurs(table, site.Name))
        {
            yield return new(RefusalKind.Foreign, "", site.BridgeName, NetworkSite.Mark(site.Name),
                $"the network '{site.Name}' needs a table 'inet {Table(site.Name)}', and one is there that microvm did not create; delete it: nft delete table inet {Table(site.Name)}");
        }
    }

    internal static IEnumerable<NetworkStep> Up(NetworkSite site)
    {
        var wanted = Text(site);
        var made = site.Folder.Read(Made);
        // Who may not ask the kernel sees whether the same was asked for.
        var now = Privileges.Permitted.Has(Capability.NetAdmin) ? site.Table.Value : made;
        var reason = site.Bridge is null || now is null ? "it is not there" : site.Folder.Read(Asked) != wanted ? "the declaration asks for other rules" : now != made ? "its rules were changed" : null;
        yield return reason is null ? site.Step(StepKind.Keep, Table(site.Name), "it is right") : site.Step(now is null ? StepKind.Create : StepKind.Change, Table(site.Name), reason, undo =>
        {
            undo.Push(() =>
            {
                if (Listing(site.Name) is var current && current != now)
                {
                    Put(site.Name, now, delete: current is not null);
                }
            });
            Put(site.Name, wanted, delete: now is not null);
            site.Folder.Write(Asked, wanted, undo);
            site.Folder.Write(Made, Listing(site.Name), undo);
        });
    }

    internal static NetworkStep? Down(string network)
    {
        var now = Listing(network);
        return now is null || !IsOurs(now, network) ? null : new(StepKind.Delete, network, Table(network), "it is ours", undo =>
        {
            undo.Push(() =>
            {
                if (Listing(network) is null)
                {
                    Put(network, now, delete: false);
                }
            });
            NetworkProgram.Run(NetworkProgram.Nft, $"delete the table '{Table(network)}'", null, s_lent, "delete", "table", "inet", Table(network));
        });
    }

    internal static string Table(string network) => $"microvm-{network}";

    /// <summary>The table as the kernel has it; null where there is none.</summary>
    internal static string? Listing(string network)
    {
        if (NetworkProgram.Find(NetworkProgram.Nft) is null)
        {
            return null;
        }
        // Asking for one that is not there is an error like any other; the list of tables is short.
        var tables = NetworkProgram.Run(NetworkProgram.Nft, "list the firewall's tables", null, s_lent, "list", "tables", "inet");
        return tables.Split('\n').Contains($"table inet {Table(network)}")
            ? NetworkProgram.Run(NetworkProgram.Nft, $"list the table '{Table(network)}'", null, s_lent, "-s", "list", "table", "inet", Table(network)) : null;
    }

    private static bool IsOurs(string listing, string network) => listing.Contains($"comment \"{NetworkSite.Mark(network)}\"", StringComparison.Ordinal);

    /// <param name="text">The table; null leaves none.</param>
    /// <param name="delete">Whether one is there, which goes in the same transaction.</param>
    private static void Put(string network, string? text, bool delete) =>
        NetworkProgram.Run(NetworkProgram.Nft, $"set the table '{Table(network)}'", (delete ? $"delete table inet {Table(network)}\n" : "") + text, s_lent, "-f", "-");

    private static string Text(NetworkSite site)
    {
        var bridge = $"\"{site.BridgeName}\"";
        var text = new StringBuilder($"table inet {Table(site.Name)} {{\n\tcomment \"{NetworkSite.Mark(site.Name)}\"\n");
        text.Append("\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n");
        text.Append($"\t\tiifname {bridge} oifname {bridge} accept\n");
        // A guest sends under an address of the network, or not at all.
        foreach (var own in site.Gateways)
        {
            text.Append($"\t\tiifname {bridge} {Ip(own)} saddr != {own.At(0)}/{own.PrefixLength} drop\n");
        }
        if (site.Wanted.Nat)
        {
            text.Append($"\t\toifname {bridge} ct state established,related accept\n");
        }
        text.Append($"\t\toifname {bridge} drop\n");
        if (!site.Wanted.Nat)
        {
            text.Append($"\t\tiifname {bridge} drop\n");
        }
        text.Append("\t}\n");
        if (site.Wanted.Nat)
        {
            text.Append("\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n");
            foreach (var own in site.Gateways)
            {
                text.Append($"\t\t{Ip(own)} saddr {own.At(0)}/{own.PrefixLength} oifname != {bridge} masquerade\n");
            }
            text.Append("\t}\n");
        }
        return text.Append("}\n").ToString();
    }

    private static string Ip(PrefixedAddress address) => address.IsV6 ? "ip6" : "ip";
}
