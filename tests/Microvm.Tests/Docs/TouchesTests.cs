using System.Text.RegularExpressions;

namespace Microvm.Tests.Docs;

/// <summary>docs/touches.md, row by row: each command is run, and <c>up</c> does what the row says.</summary>
public sealed partial class TouchesTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    [GeneratedRegex(@"^\|[^|]*\|[^|]*\| `(?<command>[^`]+)` \| (?<then>[^|]+) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    // Timers and counters of a bridge run by themselves, what its ports can offload it works out anew, and a lower device that was set down settles later.
    [GeneratedRegex(@"""[a-z_]*timer"":[^,}]*,?|""(operstate|topology_change[a-z_]*|state|[gt]so_[a-z0-9_]*)"":[^,}]*,?|""(LOWER_UP|NO-CARRIER|M-DOWN)"",|,""(LOWER_UP|NO-CARRIER|M-DOWN)""")]
    private static partial Regex ByItself();

    public static TheoryData<string, string> Rows()
    {
        var rows = new TheoryData<string, string>();
        foreach (Match row in Row().Matches(File.ReadAllText(Path.Combine(Binary.Root, "docs", "touches.md"))))
        {
            rows.Add(row.Groups["command"].Value, row.Groups["then"].Value);
        }
        return rows;
    }

    private string Picture() => ByItself().Replace(Inside("sh", "-c",
        "ip -d -j link; ip -o -4 address; ip route; ip neighbour show nud permanent; tc qdisc; cat /proc/sys/net/ipv6/conf/vm-*/disable_ipv6").Out, "");

    private Binary.Outcome Inside(params string[] command) => Binary.Run("ip", null, ["netns", "exec", _host.Net.Name, .. command]);

    [Theory]
    [MemberData(nameof(Rows))]
    public void Up_does_what_the_table_says(string command, string then)
    {
        foreach (var link in (string[])["br0", "br1"])
        {
            // A MAC of its own: without one a bridge loses it with its last port.
            _host.Net.Ip("link", "add", link, "address", NetworkHost.MacOf(link), "up", "type", "bridge");
        }
        _host.Net.Ip("link", "add", "eth0", "up", "type", "veth", "peer", "name", "far0");
        _host.Net.Ip("link", "set", "far0", "up");
        _host.Net.Ip("tuntap", "add", "foreign0", "mode", "tap");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Tap("vm-a2"),
            NetworkHost.Tap("vm-a3").Replace("}", ",\"bridge\":null}", StringComparison.Ordinal), NetworkHost.Macvtap("vm-a4", "eth0", "bridge"));
        _host.Done("up", file);
        // What the kernel works out a moment later, as that a link came up, is no part of this.
        WaitUntilQuiet();
        var made = Picture();

        var done = Inside(command.Split(' '));
        Assert.True(done.Code == 0, $"{command}: {done.Err}");
        WaitUntilQuiet();
        var changed = Picture();
        Assert.NotEqual(made, changed);

        Assert.Contains(then, (string[])["set it back", "leave it"]);
        var drift = then == "set it back";
        Assert.Equal(drift ? 3 : 0, _host.Microvm("plan", "--exit-code", file).Code);
        // What is not ours is left, and what can't pass it is told.
        Assert.Equal(drift || command.EndsWith(" down", StringComparison.Ordinal) ? 3 : 0, _host.Microvm("status", "--exit-code", file).Code);
        var up = _host.Done("up", file);
        Assert.Equal(!drift, up.Out.Contains("nothing to do", StringComparison.Ordinal));
        WaitUntilQuiet();
        Assert.Equal(drift ? made : changed, Picture());
    }

    private void WaitUntilQuiet()
    {
        for (string before = "", now = Picture(); before != now; now = Picture())
        {
            before = now;
            Thread.Sleep(40);
        }
    }

    [Fact]
    public void The_table_has_rows_of_both_kinds()
    {
        var rows = File.ReadAllText(Path.Combine(Binary.Root, "docs", "touches.md"));
        Assert.True(Row().Matches(rows).Count(m => m.Groups["then"].Value == "set it back") >= 8);
        Assert.True(Row().Matches(rows).Count(m => m.Groups["then"].Value == "leave it") >= 15);
        // No row of the table is passed over for its form.
        Assert.Equal(rows.Split('\n').Count(l => l.StartsWith('|')) - 2, Row().Matches(rows).Count);
    }
}
