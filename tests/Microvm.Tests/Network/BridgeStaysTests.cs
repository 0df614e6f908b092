using System.Diagnostics;
using System.Text.RegularExpressions;
using Microvm.Network;

namespace Microvm.Tests.Network;

/// <summary>A bridge that taps join keeps its MAC and its MTU, and who is reached over it stays reached.</summary>
public sealed partial class BridgeStaysTests : IDisposable
{
    private readonly NetworkHost _host = new();
    private readonly Namespace _lan = new();

    public void Dispose()
    {
        _lan.Dispose();
        _host.Dispose();
    }

    private string Address(string link) => _host.Link(link).GetProperty("address").GetString()!;
    private int Mtu(string link) => _host.Link(link).GetProperty("mtu").GetInt32();

    [GeneratedRegex(@"(\d+) packets transmitted, (\d+) received")]
    private static partial Regex Counts();

    /// <summary>A bridge with one port that stands for the host's card; its other end is in the LAN. Both have a high MAC, as a card's seldom is.</summary>
    private void Bridge(int mtu)
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        _host.Net.Ip("link", "add", "card0", "address", "f2:00:00:00:00:01", "mtu", $"{mtu}", "type", "veth", "peer", "name", "eth0", "mtu", $"{mtu}", "netns", _lan.Name);
        _host.Net.Ip("link", "set", "card0", "master", "br0", "up");
        _host.Net.Ip("link", "set", "br0", "up");
        _host.Net.Ip("address", "add", "192.0.2.1/24", "dev", "br0");
        _lan.Ip("address", "add", "192.0.2.2/24", "dev", "eth0");
        _lan.Ip("link", "set", "eth0", "up");
        Assert.Equal(mtu, Mtu("br0"));
    }

    [Fact]
    public void A_peer_in_the_LAN_loses_no_ping_while_taps_join()
    {
        Bridge(9000);
        var before = Address("br0");
        Assert.Equal(0, Binary.Run("ip", null, "netns", "exec", _lan.Name, "ping", "-c", "1", "-w", "20", "192.0.2.1").Code);
        using var ping = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", _lan.Name, "ping", "-i", "0.02", "-W", "2", "-s", "8000", "-M", "do", "192.0.2.1"]) { RedirectStandardOutput = true })!;
        ping.StandardOutput.ReadLine();
        _host.Done("up", _host.Declare("a", 1, [.. Enumerable.Range(0, 40).Select(n => NetworkHost.Tap($"vm-a{n}", "br0"))]));
        _host.Done("up", _host.Declare("b", 2, [.. Enumerable.Range(0, 10).Select(n => NetworkHost.Tap($"vm-b{n}", "br0"))]));
        _host.Done("up", _host.Declare("a", 2, [.. Enumerable.Range(0, 40).Select(n => NetworkHost.Tap($"vm-a{n}", "br0"))]));
        _host.Done("down", "--vm", "b");
        Thread.Sleep(500);
        Binary.Run("kill", null, "-INT", $"{ping.Id}");
        var counts = Counts().Match(ping.StandardOutput.ReadToEnd());
        ping.WaitForExit();
        var (sent, received) = (int.Parse(counts.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture), int.Parse(counts.Groups[2].ValueSpan, System.Globalization.CultureInfo.InvariantCulture));
        // The last may still be under way.
        Assert.True(sent > 20 && sent - received <= 1, counts.Value);
        Assert.Equal((before, 9000), (Address("br0"), Mtu("br0")));
    }

    [Fact]
    public void A_taps_MAC_is_stable_and_higher_than_a_cards_and_one_that_it_has_already_stays()
    {
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1"), NetworkHost.Tap("vm-a2"));
        _host.Done("up", file);
        var (one, two) = (Address("vm-a1"), Address("vm-a2"));
        Assert.StartsWith("fe:", one);
        Assert.NotEqual(one, two);
        // Set by a program: udev leaves such a one alone (NET_ADDR_SET in linux/netdevice.h).
        Assert.Equal("3", Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "cat", "/sys/class/net/vm-a1/addr_assign_type").Out.Trim());
        _host.Done("down", file);
        _host.Done("up", file);
        Assert.Equal((one, two), (Address("vm-a1"), Address("vm-a2")));
        // As a tap has it that an earlier version made.
        _host.Net.Ip("link", "set", "vm-a1", "address", "02:11:22:33:44:55");
        Assert.Equal(0, _host.Microvm("plan", "--exit-code", file).Code);
        Assert.Contains("nothing to do", _host.Done("up", file).Out);
        Assert.Equal("02:11:22:33:44:55", Address("vm-a1"));
    }

    [Fact]
    public void Links_have_the_MTU_of_what_they_are_on()
    {
        Bridge(9000);
        _host.Net.Ip("link", "add", "jumbo0", "mtu", "8000", "type", "veth", "peer", "name", "far0", "mtu", "8000");
        var alone = _host.Declare("b", 1, NetworkHost.Tap("vm-b1"));
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Macvtap("vm-a2", "jumbo0", "bridge")), alone);
        Assert.Equal((9000, 8000, 1500, 9000), (Mtu("vm-a1"), Mtu("vm-a2"), Mtu("vm-b1"), Mtu("br0")));
        // One that is there joins, and is put back: the bridge hears of neither.
        _host.Done("up", _host.Declare("b", 1, NetworkHost.Tap("vm-b1", "br0")));
        Assert.Equal((9000, 9000), (Mtu("vm-b1"), Mtu("br0")));
        Assert.Equal([9000u, 8000u], _host.Inside(route =>
        {
            var state = HostState.Of(route.Links(statistics: false));
            return new[] { "vm-a1", "vm-a2" }.Select(n => state.MtuOf(n)!.Value).ToArray();
        }));
    }

    [Fact]
    public void Neither_MAC_nor_MTU_costs_a_system_call_for_each_tap()
    {
        Bridge(9000);
        int Sends(string vm, int taps)
        {
            var trace = Path.Combine(Path.GetDirectoryName(_host.Declare(vm, 1))!, $"{vm}.trace");
            var file = _host.Declare(vm, 1, [.. Enumerable.Range(0, taps).Select(n => NetworkHost.Tap($"{vm}{n}", "br0"))]);
            Assert.Equal(0, Binary.Run("strace", null, "-f", "-o", trace, "-e", "trace=sendto,sendmsg", Binary.Path, "up", "--netns", _host.Net.Name, file).Code);
            return File.ReadLines(trace).Count(l => l.Contains("send", StringComparison.Ordinal));
        }
        Assert.Equal(Sends("one", 1), Sends("many", 60));
    }
}
