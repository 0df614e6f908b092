namespace Microvm.Tests;

/// <summary>A firewall on the way between two ports of a bridge: pings really go through it or die, the doctor says which, its command is the smallest that helps, and
/// what it did not name is dropped as before.</summary>
public sealed class BridgedFirewallTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly IllHost _host = new();
    private readonly Namespace _guest = new(), _peer = new();
    private readonly string _vm;

    public BridgedFirewallTests()
    {
        Assert.SkipUnless(File.Exists("/proc/sys/net/bridge/bridge-nf-call-iptables"), "this kernel has no br_netfilter");
        _vm = _folder.File("web.json", $$"""{"networking":{"hostName":"web"},"microvm":{"interfaces":[{{NetworkHost.Tap("vm-a1", "br0")}}] } }""");
        _host.Do("sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1");
        foreach (var bridge in (string[])["br0", "br1"])
        {
            _host.Do($"ip link add {bridge} up type bridge forward_delay 0 mcast_snooping 0");
        }
        // A veth that bears the name and the alias of the VM's tap; behind the others a peer. The two of br1 are nobody's but the host's.
        foreach (var (link, bridge, inside, n) in new[] { ("vm-a1", "br0", _guest, 1), ("far0", "br0", _peer, 2), ("own1", "br1", _guest, 3), ("far1", "br1", _peer, 4) })
        {
            inside.Ip("link", "add", bridge, "type", "veth", "peer", "name", link);
            inside.Ip("link", "set", link, "netns", $"{_host.Id}");
            inside.Ip("addr", "add", $"10.9.{(bridge == "br0" ? 0 : 1)}.{n}/24", "dev", bridge);
            inside.Ip("addr", "add", $"fd09:{(bridge == "br0" ? 0 : 1)}::{n}/64", "dev", bridge, "nodad");
            inside.Ip("link", "set", bridge, "up");
            _host.Do($"ip link set {link} up master {bridge} alias {(link == "vm-a1" ? "microvm:web/vm-a1" : "peer")}");
        }
        var reached = false;
        for (var n = 0; n < 20 && !reached; n++)
        {
            reached = Reaches() && OthersReach();
        }
        Assert.True(reached);
    }

    public void Dispose()
    {
        _guest.Dispose();
        _peer.Dispose();
        _host.Dispose();
        _folder.Dispose();
    }

    private bool Ping(string address) => Binary.Run("ip", null, "netns", "exec", _guest.Name, "ping", "-q", "-c", "2", "-i", "0.1", "-W", "0.5", address).Code == 0;
    private bool Reaches(bool six = false) => Ping(six ? "fd09:0::2" : "10.9.0.2");
    private bool OthersReach(bool six = false) => Ping(six ? "fd09:1::4" : "10.9.1.4");

    private string Rest() => _host.Do("sysctl net.bridge net.ipv4.ip_forward net.ipv4.conf.all; nft list ruleset; iptables-legacy-save; ip6tables-legacy-save; cat /etc/systemd/network/* 2>/dev/null || true");

    [Theory]
    [InlineData("nft 'add table ip fw; add chain ip fw f { type filter hook forward priority 0; policy drop; }'", "fw/f drops", "sudo nft 'add rule ip fw f iifname \"br0\" oifname \"br0\" accept'")]
    [InlineData("nft 'add table inet fw; add chain inet fw f { type filter hook forward priority 0; }; add rule inet fw f ct state established,related accept; add rule inet fw f reject'", "fw/f drops", "sudo nft 'insert rule inet fw f handle 3 iifname \"br0\" oifname \"br0\" accept'")]
    [InlineData("nft 'add table inet fw; add chain inet fw f { type filter hook forward priority 0; }; add chain inet fw last; add rule inet fw last drop; add rule inet fw f ct state vmap { established : accept, related : accept, new : jump last }'", "fw/f drops", null)]
    [InlineData("nft 'add table ip fw; add chain ip fw f { type filter hook prerouting priority -300; }; add rule ip fw f iifname { \"br0\", \"br1\" } drop'", "fw/f drops", null)]
    [InlineData("nft 'add table bridge fw; add chain bridge fw f { type filter hook forward priority 0; policy drop; }; add rule bridge fw f ether type arp accept'", "fw/f drops", "sudo nft 'add rule bridge fw f iifname \"vm-a1\" accept; add rule bridge fw f oifname \"vm-a1\" accept'")]
    [InlineData("iptables-nft -P FORWARD DROP", "filter/FORWARD drops", "sudo iptables -A FORWARD -i br0 -o br0 -j ACCEPT")]
    [InlineData("iptables-nft -A FORWARD -i eth9 -j ACCEPT; iptables-nft -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables-nft -A FORWARD -j REJECT", "filter/FORWARD drops", "sudo iptables -I FORWARD 3 -i br0 -o br0 -j ACCEPT")]
    [InlineData("iptables-nft -N DOCKER-USER; iptables-nft -A DOCKER-USER -j RETURN; iptables-nft -A FORWARD -j DOCKER-USER; iptables-nft -A FORWARD -i docker0 -j ACCEPT; iptables-nft -P FORWARD DROP", "filter/FORWARD drops", "sudo iptables -I DOCKER-USER -i br0 -o br0 -j ACCEPT")]
    [InlineData("iptables-legacy -P FORWARD DROP", "filter/FORWARD (iptables-legacy) drops", "sudo iptables-legacy -A FORWARD -i br0 -o br0 -j ACCEPT")]
    [InlineData("iptables-legacy -N last; iptables-legacy -A last -m comment --comment end -j REJECT; iptables-legacy -A FORWARD -i br2 -g last; iptables-legacy -A FORWARD -i br+ -g last", "filter/FORWARD (iptables-legacy) drops", "sudo iptables-legacy -I FORWARD 2 -i br0 -o br0 -j ACCEPT")]
    [InlineData("iptables-legacy -t mangle -A PREROUTING -m physdev --physdev-in vm-a1 -j DROP", "mangle/PREROUTING (iptables-legacy) drops", "sudo iptables-legacy -t mangle -I PREROUTING 1 -i br0 -j ACCEPT")]
    [InlineData("iptables-legacy -A FORWARD -p tcp -j ACCEPT; iptables-legacy -A FORWARD ! -o eth0 -m physdev ! --physdev-in eth0 --physdev-is-bridged -j DROP", "filter/FORWARD (iptables-legacy) drops", "sudo iptables-legacy -I FORWARD 2 -i br0 -o br0 -j ACCEPT")]
    public void What_is_dropped_is_let_through_and_nothing_else_is(string firewall, string says, string? command)
    {
        _host.Do(firewall);
        Assert.False(Reaches());
        var (others, before) = (OthersReach(), Rest());
        var bad = Assert.Single(_host.Doctor("br-netfilter", _vm), f => f.Severity != "ok");
        Assert.Equal(command ?? bad.Mend, bad.Mend);
        _host.IsMended("br-netfilter", "problem", says, _vm);
        Assert.True(Reaches());
        Assert.Equal(others, OthersReach());
        // But for the rule all is as it was.
        var after = Rest().Split('\n').Where(l => !IsNew(l)).Select(l => System.Text.RegularExpressions.Regex.Replace(l, @"\[\d+:\d+\]|packets \d+ bytes \d+|^#.*", ""));
        Assert.Equal(before.Split('\n').Select(l => System.Text.RegularExpressions.Regex.Replace(l, @"\[\d+:\d+\]|packets \d+ bytes \d+|^#.*", "")), after);
    }

    private static bool IsNew(string line) => line.Contains("accept", StringComparison.Ordinal) && (line.Contains("ifname \"br0\"", StringComparison.Ordinal) || line.Contains("ifname \"vm-a1\"", StringComparison.Ordinal))
        || (line.Contains("-i br0", StringComparison.Ordinal) && line.EndsWith("-j ACCEPT", StringComparison.Ordinal));

    [Fact]
    public void Frames_of_IPv6_are_followed_too()
    {
        _host.Do("ip6tables-legacy -P FORWARD DROP");
        Assert.True(Reaches() && !Reaches(true));
        _host.IsMended("br-netfilter", "problem", "filter/FORWARD (ip6tables-legacy) drops", _vm);
        Assert.True(Reaches(true));
        Assert.False(OthersReach(true));
    }

    [Theory]
    [InlineData("iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -i br0 -j ACCEPT")]
    [InlineData("iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -m physdev --physdev-is-bridged -j ACCEPT")]
    [InlineData("iptables-legacy -P FORWARD DROP; iptables-legacy -N vms; iptables-legacy -A vms -o br+ -j ACCEPT; iptables-legacy -A FORWARD -i br0 -j vms")]
    [InlineData("iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -m physdev --physdev-in vm-+ -j ACCEPT; iptables-legacy -A FORWARD -m state --state ESTABLISHED -j ACCEPT")]
    [InlineData("iptables-legacy -P INPUT DROP; iptables-legacy -A FORWARD -i br1 -j DROP; iptables-legacy -A FORWARD ! -i br0 -j DROP")]
    [InlineData("nft 'add table inet fw; add chain inet fw f { type filter hook forward priority 0; policy drop; }; add rule inet fw f iif br0 oif br0 accept'")]
    [InlineData("nft 'add table inet fw; add set inet fw inner { type ifname; elements = { \"br0\" }; }; add chain inet fw f { type filter hook forward priority 0; policy drop; }; add rule inet fw f iifname @inner accept'")]
    [InlineData("nft 'add table inet fw; add chain inet fw f { type filter hook forward priority 0; policy drop; }; add rule inet fw f iifname . oifname { \"br0\" . \"br0\" } accept'")]
    [InlineData("nft 'add table inet fw; add chain inet fw f { type filter hook forward priority 0; }; add rule inet fw f iifname != \"br*\" drop; add rule inet fw f ct state invalid drop'")]
    [InlineData("nft 'add table bridge fw; add chain bridge fw f { type filter hook forward priority 0; policy drop; }; add rule bridge fw f iifname \"vm-*\" accept; add rule bridge fw f oifname \"vm-*\" accept'")]
    [InlineData("iptables-nft -P FORWARD DROP; iptables-legacy -P FORWARD DROP; sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0")]
    public void A_firewall_that_lets_the_bridge_through_is_no_fault(string firewall)
    {
        _host.Do(firewall);
        Assert.True(Reaches());
        Assert.All(_host.Doctor("br-netfilter", _vm), f => Assert.True(f.Severity == "ok", f.Says));
    }

    [Fact]
    public void A_bridge_that_alone_sends_its_frames_there_is_found()
    {
        _host.Do("mount -t sysfs sysfs /sys; sysctl -qw net.bridge.bridge-nf-call-iptables=0; ip link set br0 type bridge nf_call_iptables 1; iptables-legacy -P FORWARD DROP");
        Assert.False(Reaches());
        Assert.True(OthersReach());
        _host.IsMended("br-netfilter", "problem", "filter/FORWARD (iptables-legacy) drops", _vm);
        Assert.True(Reaches());
    }

    [Fact]
    public void What_cannot_be_judged_is_said_to_be_so()
    {
        _host.Do("nft 'add table inet fw; add chain inet fw f { type filter hook forward priority 0; }; add rule inet fw f meta mark 5 drop; add rule inet fw f limit rate over 100/second drop'");
        Assert.True(Reaches());
        var told = Assert.Single(_host.Doctor("br-netfilter", _vm));
        Assert.Equal(("note", "fw/f may drop some bridged frames of br0"), (told.Severity, told.Says));
        var words = _host.Try(Binary.Path, "doctor", _vm).Out.ReplaceLineEndings(" ");
        Assert.Contains("rule 1, rule 2 depend on more than links and the connection state, which the doctor can't judge", System.Text.RegularExpressions.Regex.Replace(words, " +", " "));
    }

    [Fact]
    public void The_bridge_that_somebody_else_attached_the_tap_to_is_looked_at()
    {
        var file = _folder.File("plain.json", $$"""{"networking":{"hostName":"web"},"microvm":{"interfaces":[{{NetworkHost.Tap("vm-a1")}}] } }""");
        _host.Do("iptables-nft -P FORWARD DROP");
        _host.IsMended("br-netfilter", "problem", "filter/FORWARD drops those of vm-a1 on br0", file);
        Assert.True(Reaches());
    }
}
