using Microvm.Cli.Reference;
using Microvm.Declaration;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>The table of <c>microvm status</c>.</summary>
internal static class StatusTable
{
    /// <param name="mend">The command that makes them as they are declared; null where nothing is declared.</param>
    internal static IReadOnlyList<string> Lines(IReadOnlyList<InterfaceStatus> interfaces, TrafficHistory? rates, Func<IReadOnlyList<InterfaceStatus>, string?> mend, Terminal terminal)
    {
        if (interfaces.Count == 0)
        {
            return ["no interface of a VM is here; 'microvm up' makes those of a declaration"];
        }
        var per = rates is null ? "" : "/s";
        // A host that knows none is spared an empty column.
        var hasAddresses = interfaces.Any(i => i.Addresses.Count > 0);
        var table = new Table([
            new("VM", 100, 8), new("INTERFACE", 99, 15), new("STATE", 98), new("TYPE", 60), new("ATTACHMENT", 10), new("ON", 70, 6), new("MAC", 30), .. hasAddresses ? [new("ADDRESSES", 66, 15)] : Array.Empty<Column>(),
            new("QUEUES", 40, Right: true), new("HELD BY", 65, 15), new($"TO VM{per}", 68, Right: true), new($"FROM VM{per}", 67, Right: true),
            new($"PKTS TO{per}", 20, Right: true), new($"PKTS FROM{per}", 19, Right: true)]);
        foreach (var i in interfaces)
        {
            var rate = rates?.Of(i);
            var known = i.Link is not null && i.State != InterfaceState.Foreign;
            string Bytes(ulong total, double? now) => !known ? "-" : rates is null ? Figures.Bytes(total) : now is { } n ? Figures.Bytes(n) : "…";
            string Count(ulong total, double? now) => !known ? "-" : rates is null ? Figures.Count(total) : now is { } n ? Figures.Count(n) : "…";
            Cell[] addresses = hasAddresses ? [Look.Addresses(i.Addresses.Select(a => a.Address.ToString()))] : [];
            table.Add([
                Printable.Of(i.Vm), Printable.Of(i.Id), Look.State(i), i.Type, i.Attachment?.Text() ?? "-", Look.On(i), i.Mac ?? "-", .. addresses,
                Look.Queues(i), Look.Holders(i), Bytes(i.ToVm.Bytes, rate?.ToVm.Bytes), Bytes(i.FromVm.Bytes, rate?.FromVm.Bytes),
                Count(i.ToVm.Packets, rate?.ToVm.Packets), Count(i.FromVm.Packets, rate?.FromVm.Packets)]);
        }
        var lines = table.Lines(terminal.Width, terminal.Color, out var hidden).ToList();
        var width = terminal.Width ?? int.MaxValue;
        foreach (var i in interfaces.Where(i => i.Reason is not null))
        {
            var word = $"{i.State.Word()}:";
            var wrapped = HelpScreen.Wrap($"{word} {Printable.Of(i.Id)} of {Printable.Of(i.Vm)}: {Printable.Lines(i.Reason!)}", width, 2).Select(l => CellText.Cut(l, width)).ToList();
            lines.AddRange([wrapped[0].Replace(word, terminal.Paint(Look.Style(i.State), word), StringComparison.Ordinal), .. wrapped.Skip(1)]);
        }
        // A link that is not ours is somebody's to clear away first.
        if (interfaces.Any(i => i.Reason is not null && i.State != InterfaceState.Up) && interfaces.All(i => i.State != InterfaceState.Foreign) && mend(interfaces) is { } command)
        {
            lines.Add(terminal.Paint(Style.Cyan, $"$ {command}"));
        }
        return [.. lines, .. Table.NoRoom(hidden, terminal)];
    }
}
