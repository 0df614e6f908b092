namespace Microvm.Tests;

/// <summary><c>microvm reach</c> against frames of the real kernel: what it answers is what happens.</summary>
public sealed class ReachTests : IDisposable
{
    private readonly ReachedHost _host = new();

    public void Dispose() => _host.Dispose();

    private void Two(string first = "", string second = "", string bridge = "br0")
    {
        _host.Bridge("br0", "10.0.9.1/24");
        if (bridge != "br0")
        {
            _host.Bridge(bridge, "10.0.8.1/24");
        }
        _host.Vm("a", $"\"type\":\"tap\",\"bridge\":\"br0\"{first}", "10.0.9.2/24", "10.0.9.1");
        var subnet = bridge == "br0" ? 9 : 8;
        _host.Vm("b", $"\"type\":\"tap\",\"bridge\":\"{bridge}\"{second}", $"10.0.{subnet}.3/24", $"10.0.{subnet}.1");
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Isolation_decides_between_guests_of_a_bridge_and_never_about_the_host(bool first, bool second)
    {
        Two(first ? ",\"isolated\":true" : "", second ? ",\"isolated\":true" : "");
        _host.Compare("as made");
        Assert.Equal(first && second ? ("no", "isolation") : ("yes", "bridge"), _host.Reach("a", "b"));
        Assert.Equal("yes", _host.Reach("a", "host").Reachable);
    }

    [Fact]
    public void A_link_that_is_down_or_not_there_is_named()
    {
        Two();
        Assert.Equal(("yes", "bridge"), _host.Reach("a", "b"));
        _host.Net.Ip("link", "set", "vm-b", "down");
        Assert.Equal(("no", "link"), _host.Reach("a", "b"));
        _host.Compare("b is down");
        _host.Net.Ip("link", "set", "vm-b", "up");
        _host.Net.Ip("link", "set", "br0", "down");
        _host.Compare("the bridge is down");
        _host.Net.Ip("link", "set", "br0", "up");
        _host.Net.Ip("link", "delete", "vm-b");
        Assert.Equal(("no", "link"), _host.Reach("a", "b"));
    }

    [Fact]
    public void A_locked_port_lets_in_the_declared_mac_alone()
    {
        Two(first: ",\"antiSpoof\":\"mac\"");
        Assert.True(_host.Pings("a", "b"));
        Assert.Equal(("yes", "bridge"), _host.Reach("a", "b"));
        _host.Inside("bridge", "fdb", "del", NetworkHost.MacOf("vm-a"), "dev", "vm-a", "master");
        Assert.Equal(("no", "anti-spoof"), _host.Reach("a", "b"));
        _host.Compare("a's entry is gone");
    }

    [Fact]
    public void The_firewall_of_a_bridge_decides_and_its_rule_is_named()
    {
        Two();
        _host.Inside("nft", "add table bridge walls; add chain bridge walls pass { type filter hook forward priority 0; }; add rule bridge walls pass iifname \"vm-a\" oifname \"vm-b\" drop");
        Assert.Equal(("no", "firewall"), _host.Reach("a", "b"));
        _host.Compare("a rule of the bridge");
        _host.Inside("nft", "delete table bridge walls");
        _host.Inside("nft", "add table inet walls; add chain inet walls own { type filter hook input priority 0; policy drop; }; add rule inet walls own ct state established accept");
        Assert.Equal(("no", "firewall"), _host.Reach("a", "host"));
        Assert.Equal("yes", _host.Reach("host", "a").Reachable);
        _host.Compare("the host's own rules");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Between_bridges_the_hosts_forwarding_decides(bool forwards)
    {
        Two(bridge: "br1");
        _host.Forward(forwards);
        _host.Compare("two bridges");
        Assert.Equal(forwards ? ("yes", "route") : ("no", "forwarding"), _host.Reach("a", "b"));
        _host.Net.Ip("addr", "flush", "dev", "br1");
        Assert.Equal("no", _host.Reach("a", "b").Reachable);
        _host.Compare("br1 has no address");
    }

    [Fact]
    public void Declared_networks_let_out_by_nat_and_nobody_in()
    {
        using var far = new Namespace();
        _host.Net.GetsOutTo(far);
        _host.Vm("a", "\"type\":\"tap\",\"network\":\"home\"", "10.20.0.9/24", "10.20.0.1", "\"home\":{\"addresses\":[\"10.20.0.1/24\"]}");
        _host.Vm("b", "\"type\":\"tap\",\"network\":\"home\",\"isolated\":true", "10.20.0.10/24", "10.20.0.1", "\"home\":{\"addresses\":[\"10.20.0.1/24\"]}", ",\"forwardPorts\":[{\"host\":{\"port\":8080},\"guest\":{\"port\":80} }]");
        _host.Vm("c", "\"type\":\"tap\",\"network\":\"lab\"", "10.30.0.9/24", "10.30.0.1", "\"lab\":{\"addresses\":[\"10.30.0.1/24\"],\"nat\":false}");
        _host.Compare("declared networks");
        Assert.Equal(("no", "network"), _host.Reach("a", "c"));
        Assert.Equal(("no", "network"), _host.Reach("c", "internet"));
        Assert.Equal(("no", "network"), _host.Reach("internet", "b"));
        Assert.Equal("yes", _host.Reach("a", "internet").Reachable);
        Assert.True(_host.Of("a").Pings("203.0.113.1"));
        Assert.Equal("yes", _host.Reach("b", "203.0.113.1").Reachable);
        Assert.True(_host.Of("b").Pings("203.0.113.1"));
        Assert.False(_host.Of("c").Pings("203.0.113.1"));
        // A forwarded port reaches an isolated guest too: it comes from the host, which is no port of the bridge.
        Assert.Equal(("yes", "forwarded-port"), _host.Reach("internet", "b", "--port", "80"));
        Assert.Equal(("no", "network"), _host.Reach("internet", "b", "--port", "81"));
        // A link that came later forwards nothing by itself, so that no answer gets in.
        _host.Inside("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/out0/forwarding");
        Assert.Equal(("no", "forwarding"), _host.Reach("a", "internet"));
        Assert.False(_host.Of("a").Pings("203.0.113.1"));
        _host.Net.Ip("route", "delete", "default");
        Assert.Equal("no", _host.Reach("a", "internet").Reachable);
    }

    /// <summary>Chosen anew for each seed: who is where, what is isolated and locked, what the host forwards, drops and has for addresses.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Whatever_the_topology_the_answer_is_what_happens(int seed)
    {
        var random = new Random(seed);
        bool Chance(int percent) => random.Next(100) < percent;
        for (var b = 0; b < 2; b++)
        {
            _host.Bridge($"br{b}", Chance(75) ? $"10.0.{b}.1/24" : null);
        }
        for (var n = 0; n < 4; n++)
        {
            var at = random.Next(2);
            _host.Vm($"g{n}", $"\"type\":\"tap\",\"bridge\":\"br{at}\"{(Chance(40) ? ",\"isolated\":true" : "")}", $"10.0.{at}.{10 + n}/24", $"10.0.{at}.1");
        }
        _host.Forward(Chance(60));
        if (Chance(30))
        {
            _host.Inside("bridge", "link", "set", "dev", $"vm-g{random.Next(4)}", "locked", "on", "learning", "off");
        }
        if (Chance(30))
        {
            _host.Net.Ip("link", "set", $"vm-g{random.Next(4)}", "down");
        }
        string[] rules =
        [
            "add chain inet walls f { type filter hook forward priority 0; policy drop; }; add rule inet walls f iifname br0 oifname br1 accept; add rule inet walls f ct state established,related accept",
            "add chain inet walls f { type filter hook forward priority 0; }; add rule inet walls f iifname \"br0\" drop",
            "add chain inet walls i { type filter hook input priority 0; policy drop; }; add rule inet walls i iifname br1 accept",
            "add chain inet walls o { type filter hook output priority 0; }; add rule inet walls o oifname br0 ct state new drop",
        ];
        if (Chance(80))
        {
            _host.Inside("nft", $"add table inet walls; {rules[random.Next(rules.Length)]}");
        }
        _host.Compare($"seed {seed}");
    }
}
