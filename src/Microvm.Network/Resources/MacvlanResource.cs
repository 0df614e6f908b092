using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Resources;

/// <summary>A macvlan that a tap is joined to; a macvtap has the same properties and more.</summary>
internal static class MacvlanResource
{
    private static readonly LinkProperty s_lower = new(Difference.Fixed, Turn.Own)
    {
        Wrong = c => c.Link.Lower != c.Lower ? $"its lower device is not {c.Want.Lower}" : null,
        Anew = _ => true,
    };

    private static readonly LinkProperty s_mode = new(Difference.Mode, Turn.Own)
    {
        Wrong = c => c.Link.Macvlan!.Mode != c.Want.Mode ? $"its mode is {c.Link.Macvlan.Mode.ToString().ToLowerInvariant()}, should be {c.Want.Mode.ToString().ToLowerInvariant()}"
            : c.Want.Mode == MacvlanMode.Source && !c.Link.Macvlan.Sources.ToHashSet().SetEquals(c.Want.Sources.Select(m => m.ToHex()))
                ? $"its source MACs are {Some(c.Link.Macvlan.Sources.Select(Words))}, should be {Some(c.Want.Sources.Select(s => s.ToString()))}" : null,
        Anew = c => c.Link.Macvlan!.Mode != c.Want.Mode
            && (c.Link.Macvlan.Mode == MacvlanMode.Passthru || c.Want.Mode == MacvlanMode.Passthru),
        Set = (e, batch) => batch.SetMacvlan(
            e.Link.Index, e.Link.Name, e.Link.Kind == "macvtap", e.Want.Mode, [.. e.Want.Sources.Select(s => s.ToBytes())]),
        SetBack = (e, batch) => batch.SetMacvlan(
            e.Link.Index, e.Link.Name, e.Link.Kind == "macvtap", e.Link.Macvlan!.Mode,
            [.. e.Link.Macvlan.Sources.Select(Convert.FromHexString)]),
    };

    private static readonly LinkProperty s_mac = new(Difference.Mac, Turn.Own)
    {
        Wrong = c => c.Link.Address != c.Want.Mac!.Value.ToHex() ? $"its MAC is {Words(c.Link.Address)}, should be {c.Want.Mac}" : null,
        Make = (link, index, batch) =>
        {
            if (link.Want.Mode == MacvlanMode.Passthru)
            {
                // The kernel gave it the lower device's MAC. The guest's goes to both, and back again when the macvtap is deleted.
                batch.SetAddress(index, link.Want.Name, link.Want.Mac!.Value.ToBytes());
            }
        },
        Set = (e, batch) => batch.SetAddress(e.Link.Index, e.Link.Name, e.Want.Mac!.Value.ToBytes()),
        SetBack = (e, batch) => batch.SetAddress(e.Link.Index, e.Link.Name, Convert.FromHexString(e.Link.Address!)),
    };

    private static readonly LinkProperty s_allMulticast = new(Difference.AllMulticast, Turn.Own)
    {
        Wrong = c => c.Link.AllMulticast ? null : "it does not take all multicast",
        Set = (e, batch) => batch.SetAllMulticast(e.Link.Index, e.Link.Name, true),
        SetBack = (e, batch) => batch.SetAllMulticast(e.Link.Index, e.Link.Name, false),
    };

    /// <summary>What a macvtap has too.</summary>
    internal static LinkProperty[] Properties { get; } = [s_lower, s_mode, s_mac, s_allMulticast];

    internal static LinkResource Kind { get; } = new("macvlan", Properties)
    {
        Unlike = link => link is { Kind: "macvlan", Macvlan: not null } ? null : "it is not a macvlan",
    };

    /// <summary>A link's address for a person.</summary>
    private static string Words(string? address) => string.IsNullOrEmpty(address) ? "none" : string.Join(':', address.Chunk(2).Select(c => new string(c)));

    private static string Some(IEnumerable<string> macs)
    {
        const int most = 3;
        string[] sorted = [.. macs.Order(StringComparer.Ordinal)];
        return sorted.Length == 0 ? "none" : string.Join(", ", sorted.Take(most)) + (sorted.Length > most ? $" and {sorted.Length - most} more" : "");
    }
}
