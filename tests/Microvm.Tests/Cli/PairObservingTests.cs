using System.Text.Json;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>What is shown of macvtaps, and of the tap and macvlan that stand for one: one attachment, one row.</summary>
public sealed class PairObservingTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly NetworkHost _host = new();
    private readonly Folder _folder = new();
    private readonly string _fire, _qemu;

    public PairObservingTests()
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Net.Ip("link", "set", "eth0", "up");
        _host.Net.Ip("link", "set", "far0", "up");
        _qemu = _host.Declare("box", 1, NetworkHost.Macvtap("vm-b1", "eth0", "bridge"));
        _fire = _folder.File("fire.json", $$"""{"networking":{"hostName":"fire"},"microvm":{"hypervisor":"firecracker","interfaces":[{{NetworkHost.Macvtap("vm-f1", "eth0", "bridge")}}] } }""");
    }

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    private JsonElement[] Status(params string[] files) => [.. JsonDocument.Parse(_host.Microvm("status", ["--json", .. files]).Out).RootElement.EnumerateArray()];
    private static string? Text(JsonElement of, string name) => of.GetProperty(name).GetString();

    private void IsPair(JsonElement row, string state)
    {
        Assert.Equal(("fire", "vm-f1", "macvtap", "tap-redirect", state, "eth0"), (Text(row, "vm"), Text(row, "id"), Text(row, "type"), Text(row, "attachment"), Text(row, "state"), Text(row, "lower")));
        Assert.Equal(NetworkHost.MacOf("vm-f1"), Text(row, "mac"));
    }

    [Fact]
    public void A_pair_is_one_row_with_and_without_its_declaration()
    {
        Assert.Equal("missing", Text(Assert.Single(Status(_fire)), "state"));
        _host.Done("up", _fire);
        foreach (var row in new[] { Assert.Single(Status(_fire)), Assert.Single(Status()) })
        {
            IsPair(row, "up");
            Assert.Equal(["vm-f1", "mv-vm-f1"], row.GetProperty("links").EnumerateArray().Select(l => l.GetString()));
        }
        Assert.Equal(0, _host.Microvm("status", "--exit-code", _fire).Code);
        Assert.Equal(0, _host.Microvm("status", "--exit-code").Code);
    }

    [Fact]
    public void What_half_of_a_pair_lacks_is_told_with_and_without_its_declaration()
    {
        (string[] Blow, string Says)[] blows =
        [
            (["tc", "-n", _host.Net.Name, "filter", "delete", "dev", "mv-vm-f1", "ingress"], "is not redirected to 'vm-f1'"),
            (["ip", "-n", _host.Net.Name, "link", "delete", "mv-vm-f1"], "not there"),
            (["ip", "-n", _host.Net.Name, "link", "delete", "vm-f1"], "not there"),
        ];
        foreach (var (blow, says) in blows)
        {
            _host.Done("up", _fire);
            Assert.Equal(0, Binary.Run(blow[0], null, blow[1..]).Code);
            foreach (var files in new[] { new[] { _fire }, [] })
            {
                var row = Assert.Single(Status(files));
                Assert.Equal(("fire", "vm-f1", "drifted"), (Text(row, "vm"), Text(row, "id"), Text(row, "state")));
                Assert.Contains(says, Text(row, "reason"));
                Assert.Equal(3, _host.Microvm("status", ["--exit-code", .. files]).Code);
            }
        }
    }

    [Fact]
    public void The_holders_of_a_pair_and_of_a_macvtap_are_named()
    {
        _host.Done("up", _fire, _qemu);
        var node = $"/dev/tap{_host.Link("vm-b1").GetProperty("ifindex").GetInt32()}";
        using var one = new Holder(_host.Net.Name, "vm-f1");
        using var two = new Holder(_host.Net.Name, node);
        foreach (var rows in new[] { Status(_qemu, _fire), Status() })
        {
            Assert.Equal(["vm-b1", "vm-f1"], rows.Select(r => Text(r, "id")));
            Assert.Equal([two.Id, one.Id], rows.Select(r => Assert.Single(r.GetProperty("holders").EnumerateArray()).GetProperty("pid").GetInt32()));
            Assert.All(rows, r => Assert.Equal(1, r.GetProperty("queuesInUse").GetInt32()));
        }
        var host = _host.Microvm("topology", "--host").Out;
        Assert.Matches($@"box \([\w-]+, pid {two.Id}\)", host);
        Assert.Matches($@"fire \([\w-]+, pid {one.Id}\)", host);
    }

    [Fact]
    public void Topology_draws_a_pair_as_one_interface_on_its_lower_device()
    {
        Assert.Contains("eth0 (lower device)\n└─ vm-f1 (macvtap by a tap, ", Binary.Microvm("topology", _fire).Out);
        _host.Done("up", _fire);
        Assert.Matches(@"eth0 \(veth, up\)\n└─ vm-f1 \(macvtap, joined to mv-vm-f1, up\)\n   └─ fire \(not running\)\n$", _host.Microvm("topology", "--host").Out);
    }

    [Fact]
    public void Metrics_count_a_pair_once_and_tell_its_attachment()
    {
        _host.Done("up", _fire, _qemu);
        foreach (var files in new[] { new[] { _fire, _qemu }, [] })
        {
            var page = _host.Microvm("metrics", files).Out;
            Assert.Contains($"microvm_interface_info{{vm=\"fire\",interface=\"vm-f1\",type=\"macvtap\",attachment=\"tap-redirect\",mac=\"{NetworkHost.MacOf("vm-f1")}\",bridge=\"\",lower=\"eth0\"}} 1\n", page);
            Assert.Contains("microvm_interface_drift{vm=\"fire\",interface=\"vm-f1\"} 0\n", page);
            Assert.Equal(2, page.Split("microvm_interface_up{").Length - 1);
        }
        // What the command line takes, tables show and metrics carry is one spelling.
        Assert.Contains("attachment=\"tap-by-fd\"", _host.Microvm("metrics", _qemu).Out);
        Assert.Equal("tap-by-fd", Text(Assert.Single(Status(_qemu)), "attachment"));
    }

    [Fact]
    public void A_foreign_link_is_told_is_not_counted_and_comes_off_the_table_once_it_is_gone()
    {
        _host.Net.Ip("tuntap", "add", "vm-f1", "mode", "tap");
        var row = Assert.Single(Status(_fire));
        IsPair(row, "foreign");
        Assert.Contains("not created by microvm", Text(row, "reason"));
        Assert.Equal(3, _host.Microvm("status", "--exit-code", _fire).Code);
        Assert.Empty(Status());
        using var terminal = new PseudoTerminal([Binary.Path, "status", "--netns", _host.Net.Name, _fire], 100, 20);
        terminal.WaitForExit(s_limit);
        Assert.Matches(@"(?m)^fire +vm-f1 +foreign", terminal.Screen.Text);
        Assert.Equal(5, terminal.Screen[1, terminal.Screen.Lines[0].IndexOf("STATE", StringComparison.Ordinal)].Pen.Foreground);
        var page = _host.Microvm("metrics", _fire).Out;
        Assert.Contains("microvm_interface_state{vm=\"fire\",interface=\"vm-f1\",state=\"foreign\"} 1\n", page);
        Assert.Contains("microvm_interface_up{vm=\"fire\",interface=\"vm-f1\"} 0\n", page);
        Assert.DoesNotContain("microvm_interface_bytes_total{", page);
        _host.Net.Ip("link", "del", "vm-f1");
        IsPair(Assert.Single(Status(_fire)), "missing");
    }

    [Fact]
    public void A_link_that_is_down_is_down_and_one_that_is_no_longer_declared_is_drift()
    {
        _host.Done("up", _host.Declare("web", 1, NetworkHost.Tap("vm-a1"), NetworkHost.Tap("vm-a2")));
        var less = _host.Declare("web", 1, NetworkHost.Tap("vm-a1"));
        _host.Net.Ip("link", "set", "vm-a1", "down");
        var rows = Status(less);
        Assert.Equal([("vm-a1", "down", "it is down"), ("vm-a2", "drifted", "the declaration no longer has it")], rows.Select(r => (Text(r, "id")!, Text(r, "state")!, Text(r, "reason")!)));
        Assert.Equal(3, _host.Microvm("status", "--exit-code", less).Code);
        Assert.Contains("microvm_interface_drift{vm=\"web\",interface=\"vm-a1\"} 1\n", _host.Microvm("metrics", less).Out);
    }

    [Fact]
    public void Frames_of_a_pair_are_counted_from_the_vms_side()
    {
        _host.Done("up", _fire);
        _host.SendFromGuest("vm-f1");
        var row = Assert.Single(Status());
        Assert.Equal((60, 1), (row.GetProperty("fromVm").GetProperty("bytes").GetInt32(), row.GetProperty("fromVm").GetProperty("packets").GetInt32()));
    }
}
