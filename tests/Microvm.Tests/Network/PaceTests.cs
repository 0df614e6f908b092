using CsCheck;
using Microvm.Network;

namespace Microvm.Tests.Network;

[Trait("needs", "nothing")]
public sealed class PaceTests
{
    /// <summary>Whatever the events' times: a look comes within the promised time of each, and never more of them than the bucket allows.</summary>
    [Fact]
    public void A_look_follows_every_event_soon_and_a_storm_gets_no_more_than_its_share() =>
        Gen.Int[0, 400].List[1, 400].Sample(gaps =>
        {
            var pace = new Pace();
            var looks = new List<TimeSpan>();
            var now = TimeSpan.FromHours(1);
            TimeSpan? unseen = null;
            foreach (var gap in gaps)
            {
                // Millisecond by millisecond, as the watch's loop would see it.
                for (var i = 0; i < gap; i++)
                {
                    now += TimeSpan.FromMilliseconds(1);
                    if (pace.Left(now) == TimeSpan.Zero)
                    {
                        looks.Add(now);
                        pace.Looked(now, settled: true);
                        unseen = null;
                    }
                    if (unseen is { } since && now - since > Pace.Settle + Pace.Refill + TimeSpan.FromMilliseconds(2))
                    {
                        return false;
                    }
                }
                pace.Event(now);
                unseen ??= now;
            }
            var allowed = Pace.Burst + 1 + (now - TimeSpan.FromHours(1)) / Pace.Refill;
            return looks.Count <= allowed;
        }, iter: 200);

    [Fact]
    public void What_could_not_be_mended_is_tried_again_later_and_later()
    {
        var pace = new Pace();
        var now = TimeSpan.FromHours(1);
        var waits = new List<double>();
        for (var i = 0; i < 8; i++)
        {
            pace.Looked(now, settled: false);
            waits.Add(pace.Left(now)!.Value.TotalSeconds);
            now += pace.Left(now)!.Value;
        }
        Assert.Equal([1, 2, 4, 8, 16, 30, 30, 30], waits);
        pace.Looked(now, settled: true);
        Assert.Equal(Pace.Quiet, pace.Left(now));
    }
}
