using System.Text.Json;
using System.Text.RegularExpressions;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>Each thing that status tells, against what the kernel says of it.</summary>
public sealed class StatusWordsTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly NetworkHost _host = new();
    private readonly string _vm;

    public StatusWordsTests()
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        _host.Net.Ip("link", "set", "br0", "up");
        _host.Net.Ip("link", "add", "eth0", "up", "type", "veth", "peer", "name", "far0");
        _host.Net.Ip("link", "set", "far0", "up");
        _vm = _host.Declare("web", 1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Macvtap("vm-m1", "eth0", "bridge"), $$"""{"type":"user","id":"u0","mac":"{{NetworkHost.MacOf("u0")}}"}""");
        _host.Done("up", _vm);
    }

    public void Dispose() => _host.Dispose();

    [Fact]
    public void A_wide_terminal_shows_every_word_of_an_interface()
    {
        _host.SendFromGuest("vm-a1");
        using var holder = new Holder(_host.Net.Name, "vm-a1");
        using var terminal = new PseudoTerminal([Binary.Path, "status", "--netns", _host.Net.Name, _vm], 200, 20);
        Assert.Equal(0, terminal.WaitForExit(s_limit));
        var lines = terminal.Screen.Lines;
        Assert.Matches("^VM +INTERFACE +STATE +TYPE +ATTACHMENT +ON +MAC +QUEUES +HELD BY +TO VM +FROM VM +PKTS TO +PKTS FROM$", lines[0]);
        Assert.Matches($@"^web +vm-a1 +up +tap +tap-by-name +br0 +{NetworkHost.MacOf("vm-a1")} +1/1 +{holder.Id} qemu-system-x86 +[\d.]+ k?B +60 B +\d+ +1$", lines[1]);
        Assert.Matches($@"^web +vm-m1 +up +macvtap +tap-by-fd +eth0 +{NetworkHost.MacOf("vm-m1")} +0/1 +- +", lines[2]);
        Assert.Matches($@"^web +u0 +unlinked +user +user-mode +- +{NetworkHost.MacOf("u0")} +1 +- +- +- +- +-$", lines[3]);
    }

    [Fact]
    public void The_JSON_says_what_the_kernel_says_and_its_fields_are_those_that_scripts_know()
    {
        _host.SendFromGuest("vm-a1");
        // Taken between two looks at the kernel's counters that are alike: IPv6 of a bridge that just came up still sends.
        JsonElement rows, counted, after = Counted();
        do
        {
            counted = after;
            rows = JsonDocument.Parse(_host.Done("status", "--json", _vm).Out).RootElement;
            after = Counted();
        }
        while (counted.GetRawText() != after.GetRawText());
        string[] fields = ["vm", "id", "state", "index", "multiQueue", "owner", "group", "bridge", "type", "attachment", "reason", "mac", "hostMac", "queuePairs", "queuesInUse", "lower", "carrier", "holders", "toVm", "fromVm", "links", "addresses"];
        Assert.All(rows.EnumerateArray(), r => Assert.Equal(fields, r.EnumerateObject().Select(p => p.Name)));
        Assert.Equal(["bytes", "packets", "dropped", "errors", "bytesPerSecond", "packetsPerSecond"], rows[0].GetProperty("toVm").EnumerateObject().Select(p => p.Name));
        var (row, link) = (rows[0], _host.Link("vm-a1"));
        Assert.Equal(link.GetProperty("ifindex").GetInt32(), row.GetProperty("index").GetInt32());
        Assert.Equal(link.GetProperty("address").GetString(), row.GetProperty("hostMac").GetString());
        Assert.Equal(link.GetProperty("master").GetString(), row.GetProperty("bridge").GetString());
        foreach (var (ours, theirs) in new[] { ("fromVm", "rx"), ("toVm", "tx") })
        {
            foreach (var what in new[] { "bytes", "packets", "dropped", "errors" })
            {
                Assert.Equal(counted.GetProperty(theirs).GetProperty(what).GetInt64(), row.GetProperty(ours).GetProperty(what).GetInt64());
            }
        }
    }

    private JsonElement Counted() => JsonDocument.Parse(_host.Net.Ip("-s", "-j", "link", "show", "vm-a1")).RootElement[0].GetProperty("stats64");

    [Fact]
    public void Below_the_table_stands_the_command_that_mends_it_and_it_does()
    {
        Assert.DoesNotContain("$ ", _host.Done("status", _vm).Out);
        _host.Net.Ip("link", "set", "vm-a1", "down", "nomaster");
        _host.Net.Ip("link", "del", "vm-m1");
        var told = _host.Done("status", _vm).Out;
        Assert.Matches("(?m)^drifted: vm-a1 of web: ", told);
        Assert.Matches("(?m)^missing: vm-m1 of web: ", told);
        var mend = Regex.Match(told, @"(?m)^\$ (.*)$").Groups[1].Value;
        Assert.Equal($"sudo microvm up --netns {_host.Net.Name} {_vm}", mend);
        Assert.Equal(0, Binary.Run("sh", null, "-c", mend.Replace("sudo microvm", Binary.Path, StringComparison.Ordinal)).Code);
        Assert.Equal(0, _host.Microvm("status", "--exit-code", _vm).Code);
        // A link that is somebody else's is first somebody's to look at.
        _host.Done("down", _vm);
        _host.Net.Ip("link", "add", "vm-a1", "type", "bridge");
        Assert.DoesNotContain("$ ", _host.Done("status", _vm).Out);
    }
}
