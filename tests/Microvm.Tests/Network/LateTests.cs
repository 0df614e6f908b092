using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Network.Applying;

namespace Microvm.Tests.Network;

/// <summary>Bridges and lower devices that come late, go, come back, have another name or no carrier.</summary>
public sealed class LateTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    private string On(string link, string what) => _host.Link(link).TryGetProperty(what, out var on) ? on.GetString()! : "";
    private void Veth(string name, string peer)
    {
        _host.Net.Ip("link", "add", name, "type", "veth", "peer", "name", peer);
        _host.Net.Ip("link", "set", name, "up");
        _host.Net.Ip("link", "set", peer, "up");
    }

    [Fact]
    public void A_watch_makes_and_mends_as_bridge_and_lower_device_come_go_and_come_back()
    {
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Macvtap("vm-a2", "eth0", "bridge"));
        using var watch = new WatchProcess(["--netns", _host.Net.Name, file]);
        watch.WaitFor("'vm-a1' needs the bridge 'br0', which is not there");
        watch.WaitFor("'vm-a2' needs the lower device 'eth0', which is not there");
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        WatchProcess.Until(() => _host.Has("vm-a1"), () => watch.Printed);
        Veth("eth0", "far0");
        WatchProcess.Until(() => _host.Has("vm-a2"), () => watch.Printed);
        // With its lower device the kernel deletes a macvtap.
        _host.Net.Ip("link", "del", "eth0");
        _host.Net.Ip("link", "del", "br0");
        Assert.False(_host.Has("vm-a2"));
        var status = _host.Microvm("status", file).Out;
        Assert.Contains("missing: vm-a2 of a: 'vm-a2' needs the lower device 'eth0', which is not there", status);
        Assert.Contains("drifted: vm-a1 of a: 'vm-a1' needs the bridge 'br0', which is not there", status);
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        Veth("eth0", "far0");
        WatchProcess.Until(() => _host.Has("vm-a2") && On("vm-a1", "master") == "br0", () => watch.Printed);
        Assert.Equal(0, _host.Microvm("plan", "--exit-code", file).Code);
        // Another bridge takes the name over, by an altname, while the first is gone.
        _host.Net.Ip("link", "add", "lan", "type", "bridge");
        _host.Net.Ip("link", "del", "br0");
        _host.Net.Ip("link", "property", "add", "dev", "lan", "altname", "br0");
        WatchProcess.Until(() => On("vm-a1", "master") == "lan", () => watch.Printed);
        Assert.Equal(0, watch.End("TERM"));
    }

    [Fact]
    public void Up_attaches_to_a_bridge_made_anew_and_makes_a_macvtap_anew_that_went_with_its_lower_device()
    {
        Veth("eth0", "far0");
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Macvtap("vm-a2", "eth0", "bridge"));
        _host.Done("up", file);
        _host.Net.Ip("link", "del", "br0");
        _host.Net.Ip("link", "del", "eth0");
        var gone = _host.Microvm("up", file);
        Assert.Equal(1, gone.Code);
        Assert.Contains("'br0', which is not there", gone.Err);
        Assert.Contains("'eth0', which is not there", gone.Err);
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        Veth("eth0", "far0");
        _host.Done("up", file);
        Assert.Equal(("br0", "eth0"), (On("vm-a1", "master"), On("vm-a2", "link")));
    }

    [Fact]
    public void A_renamed_device_is_told_by_its_new_name_and_the_command_that_is_named_mends()
    {
        Veth("eth0", "far0");
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Macvtap("vm-a2", "eth0", "bridge"));
        _host.Done("up", file);
        var before = _host.Picture().Where(l => l.Contains("microvm:", StringComparison.Ordinal)).ToList();
        foreach (var (name, now) in (IEnumerable<(string, string)>)[("br0", "lan"), ("eth0", "wan")])
        {
            _host.Net.Ip("link", "set", name, "down");
            _host.Net.Ip("link", "set", name, "name", now);
            _host.Net.Ip("link", "set", now, "up");
            var plan = _host.Microvm("plan", file);
            Assert.Equal(1, plan.Code);
            Assert.Contains($"'{name}', which is not there; 'vm-a{(name == "br0" ? 1 : 2)}' is on '{now}' now", plan.Err);
            var mend = plan.Err[plan.Err.IndexOf($"ip -n {_host.Net.Name} link property", StringComparison.Ordinal)..].Split('\n')[0].Trim();
            Assert.Equal($"ip -n {_host.Net.Name} link property add dev {now} altname {name}", mend);
            Assert.Equal(0, Binary.Run("sh", null, "-c", mend).Code);
        }
        Assert.Contains("nothing to do", _host.Done("up", file).Out);
        Assert.Equal(before, _host.Picture().Where(l => l.Contains("microvm:", StringComparison.Ordinal)));
        Assert.Equal(0, _host.Microvm("status", "--exit-code", file).Code);
    }

    [Fact]
    public void Altnames_are_names_and_one_that_is_taken_is_no_links()
    {
        Veth("wan", "far0");
        _host.Net.Ip("link", "add", "lan", "type", "bridge");
        _host.Net.Ip("link", "property", "add", "dev", "wan", "altname", "enp0s31f6", "altname", "vm-a3");
        _host.Net.Ip("link", "property", "add", "dev", "lan", "altname", "br0");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Macvtap("vm-a2", "enp0s31f6", "bridge"));
        _host.Done("up", file);
        Assert.Equal(("lan", "wan"), (On("vm-a1", "master"), On("vm-a2", "link")));
        Assert.Contains("nothing to do", _host.Done("up", file).Out);
        Assert.Contains("lan", _host.Microvm("status", file).Out);
        Assert.DoesNotContain(_host.Microvm("doctor", file).Out.Split('\n'), l => l.Contains("there is no bridge br0", StringComparison.Ordinal) || l.Contains("there is no link enp0s31f6", StringComparison.Ordinal));
        // One passthru and another on the same device, by its two names.
        var both = _host.Microvm("plan", _host.Declare("b", 1, NetworkHost.Macvtap("vm-b1", "far0", "passthru")), _host.Declare("c", 1, NetworkHost.Macvtap("vm-c1", "wan", "passthru"), NetworkHost.Macvtap("vm-c2", "enp0s31f6", "bridge")));
        Assert.Contains("uses it", both.Err);
        var before = _host.Picture();
        var refused = _host.Microvm("up", _host.Declare("d", 1, NetworkHost.Tap("vm-d1"), NetworkHost.Tap("vm-a3")));
        Assert.Equal(1, refused.Code);
        Assert.Contains("'vm-a3' is an altname of 'wan'", refused.Err);
        Assert.Equal(before, _host.Picture());
    }

    private const string LongLan = "the-lan-of-the-second-floor", LongWan = "enxa0b1c2d3e4f5-and-more";

    [Fact]
    public void An_altname_may_be_longer_than_a_links_own_name_for_bridge_and_lower_device_and_not_for_id()
    {
        Veth("wan", "far0");
        _host.Net.Ip("link", "add", "lan", "up", "type", "bridge");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", LongLan), NetworkHost.Macvtap("vm-a2", LongWan, "bridge"));
        Assert.Equal(0, Binary.Microvm("check", file).Code);
        // Nobody can make a link of such a name, and nobody is told to.
        var missing = _host.Microvm("plan", file);
        Assert.Equal(1, missing.Code);
        Assert.DoesNotContain("link add", missing.Err);
        Assert.Contains($"ip -n {_host.Net.Name} link property add dev br0 altname {LongLan}", missing.Err);
        Assert.Contains($"'{LongWan}', which is not there", missing.Err);
        Assert.DoesNotContain(_host.Microvm("doctor", file).Out.Split('\n'), l => l.Contains("ip link add", StringComparison.Ordinal));
        using (var watch = new WatchProcess(["--netns", _host.Net.Name, file]))
        {
            watch.WaitFor($"'{LongLan}', which is not there");
            _host.Net.Ip("link", "property", "add", "dev", "lan", "altname", LongLan);
            _host.Net.Ip("link", "property", "add", "dev", "wan", "altname", LongWan);
            WatchProcess.Until(() => _host.Has("vm-a2") && _host.Has("vm-a1") && On("vm-a1", "master") == "lan", () => watch.Printed);
            // It goes and comes back, and the port has the settings that somebody gave it.
            Assert.Equal(0, Binary.Run("bridge", null, "-n", _host.Net.Name, "link", "set", "dev", "vm-a1", "isolated", "on").Code);
            Thread.Sleep(500);
            _host.Net.Ip("link", "del", "lan");
            _host.Net.Ip("link", "del", "wan");
            Veth("wan", "far0");
            _host.Net.Ip("link", "add", "lan", "up", "type", "bridge");
            _host.Net.Ip("link", "property", "add", "dev", "lan", "altname", LongLan);
            _host.Net.Ip("link", "property", "add", "dev", "wan", "altname", LongWan);
            WatchProcess.Until(() => _host.Has("vm-a2") && On("vm-a1", "master") == "lan", () => watch.Printed);
            Assert.True(_host.Link("vm-a1").GetProperty("linkinfo").GetProperty("info_slave_data").GetProperty("isolated").GetBoolean());
            Assert.Equal(0, watch.End("TERM"));
        }
        Assert.Equal(("lan", "wan"), (On("vm-a1", "master"), On("vm-a2", "link")));
        Assert.Contains("nothing to do", _host.Done("up", file).Out);
        Assert.Equal(0, _host.Microvm("status", "--exit-code", file).Code);
        // Renamed, it still has that name.
        _host.Net.Ip("link", "set", "lan", "name", "lan2");
        Assert.Contains("nothing to do", _host.Done("up", file).Out);
        var told = Binary.Microvm("check", _host.Declare("b", 1, NetworkHost.Tap(LongLan)));
        Assert.Equal(2, told.Code);
        Assert.Contains("Linux allows 15", told.Out);
        Assert.Contains("Linux allows 127", Binary.Microvm("check", _host.Declare("c", 1, NetworkHost.Tap("vm-c1", new('n', 128)))).Out);
        // qemu-bridge-helper copies the name into 16 bytes.
        string Helped(string more) => Binary.Microvm("check", _host.Declare("d", 1, $$"""{"type":"bridge","id":"vm-d1","mac":"02:00:00:00:00:0d","bridge":"{{LongLan}}"{{more}}}""")).Out;
        Assert.Contains("qemu-bridge-helper takes no name of more than 15 bytes", Helped(",\"bridgeHelper\":true"));
        Assert.DoesNotContain("error", Helped(""));
    }

    [Fact]
    public void A_firewall_is_judged_by_the_bridges_own_name_where_a_declaration_has_its_altname()
    {
        _host.Net.Ip("link", "add", "lan", "type", "bridge");
        _host.Net.Ip("link", "set", "lan", "up", "type", "bridge", "nf_call_iptables", "1", "nf_call_ip6tables", "1");
        _host.Net.Ip("link", "property", "add", "dev", "lan", "altname", "br0");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"));
        void Nft(string rules) => Assert.Equal(0, Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "nft", rules).Code);
        bool Drops() => _host.Microvm("doctor", file).Out.Contains("bridged frames go through the firewall", StringComparison.Ordinal);
        Nft("add table inet fw; add chain inet fw f { type filter hook forward priority 0; policy drop; }");
        Assert.True(Drops());
        Nft("add rule inet fw f iifname lan oifname lan accept");
        Assert.False(Drops());
    }

    [Fact]
    public void A_lower_device_without_carrier_is_told_and_nothing_is_changed_for_it()
    {
        Veth("eth0", "far0");
        var file = _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "bridge"));
        _host.Done("up", file);
        using var watch = new WatchProcess(["--netns", _host.Net.Name, file]);
        watch.WaitFor("watching ");
        _host.Net.Ip("link", "set", "far0", "down");
        watch.WaitFor("noted    'vm-a1' of a: its lower device 'eth0' has no carrier");
        Assert.Contains("it is right, but its lower device 'eth0' has no carrier", _host.Microvm("plan", file).Out);
        var status = _host.Microvm("status", "--exit-code", file);
        Assert.Equal(3, status.Code);
        Assert.Contains("its lower device 'eth0' has no carrier", status.Out);
        Assert.Contains("microvm_interface_drift{vm=\"a\",interface=\"vm-a1\"} 1\n", _host.Microvm("metrics", file).Out, StringComparison.Ordinal);
        Assert.Contains("-> eth0 [no carrier] -> the wire", Words(_host.Microvm("explain", file).Out), StringComparison.Ordinal);
        Assert.Contains("eth0 (lower device, no carrier)", _host.Microvm("topology", file).Out, StringComparison.Ordinal);
        _host.Net.Ip("link", "set", "eth0", "down");
        watch.WaitFor("its lower device 'eth0' is down");
        Assert.Equal(0, watch.End("TERM"));
        Assert.Contains("stopped after 0 repairs", watch.Printed);
    }

    [Fact]
    public void A_bridge_that_is_down_is_told_by_all_that_look_and_left_alone()
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"));
        var told = "its bridge 'br0' is down";
        var mend = $"ip -n {_host.Net.Name} link set br0 up";
        _host.Done("up", file);
        Assert.Contains($"it is right, but {told}: {mend}", _host.Microvm("plan", file).Out, StringComparison.Ordinal);
        var status = _host.Microvm("status", "--exit-code", file);
        Assert.True(status.Code == 3 && Words(status.Out).Contains($"up: vm-a1 of a: {told}: {mend}", StringComparison.Ordinal), status.Out);
        Assert.Contains("microvm_interface_drift{vm=\"a\",interface=\"vm-a1\"} 1\n", _host.Microvm("metrics", file).Out, StringComparison.Ordinal);
        Assert.Contains("the bridge br0 is down", _host.Microvm("doctor", file).Out, StringComparison.Ordinal);
        Assert.Contains("br0 (bridge, down)", _host.Microvm("topology", file).Out, StringComparison.Ordinal);
        var explained = Words(_host.Microvm("explain", file).Out);
        Assert.Contains("tap vm-a1 -> bridge br0 [down] -> its other ports", explained, StringComparison.Ordinal);
        Assert.Contains($"Now: [up: {told}", explained, StringComparison.Ordinal);
        Assert.Contains("\e[1;31m[down]\e[0m", _host.Microvm("explain", "--color=always", file).Out.Replace("\e[31;1m", "\e[1;31m", StringComparison.Ordinal), StringComparison.Ordinal);
        _host.Done("up", file);
        Assert.False(_host.Inside(route => route.Find("br0").Up));
        Assert.Equal(0, Binary.Run("sh", null, "-c", mend).Code);
        Assert.Equal(0, _host.Microvm("status", "--exit-code", file).Code);
        Assert.DoesNotContain("is down", _host.Microvm("plan", file).Out, StringComparison.Ordinal);
        explained = Words(_host.Microvm("explain", file).Out);
        Assert.DoesNotContain("[", explained, StringComparison.Ordinal);
        Assert.Contains("Now: up.", explained, StringComparison.Ordinal);
        _host.Net.Ip("link", "delete", "vm-a1");
        Assert.Contains("None of its links is on this host now", Words(_host.Microvm("explain", file).Out), StringComparison.Ordinal);
    }

    private static string Words(string text) => string.Join(' ', text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Two_of_ours_with_each_others_names_get_their_own_back(bool failing)
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        var taps = new[] { NetworkHost.Tap("vm-a1"), NetworkHost.Tap("vm-a2"), NetworkHost.Tap("vm-a3") };
        var file = _host.Declare("a", 1, taps);
        _host.Done("up", file);
        var right = _host.Picture();
        foreach (var (from, to) in (IEnumerable<(string, string)>)[("vm-a1", "x"), ("vm-a2", "vm-a1"), ("x", "vm-a2")])
        {
            _host.Net.Ip("link", "set", from, "name", to);
        }
        // The third is missing, and another of ours has its name.
        _host.Net.Ip("link", "del", "vm-a3");
        _host.Net.Ip("link", "set", "vm-a2", "name", "vm-a3");
        var before = _host.Picture();
        if (failing)
        {
            _host.Inside(route =>
            {
                using var network = new HostNetwork();
                var vm = new DeclarationReader(new()).Read(JsonFrontDoor.Read(file, File.ReadAllBytes(file), new())!)!;
                var wanted = DesiredLink.Of(vm.Interfaces.Select(i => new Attachment("a", i, AttachmentKind.TapByName, 1)), 0, null).ToList();
                var state = HostState.Read(route, wanted);
                Assert.Throws<LinuxException>(() => new Applier(route).Apply(Plan.ForUp(wanted, state), state, () => throw new LinuxException("as if the outcome were wrong", 0)));
                return 0;
            });
            Assert.Equal(before, _host.Picture());
        }
        _host.Done("up", file);
        Assert.Equal(right, _host.Picture());
    }

    [Theory]
    [InlineData("br0")]
    [InlineData("eth0")]
    public void Up_is_no_success_where_bridge_or_lower_device_went_meanwhile(string victim)
    {
        Veth("eth0", "far0");
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        List<DesiredLink> wanted =
        [
            new(LinkKind.Tap, "a", "vm-a1", "vm-a1", null, null) { Bridge = "br0" },
            .. DesiredLink.Of([NetworkHost.Attach("a", "vm-a2", AttachmentKind.TapByFd, "eth0", MacvtapMode.Bridge)], null, null),
        ];
        var thrown = Assert.Throws<LinuxException>(() => _host.Inside(_ =>
        {
            // Asked between steps: the second time that both are there, all is made and not yet looked at.
            var seen = 0;
            using var network = new HostNetwork
            {
                Interrupted = () =>
                {
                    if (_host.Has("vm-a1") && _host.Has("vm-a2") && ++seen == 2)
                    {
                        _host.Net.Ip("link", "del", victim);
                    }
                    return false;
                },
            };
            return network.Up(wanted);
        }));
        Assert.False(_host.Has(victim));
        Assert.Contains($"'{victim}', which is not there", thrown.Message);
        // All or nothing.
        Assert.False(_host.Has("vm-a1") || _host.Has("vm-a2"));
    }

    [Fact]
    public void Two_watches_that_disagree_say_so_and_slow_down()
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        _host.Net.Ip("link", "add", "br1", "type", "bridge");
        using var one = new WatchProcess(["--netns", _host.Net.Name, _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"))]);
        one.WaitFor("watching ");
        using var folder = new Folder();
        var other = folder.File("a.json", $$"""{"networking":{"hostName":"a"},"microvm":{"interfaces":[{{NetworkHost.Tap("vm-a1", "br1")}}] } }""");
        using var two = new WatchProcess(["--netns", _host.Net.Name, other]);
        WatchProcess.Until(() => (one.Printed + two.Printed).Contains("was mended 12 times, and each time somebody changed it back", StringComparison.Ordinal), () => one.Printed + two.Printed);
        Thread.Sleep(2500);
        int Mended(WatchProcess watch) => watch.Printed.Split("mended   change").Length - 1;
        var before = Mended(one) + Mended(two);
        Thread.Sleep(5000);
        // One has slowed down, and so the other has nothing to do.
        Assert.InRange(Mended(one) + Mended(two) - before, 0, 6);
    }
}
