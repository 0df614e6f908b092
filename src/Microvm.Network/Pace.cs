namespace Microvm.Network;

/// <summary>When the next look at the host is due: soon after an event, but never so often that an adversary keeps us busy. Pure: time is given.</summary>
/// <remarks>A bucket of <see cref="Burst"/> looks that fills again by one each <see cref="Refill"/>; while it is empty a look waits at
/// most that long, so what is to be mended is mended within <see cref="Settle"/> and <see cref="Refill"/> of the last event.</remarks>
internal sealed class Pace
{
    /// <summary>How many looks may follow each other at once.</summary>
    public const int Burst = 20;

    /// <summary>How long one more look takes to be allowed again.</summary>
    public static readonly TimeSpan Refill = TimeSpan.FromMilliseconds(200);

    /// <summary>How long to wait after an event, so that events that come together are one look.</summary>
    public static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(10);

    /// <summary>The longest wait before a refused or failed look is tried again without an event.</summary>
    public static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    /// <summary>How often to look when nothing is heard: some changes are not told, as that of an alias or an owner.</summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    private double _tokens = Burst;
    private TimeSpan _filled;
    private TimeSpan? _due;
    private TimeSpan _retry = TimeSpan.FromSeconds(1);

    /// <summary>Something happened. A look that is due already is not put off.</summary>
    public void Event(TimeSpan now)
    {
        Fill(now);
        var earliest = now + Settle + (_tokens >= 1 ? TimeSpan.Zero : (1 - _tokens) * Refill);
        _due = _due is { } due && due < earliest ? due : earliest;
    }

    /// <summary>A look is due at that time, if none is before.</summary>
    public void NoLaterThan(TimeSpan time) => _due = _due is { } due && due < time ? due : time;

    /// <summary>How long until a look is due: zero when it is, null before the first.</summary>
    public TimeSpan? Left(TimeSpan now) => _due is { } due ? TimeSpan.FromTicks(Math.Max(0, (due - now).Ticks)) : null;

    /// <summary>A look was taken.</summary>
    /// <param name="settled">Whether all was well in the end; if not, another is due later even without an event, later each time.</param>
    public void Looked(TimeSpan now, bool settled)
    {
        Fill(now);
        _tokens -= 1;
        _due = now + (settled ? Quiet : _retry);
        _retry = settled ? TimeSpan.FromSeconds(1) : TimeSpan.FromTicks(Math.Min(_retry.Ticks * 2, LongestRetry.Ticks));
    }

    private void Fill(TimeSpan now)
    {
        _tokens = Math.Min(Burst, _tokens + Math.Max(0, (now - _filled) / Refill));
        _filled = now;
    }
}
