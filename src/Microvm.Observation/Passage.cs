using Microvm.Linux;

namespace Microvm.Observation;

/// <summary>Whether frames pass a bridge or another device. Pure.</summary>
public static class Passage
{
    /// <summary>What keeps them from it, in a word or two; null where nothing does. A bridge has no carrier while its ports have none.</summary>
    public static string? Fault(Link link) => !link.Up ? "down" : link is { Carrier: false, Kind: not "bridge" } ? "no carrier" : null;

    /// <summary>The same of the device of that name or altname, which may be missing.</summary>
    public static string? Fault(IReadOnlyList<Link> links, string name) => links.FirstOrDefault(l => l.IsNamed(name)) is { } link ? Fault(link) : InterfaceState.Missing.Word();
}
