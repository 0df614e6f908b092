using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Applying;

namespace Microvm.Network.Networks;

/// <summary>A table of nftables that belongs to a network: ours by its comment, and replaced as a whole, in one transaction.</summary>
/// <param name="part">What of the network it is for; null for all of it.</param>
internal sealed class NftTable(string network, string? part = null)
{
    private static readonly CapabilitySet s_lent = CapabilitySet.Of(Capability.NetAdmin);

    private readonly NetworkFolder _folder = new(network);

    /// <summary>Its name: <c>microvm-NETWORK</c>, or <c>microvm-NETWORK/VM</c>.</summary>
    internal string Name { get; } = part is null ? $"microvm-{network}" : $"microvm-{network}/{part}";

    /// <summary>The first lines of its text: its name, and what makes it ours.</summary>
    internal string Head => $"table inet {Name} {{\n\tcomment \"{NetworkSite.Mark(network)}\"\n";

    // What was asked for, and what the kernel made of it, to compare with.
    private string Asked => part is null ? "ruleset.asked" : $"{Forwards}/{part}.asked";
    private string Made => part is null ? "ruleset.made" : $"{Forwards}/{part}.made";

    internal const string Forwards = "forwards";

    /// <summary>The names of all tables of a network's VMs that the kernel has.</summary>
    internal static IReadOnlyList<NftTable> OfVms(string network) =>
        [.. Names().Where(n => n.StartsWith($"microvm-{network}/", StringComparison.Ordinal)).Select(n => new NftTable(network, n[(network.Length + 9)..]))];

    /// <summary>As the kernel has it; null where there is none.</summary>
    internal string? Listing() =>
        // Asking for one that is not there is an error like any other; the list of tables is short.
        Names().Contains(Name) ? NetworkProgram.Run(NetworkProgram.Nft, $"list the table '{Name}'", null, s_lent, "-s", "list", "table", "inet", Name) : null;

    internal bool IsOurs(string listing) => listing.Contains($"comment \"{NetworkSite.Mark(network)}\"", StringComparison.Ordinal);

    /// <summary>The step to this text.</summary>
    /// <param name="isFresh">The network is made anew: files of before say nothing.</param>
    /// <param name="what">What it is for, for a person.</param>
    internal NetworkStep Up(string wanted, bool isFresh, string? what = null)
    {
        var made = _folder.Read(Made);
        // Who may not ask the kernel sees whether the same was asked for.
        var now = Privileges.Permitted.Has(Capability.NetAdmin) ? Listing() : isFresh ? null : made;
        var reason = now is null ? "it is not there" : isFresh || _folder.Read(Asked) != wanted ? "the declaration asks for other rules" : now != made ? "its rules were changed" : null;
        var prefix = what is null ? "" : $"{what}: ";
        return reason is null ? new(StepKind.Keep, network, Name, $"{prefix}it is right") : new(now is null ? StepKind.Create : StepKind.Change, network, Name, prefix + reason, undo =>
        {
            undo.Push(() =>
            {
                if (Listing() is var current && current != now)
                {
                    Put(now, delete: current is not null);
                }
            });
            Put(wanted, delete: now is not null);
            _folder.Write(Asked, wanted, undo);
            _folder.Write(Made, Listing(), undo);
        });
    }

    /// <summary>The step that deletes it; null where it is not there, or is not ours.</summary>
    internal NetworkStep? Down(string reason)
    {
        var now = Listing();
        return now is null || !IsOurs(now) ? null : new(StepKind.Delete, network, Name, reason, undo =>
        {
            undo.Push(() =>
            {
                if (Listing() is null)
                {
                    Put(now, delete: false);
                }
            });
            Put(null, delete: true);
            _folder.Write(Asked, null, undo);
            _folder.Write(Made, null, undo);
        });
    }

    private static IReadOnlyList<string> Names() => NetworkProgram.Find(NetworkProgram.Nft) is null ? []
        : [.. NetworkProgram.Run(NetworkProgram.Nft, "list the firewall's tables", null, s_lent, "list", "tables", "inet").Split('\n')
            .Where(l => l.StartsWith("table inet ", StringComparison.Ordinal)).Select(l => l["table inet ".Length..])];

    /// <param name="text">The table; null leaves none.</param>
    /// <param name="delete">Whether one is there, which goes in the same transaction.</param>
    private void Put(string? text, bool delete) =>
        NetworkProgram.Run(NetworkProgram.Nft, $"set the table '{Printable.Of(Name)}'", (delete ? $"delete table inet {Name}\n" : "") + text, s_lent, "-f", "-");
}
