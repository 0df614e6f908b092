using Microvm.Declaration;

namespace Microvm.Network.Reach;

/// <summary>Two macvtaps on one lower device: the kernel hands frames from one to the other only where both are in mode bridge (<c>macvlan_queue_xmit()</c> in
/// drivers/net/macvlan.c); all else leaves by the device.</summary>
internal static class MacvtapModes
{
    internal static ReachStep Between(ReachEnd.Guest from, ReachEnd.Guest to, string lower)
    {
        var (a, b) = (from.Interface.MacvtapMode, to.Interface.MacvtapMode);
        if ((a, b) is (MacvtapMode.Bridge, MacvtapMode.Bridge))
        {
            return new(ReachRule.Macvtap, ReachVerdict.Yes, $"both are macvtaps in mode bridge on '{lower}'");
        }
        var modes = a == b ? $"both are in mode {Word(a)}" : $"their modes are {Word(a)} and {Word(b)}";
        return (a, b) switch
        {
            (MacvtapMode.Vepa, MacvtapMode.Vepa) => new(ReachRule.Macvtap, ReachVerdict.Unknown,
                $"{modes} on '{lower}', so their frames go out, and the switch there decides whether they come back (hairpin, IEEE 802.1Qbg)"),
            _ => new(ReachRule.Macvtap, ReachVerdict.No, $"{modes} on '{lower}', and only mode bridge of both hands frames from one macvtap to the other"),
        };
    }

    private static string Word(MacvtapMode? mode) => (mode ?? MacvtapMode.Bridge).Word();
}
