namespace Microvm.Network;

/// <summary>Tells a link that somebody else keeps changing back from one that was changed now and then: after a number of like
/// repairs that did not last, the next waits, each time longer. Two watches whose declarations disagree would else repair
/// against each other as fast as they can, and so would a watch and a network manager. Pure: time is given.</summary>
internal sealed class Contest
{
    /// <summary>Like repairs, one soon after the other, before one waits.</summary>
    public const int Patience = 12;

    /// <summary>A repair that lasted so long was no vain one.</summary>
    public static readonly TimeSpan Lasting = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, State> _links = [];

    private sealed record State(string Reason, int Repairs, TimeSpan Last, TimeSpan Pause);

    /// <summary>Whether the link may be repaired now; not while a repair for the same reason waits.</summary>
    public bool Allows(string alias, string reason, TimeSpan now) =>
        !_links.TryGetValue(alias, out var state) || state.Reason != reason || now >= state.Last + state.Pause;

    /// <summary>How long the next repair of any of these waits; null where none does.</summary>
    public TimeSpan? Next(IEnumerable<string> aliases, TimeSpan now)
    {
        TimeSpan? next = null;
        foreach (var alias in aliases)
        {
            if (_links.TryGetValue(alias, out var state) && state.Last + state.Pause - now is var left && (next is null || left < next))
            {
                next = left < TimeSpan.Zero ? TimeSpan.Zero : left;
            }
        }
        return next;
    }

    /// <summary>The link was repaired.</summary>
    /// <returns>The pause that begins, where it is the first for this reason; else null.</returns>
    public TimeSpan? Repaired(string alias, string reason, TimeSpan now)
    {
        var before = _links.GetValueOrDefault(alias);
        if (before is null || before.Reason != reason || now - before.Last > before.Pause + Lasting)
        {
            _links[alias] = new(reason, 1, now, TimeSpan.Zero);
            return null;
        }
        var repairs = before.Repairs + 1;
        var pause = repairs < Patience ? TimeSpan.Zero
            : before.Pause == TimeSpan.Zero ? TimeSpan.FromSeconds(1)
            : TimeSpan.FromTicks(Math.Min(before.Pause.Ticks * 2, Pace.LongestRetry.Ticks));
        _links[alias] = new(reason, repairs, now, pause);
        return pause > TimeSpan.Zero && before.Pause == TimeSpan.Zero ? pause : null;
    }
}
