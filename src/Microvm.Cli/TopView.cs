using Microvm.Declaration;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>What <c>microvm top</c> shows, and how keys change it.</summary>
internal sealed class TopView(TrafficHistory history, string host)
{
    /// <summary>Sort orders by name; the first is the default. Numbers go from the highest down, names from a to z.</summary>
    private static readonly (string Name, char Key, string Header, Func<InterfaceStatus, InterfaceRate, IComparable> Value)[] s_orders =
    [
        ("bytes", 'B', "", (_, r) => -r.Sum.Bytes),
        ("to", 'T', "TO VM/s", (_, r) => -r.ToVm.Bytes),
        ("from", 'F', "FROM VM/s", (_, r) => -r.FromVm.Bytes),
        ("packets", 'P', "PKTS/s", (_, r) => -r.Sum.Packets),
        ("drops", 'D', "DROPS/s", (_, r) => -r.Sum.Dropped),
        ("errors", 'E', "ERRORS/s", (_, r) => -r.Sum.Errors),
        ("interface", 'N', "INTERFACE", (i, _) => i.Id),
        ("vm", 'V', "VM", (i, _) => i.Vm),
    ];

    internal static IReadOnlyList<string> Orders { get; } = [.. s_orders.Select(o => o.Name)];

    private readonly List<double> _to = [], _from = [];
    private IReadOnlyList<InterfaceStatus> _interfaces = [];
    private List<InterfaceStatus> _shown = [];
    private InterfaceRate _sum;
    private int _order, _scroll;
    private bool _inverted, _typing, _help;
    private string _filter = "";
    private (string Vm, string Id)? _selected;

    internal bool Paused { get; private set; }
    internal bool Quit { get; private set; }
    internal TimeSpan Interval { get; set; }

    /// <summary>Why the host could not be looked at just now, so that the picture is an older one.</summary>
    internal string? Trouble { get; set; }

    internal void SortBy(string order) => _order = Array.FindIndex(s_orders, o => o.Name == order);

    internal void Take(IReadOnlyList<InterfaceStatus> interfaces)
    {
        _interfaces = interfaces;
        var rates = interfaces.Select(history.Of).OfType<InterfaceRate>().ToList();
        _sum = rates.Aggregate(default(InterfaceRate), (a, b) => new(a.ToVm + b.ToVm, a.FromVm + b.FromVm));
        foreach (var (kept, now) in rates.Count == 0 ? [] : new[] { (_to, _sum.ToVm.Bytes), (_from, _sum.FromVm.Bytes) })
        {
            kept.Add(now);
            kept.RemoveRange(0, Math.Max(0, kept.Count - TrafficHistory.Kept));
        }
    }

    internal void Press(string key)
    {
        if (_typing)
        {
            _filter = key switch { "backspace" => _filter.Length > 0 ? _filter[..^1] : "", "escape" => "", { Length: 1 } => _filter + key, _ => _filter };
            _typing = key is not ("enter" or "escape");
            return;
        }
        if (_help)
        {
            _help = false;
            return;
        }
        var at = _shown.FindIndex(i => (i.Vm, i.Id) == _selected);
        switch (key)
        {
            case "q" or "f10" or "Q": Quit = true; break;
            case "h" or "?" or "f1": _help = true; break;
            case "/" or "f4" or "\\": _typing = true; break;
            case "s" or "f6" or ">" or "." or "right": _order = (_order + 1) % s_orders.Length; break;
            case "<" or "," or "left": _order = (_order + s_orders.Length - 1) % s_orders.Length; break;
            case "i" or "I": _inverted = !_inverted; break;
            case " " or "p" or "Z": Paused = !Paused; break;
            case "+": Interval = TimeSpan.FromSeconds(Math.Min(60, Interval.TotalSeconds * 2)); break;
            case "-": Interval = TimeSpan.FromSeconds(Math.Max(0.1, Interval.TotalSeconds / 2)); break;
            case "up" or "k": Select(at - 1); break;
            case "down" or "j": Select(at + 1); break;
            case "pageup": Select(at - 10); break;
            case "pagedown": Select(at + 10); break;
            case "home" or "g": Select(0); break;
            case "end" or "G": Select(_shown.Count - 1); break;
            case "escape": (_selected, _filter) = (null, ""); break;
            case { Length: 1 } when Array.FindIndex(s_orders, o => o.Key == key[0]) is >= 0 and var order: _order = order; break;
        }
    }

    private void Select(int at) => _selected = _shown.Count == 0 ? null : (_shown[Math.Clamp(at, 0, _shown.Count - 1)].Vm, _shown[Math.Clamp(at, 0, _shown.Count - 1)].Id);

    /// <summary>A frame.</summary>
    /// <param name="rows">Lines of the screen, or null to show all without a line of keys.</param>
    internal IReadOnlyList<string> Frame(Terminal terminal, int? rows)
    {
        if (_help)
        {
            return [.. s_help.Select(l => CellText.Cut(l, terminal.Width ?? int.MaxValue))];
        }
        Order();
        var width = terminal.Width ?? 120;
        var lines = Head(terminal, width);
        var table = Table(terminal, width, out var selected);
        var room = rows is { } r ? Math.Max(1, r - lines.Count - 2) : int.MaxValue;
        _scroll = Math.Clamp(selected < 0 ? _scroll : Math.Clamp(_scroll, Math.Max(0, selected - room + 1), selected), 0, Math.Max(0, _shown.Count - room));
        lines.Add(table[0]);
        for (var i = _scroll; i < _shown.Count && i - _scroll < room; i++)
        {
            lines.Add(table[i + 1]);
        }
        if (_shown.Count == 0)
        {
            lines.Add(terminal.Paint(Style.Dim, _filter.Length > 0 ? "no interface matches" : "no interface of a VM is here"));
        }
        if (rows is { } whole)
        {
            while (lines.Count < whole - 1)
            {
                lines.Add("");
            }
            lines.Add(Bar(terminal, width));
        }
        return lines;
    }

    private void Order()
    {
        var (_, _, _, value) = s_orders[_order];
        var matching = _interfaces.Where(i => _filter.Length == 0 || $"{i.Vm}/{i.Id} {i.Type} {i.State.Word()} {i.Upper} {i.Lower}".Contains(_filter, StringComparison.OrdinalIgnoreCase));
        // Rows that tie keep their place, so that the picture does not jump.
        _shown = [.. matching.OrderBy(i => value(i, history.Of(i) ?? default)).ThenBy(i => i.Vm, StringComparer.Ordinal).ThenBy(i => i.Id, StringComparer.Ordinal)];
        if (_inverted)
        {
            _shown.Reverse();
        }
    }

    private List<string> Head(Terminal terminal, int width)
    {
        var states = string.Join(", ", _interfaces.GroupBy(i => i.State).OrderBy(g => g.Key).Select(g => terminal.Paint(Look.Style(g.Key), $"{g.Count()} {g.Key.Word()}")));
        var vms = _interfaces.Select(i => i.Vm).Distinct().Count();
        var title = $"microvm top - {CellText.Cut(host, 20)}";
        var lines = new List<string> { $"{terminal.Paint(Style.Bold, title)}   {vms} VM{(vms == 1 ? "" : "s")}{(states.Length > 0 ? $", interfaces: {states}" : "")}{(Paused ? terminal.Paint(Style.Yellow, "   paused") : "")}" };
        // Without colour the line's length is known; with it, what could be too long goes first.
        if (width < 60)
        {
            lines[0] = CellText.Cut(title, width);
        }
        foreach (var (name, rate, kept) in new[] { ("to VMs  ", _sum.ToVm, _to), ("from VMs", _sum.FromVm, _from) })
        {
            var text = $"{name} {Figures.Bytes(rate.Bytes),9}/s {Figures.Count(rate.Packets),7} pkt/s ";
            var bars = Figures.Sparkline(kept, Math.Clamp(width - text.Length - 1, 0, 60), terminal.Unicode);
            lines.Add(CellText.Cut(text, width) + terminal.Paint(Style.Cyan, bars));
        }
        lines.Add(Trouble is { } trouble ? terminal.Paint(Style.BoldRed, CellText.Cut(Printable.Of(trouble), width)) : _typing || _filter.Length > 0 ? CellText.Cut($"filter: {Printable.Of(_filter)}{(_typing ? "_" : "")}", width) : "");
        return lines;
    }

    private IReadOnlyList<string> Table(Terminal terminal, int width, out int selected)
    {
        var bars = width >= 160 ? 50 : width >= 120 ? 30 : width >= 90 ? 15 : 8;
        string Header(string header) => header == s_orders[_order].Header ? header + (_inverted ? "^" : "v") : header;
        var table = new Table(
            new(Header("VM"), 90, 8), new(Header("INTERFACE"), 100, 15), new("STATE", 80), new("TYPE", 20), new("ON", 15, 4),
            new(Header("TO VM/s"), 99, Right: true), new(Header("FROM VM/s"), 98, Right: true), new(Header("PKTS/s"), 70, Right: true),
            new(Header("DROPS/s"), 75, Right: true), new(Header("ERRORS/s"), 74, Right: true), new("BYTES/s", 60), new("HELD BY", 10, 8));
        foreach (var i in _shown)
        {
            var rate = history.Of(i);
            Cell Bytes(Func<InterfaceRate, double> of) => rate is { } r ? Quiet(Figures.Bytes(of(r)), of(r)) : new("-", Style.Dim);
            Cell Trouble(Func<InterfaceRate, double> of) => rate is { } r ? of(r) > 0 ? new(Figures.Count(of(r)), Style.BoldRed) : Quiet("0", 0) : new("-", Style.Dim);
            table.Add(
                Printable.Of(i.Vm), Printable.Of(i.Id), Look.State(i), i.Type, Look.On(i),
                Bytes(r => r.ToVm.Bytes), Bytes(r => r.FromVm.Bytes), rate is { } all ? Quiet(Figures.Count(all.Sum.Packets), all.Sum.Packets) : new Cell("-", Style.Dim),
                Trouble(r => r.Sum.Dropped), Trouble(r => r.Sum.Errors),
                new(Figures.Sparkline(history.Bytes(i), bars, terminal.Unicode), Style.Cyan), Look.Holders(i));
        }
        var at = selected = _shown.FindIndex(i => (i.Vm, i.Id) == _selected);
        var lines = table.Lines(terminal.Width, terminal.Color, out _).ToList();
        if (at >= 0)
        {
            var plain = table.Lines(terminal.Width, false, out _)[at + 1];
            lines[at + 1] = terminal.Color ? Terminal.Paint(CellText.Fit(plain, width), Style.Reverse) : CellText.Cut("> " + plain, width);
        }
        return lines;
    }

    private static Cell Quiet(string text, double value) => new(text, value > 0 ? Style.Plain : Style.Dim);

    private string Bar(Terminal terminal, int width)
    {
        // In the order of the line; where room is short, what is known best by heart goes first, and the way out last.
        (string Key, string What, int Importance)[] keys =
        [
            ("F1", "Help", 8), ("F4", "Filter", 4), ("F6", $"Sort:{s_orders[_order].Name}", 5), ("I", "Invert", 2), ("Space", Paused ? "Go on" : "Pause", 6), ("+-", $"{Interval.TotalSeconds:0.#}s", 3), ("F10", "Quit", 9),
        ];
        var room = width;
        var shown = keys.OrderByDescending(k => k.Importance).TakeWhile(k => (room -= k.Key.Length + k.What.Length + 2) >= -2).Select(k => k.Key).ToList();
        return string.Join("  ", keys.Where(k => shown.Contains(k.Key)).Select(k => $"{terminal.Paint(Style.Bold, k.Key)}{terminal.Paint(Style.Reverse, k.What)}"));
    }

    private static readonly string[] s_help =
    [
        "microvm top: the traffic of the interfaces of VMs, per second",
        "",
        "  F6 s > <      sort by the next (or the one before)",
        "  B T F P D E   sort by bytes, to the VM, from the VM, packets, drops, errors",
        "  N V           sort by interface, by VM",
        "  I             invert the order",
        "  up down j k   select a line; Home End PgUp PgDn too",
        "  F4 /          show only what has these letters; Enter keeps it, Esc ends it",
        "  Space p       pause",
        "  + -           look half as often, twice as often",
        "  F10 q         quit",
        "",
        "any key goes back",
    ];
}
