namespace Microvm.Tests;

/// <summary>A firewall that drops what is forwarded: pings through it die, the doctor says why, its command lets them through, and then the doctor is content.</summary>
public sealed class ForwardingTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly IllHost _host = new();
    private readonly Namespace _guest = new(), _world = new();
    private readonly string _vm;

    public ForwardingTests()
    {
        _vm = _folder.File("web.json", $$"""{"networking":{"hostName":"web"},"microvm":{"interfaces":[{{NetworkHost.Tap("vm-a1")}}] } }""");
        // A veth that bears the name and the alias of the VM's tap, with the guest in a namespace.
        foreach (var (link, net, n) in new[] { ("vm-a1", _guest, 1), ("wan0", _world, 2) })
        {
            net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", link);
            net.Ip("link", "set", link, "netns", $"{_host.Id}");
            net.Ip("addr", "add", $"10.9.{n}.2/24", "dev", "eth0");
            net.Ip("link", "set", "eth0", "up");
            net.Ip("route", "add", "default", "via", $"10.9.{n}.1");
            _host.Do($"ip addr add 10.9.{n}.1/24 dev {link}; ip link set {link} up alias {(n == 1 ? "microvm:web/vm-a1" : "wan")}");
        }
        _host.Do("sysctl -qw net.ipv4.ip_forward=1");
        // Links take a moment to have a carrier.
        var reached = false;
        for (var n = 0; n < 20 && !reached; n++)
        {
            reached = Reaches();
        }
        Assert.True(reached);
    }

    public void Dispose()
    {
        _guest.Dispose();
        _world.Dispose();
        _host.Dispose();
        _folder.Dispose();
    }

    private bool Reaches() => Binary.Run("ip", null, "netns", "exec", _guest.Name, "ping", "-q", "-c", "4", "-i", "0.2", "-W", "1", "10.9.2.2").Code == 0;

    private const string Docker = """
        touch /run/docker.pid
        nft 'add table ip filter
          add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }
          add chain ip filter DOCKER-USER
          add rule ip filter FORWARD counter jump DOCKER-USER
          add rule ip filter FORWARD iifname "docker0" counter accept'
        """;

    [Theory]
    [InlineData("nft 'add table inet fw; add chain inet fw through { type filter hook forward priority 0; policy drop; }'", "fw/through drops what is forwarded")]
    [InlineData("nft 'add table ip fw; add chain ip fw through { type filter hook forward priority 0; policy drop; }; add rule ip fw through iifname \"vm-a1\" tcp dport 80 accept'", "fw/through drops what is forwarded")]
    [InlineData(Docker, "filter/FORWARD drops what is forwarded (Docker sets this)")]
    public void What_is_dropped_is_let_through(string firewall, string says)
    {
        _host.Do(firewall);
        Assert.False(Reaches());
        _host.IsMended("forwarding", "warning", says, _vm);
        Assert.True(Reaches());
    }

    [Theory]
    [InlineData("iifname \"vm-*\" accept; add rule inet fw through oifname \"vm-*\" accept", true)]
    [InlineData("iifname \"vm-*\" accept", false)]
    [InlineData("iifname \"vm-b*\" accept; add rule inet fw through oifname \"vm-b*\" accept", false)]
    [InlineData("ct state established accept", false)]
    [InlineData("accept", true)]
    public void A_rule_that_lets_a_guest_through_both_ways_is_seen(string rules, bool content)
    {
        _host.Do($"nft 'add table inet fw; add chain inet fw through {{ type filter hook forward priority 0; policy drop; }}; add rule inet fw through {rules}'");
        Assert.Equal(content, _host.Doctor("forwarding", _vm).All(f => f.Severity == "ok"));
        Assert.Equal(content, Reaches());
    }

    [Fact]
    public void A_host_that_does_not_forward()
    {
        _host.Do("sysctl -qw net.ipv4.ip_forward=0");
        Assert.False(Reaches());
        _host.IsMended("forwarding", "note", "net.ipv4.ip_forward=0", _vm);
        Assert.True(Reaches());
    }
}
