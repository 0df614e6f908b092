using Microvm.Declaration;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>How what was observed is written: in which words, and in which colour.</summary>
internal static class Look
{
    internal static Style Style(InterfaceState state) => state switch
    {
        InterfaceState.Up => Cli.Style.Green,
        InterfaceState.Drifted or InterfaceState.Down => Cli.Style.Yellow,
        InterfaceState.Missing => Cli.Style.Red,
        InterfaceState.Foreign => Cli.Style.Magenta,
        _ => Cli.Style.Dim,
    };

    internal static Cell State(InterfaceStatus i) => new(i.State.Word(), Style(i.State));

    /// <summary>Queues in use of those there are: 2/2.</summary>
    internal static string Queues(InterfaceStatus i) =>
        i.Link is null && i.QueuesInUse == 0 ? i.QueuePairs?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "-" : $"{i.QueuesInUse}/{i.QueuePairs?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? (i.Link?.Tun?.MultiQueue == true ? "n" : "1")}";

    /// <summary>The bridge, or the lower device.</summary>
    internal static string On(InterfaceStatus i) => Printable.Of(i.Upper ?? i.Lower ?? "-");

    /// <summary>A guest's addresses.</summary>
    internal static string Addresses(IEnumerable<string> addresses) => string.Join(' ', addresses) is { Length: > 0 } all ? all : "-";

    /// <summary>pid and name of who has it open.</summary>
    internal static Cell Holders(InterfaceStatus i) =>
        i.Holders.Count > 0 ? new(string.Join(", ", i.Holders.Select(h => $"{h.Pid} {Printable.Of(h.Name)}")))
        // The kernel counts the queues even where we lack the permission to see who has them open.
        : new Cell(i.QueuesInUse > 0 || (i.Link?.Carrier == true && i.Type == "tap") ? "(permission denied)" : "-", Cli.Style.Dim);
}
