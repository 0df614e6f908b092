namespace Microvm.Observation;

/// <summary>How much crosses an interface each second, in one direction.</summary>
public readonly record struct Rate(double Bytes, double Packets, double Dropped, double Errors)
{
    public static Rate operator +(Rate a, Rate b) => new(a.Bytes + b.Bytes, a.Packets + b.Packets, a.Dropped + b.Dropped, a.Errors + b.Errors);
}

/// <summary>The rates of one interface between two looks.</summary>
public readonly record struct InterfaceRate(Rate ToVm, Rate FromVm)
{
    public Rate Sum => ToVm + FromVm;
}

/// <summary>Turns counters into rates. Time is given, and must be monotonic; a link that was made anew starts from nothing.</summary>
public sealed class TrafficHistory
{
    /// <summary>How many rates are kept of each interface.</summary>
    public const int Kept = 120;

    private readonly Dictionary<int, (Traffic To, Traffic From)> _last = [];
    private readonly Dictionary<int, Queue<double>> _bytes = [];
    private Dictionary<int, InterfaceRate> _rates = [];
    private TimeSpan? _at;

    /// <summary>Takes a look's counters.</summary>
    public void Add(IReadOnlyList<InterfaceStatus> interfaces, TimeSpan now)
    {
        var seconds = _at is { } before ? (now - before).TotalSeconds : 0;
        var rates = new Dictionary<int, InterfaceRate>();
        foreach (var i in interfaces.Where(i => i.Link is not null))
        {
            var index = i.Link!.Index;
            if (seconds > 0 && _last.TryGetValue(index, out var last))
            {
                var rate = new InterfaceRate(Per(i.ToVm, last.To, seconds), Per(i.FromVm, last.From, seconds));
                rates[index] = rate;
                if (!_bytes.TryGetValue(index, out var bytes))
                {
                    _bytes[index] = bytes = new();
                }
                bytes.Enqueue(rate.Sum.Bytes);
                if (bytes.Count > Kept)
                {
                    bytes.Dequeue();
                }
            }
            _last[index] = (i.ToVm, i.FromVm);
        }
        foreach (var gone in _last.Keys.Except(interfaces.Select(i => i.Link?.Index ?? 0)).ToList())
        {
            _last.Remove(gone);
            _bytes.Remove(gone);
        }
        _rates = rates;
        _at = now;
    }

    /// <summary>The rate since the look before; null before there were two.</summary>
    public InterfaceRate? Of(InterfaceStatus i) => i.Link is { } link && _rates.TryGetValue(link.Index, out var rate) ? rate : null;

    /// <summary>Bytes a second in both directions, oldest first.</summary>
    public IReadOnlyCollection<double> Bytes(InterfaceStatus i) => i.Link is { } link && _bytes.TryGetValue(link.Index, out var bytes) ? bytes : [];

    private static Rate Per(Traffic now, Traffic before, double seconds) =>
        new(Per(now.Bytes, before.Bytes, seconds), Per(now.Packets, before.Packets, seconds), Per(now.Dropped, before.Dropped, seconds), Per(now.Errors, before.Errors, seconds));

    // A counter that went back was reset: what it counted since is not known.
    private static double Per(ulong now, ulong before, double seconds) => now < before ? 0 : (now - before) / seconds;
}
