using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Tests;

/// <summary>Macvtaps over a veth, made by the real binary and looked at with ip and stat.</summary>
public sealed class MacvtapTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public MacvtapTests() => _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("private")]
    [InlineData("vepa")]
    [InlineData("bridge")]
    [InlineData("passthru")]
    public void Up_makes_a_macvtap_of_each_mode_and_down_leaves_nothing(string mode)
    {
        var before = _host.Net.Links();
        var file = _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", mode));
        _host.Done("up", file, "--user", "1234");
        var link = _host.Link("vm-a1");
        Assert.Equal("macvtap", link.GetProperty("linkinfo").GetProperty("info_kind").GetString());
        Assert.Equal(mode, link.GetProperty("linkinfo").GetProperty("info_data").GetProperty("mode").GetString());
        Assert.Equal("eth0", link.GetProperty("link").GetString());
        Assert.Equal(NetworkHost.MacOf("vm-a1"), link.GetProperty("address").GetString());
        Assert.Equal("microvm:a/vm-a1", link.GetProperty("ifalias").GetString());
        var flags = link.GetProperty("flags").EnumerateArray().Select(f => f.GetString()).ToList();
        Assert.Contains("UP", flags);
        Assert.Contains("ALLMULTI", flags);
        Assert.Equal("1", Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "cat", "/proc/sys/net/ipv6/conf/vm-a1/disable_ipv6").Out.Trim());
        Assert.Equal("600 1234 0", Node(link.GetProperty("ifindex").GetInt32()));
        Assert.Contains("nothing to do", _host.Done("up", file, "--user", "1234").Out);
        _host.Done("down", file);
        // Passthru gave the lower device the guest's MAC; the kernel gives its own back.
        Assert.Equal(before, _host.Net.Links());
    }

    [Fact]
    public void Mode_source_lets_in_the_declared_senders_and_a_change_of_them_is_made_in_place()
    {
        Attachment With(params string[] sources) => NetworkHost.Attach("a", "vm-a1", AttachmentKind.TapByFd, "eth0", MacvtapMode.Source, 1, sources);
        _host.Up(With("02:00:00:00:00:11", "02:00:00:00:00:12"));
        var link = _host.Link("vm-a1");
        Assert.Equal("source", link.GetProperty("linkinfo").GetProperty("info_data").GetProperty("mode").GetString());
        Assert.Equal(["020000000011", "020000000012"], Sources());
        var plan = _host.Up(With("02:00:00:00:00:13"));
        Assert.Equal(("Change", "its source MACs are 02:00:00:00:00:11, 02:00:00:00:00:12, should be 02:00:00:00:00:13"), (plan.Steps.Single().Kind.ToString(), plan.Steps.Single().Reason));
        Assert.Equal(["020000000013"], Sources());
        Assert.Equal(link.GetProperty("ifindex").GetInt32(), _host.Link("vm-a1").GetProperty("ifindex").GetInt32());
        Assert.False(_host.Up(With("02:00:00:00:00:13")).HasChanges);
    }

    [Fact]
    public void The_node_gets_a_group_and_its_drift_is_mended()
    {
        var file = _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "bridge"));
        _host.Done("up", file, "--user", "1234", "--group", "4321");
        var index = _host.Link("vm-a1").GetProperty("ifindex").GetInt32();
        Assert.Equal("660 1234 4321", Node(index));
        Binary.Run("chown", null, "0:0", $"/dev/tap{index}");
        Binary.Run("chmod", null, "0666", $"/dev/tap{index}");
        Assert.Equal(3, _host.Microvm("plan", "--exit-code", file, "--user", "1234", "--group", "4321").Code);
        _host.Done("up", file, "--user", "1234", "--group", "4321");
        Assert.Equal("660 1234 4321", Node(index));
    }

    [Fact]
    public void A_queue_descriptor_for_each_queue_pair_can_be_opened()
    {
        _host.Up(NetworkHost.Attach("a", "vm-a1", AttachmentKind.TapByFd, "eth0", MacvtapMode.Bridge, 4));
        _host.Inside(route =>
        {
            var link = route.Find("vm-a1");
            var node = MacvtapDevice.Find([(link.Name, link.Index)])[link.Index];
            var queues = Enumerable.Range(0, 4).Select(_ => MacvtapDevice.OpenQueue(node)).ToList();
            Assert.All(queues, q => Assert.False(q.IsInvalid));
            queues.ForEach(q => q.Dispose());
            return 0;
        });
    }

    [Fact]
    public void Two_namespaces_with_the_same_ifindex_each_get_their_own_device()
    {
        // devtmpfs is one for all namespaces: the second /dev/tapN can't be there, and must not be taken for the first.
        using var other = new NetworkHost();
        other.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        other.Net.Ip("link", "add", "link", "eth0", "name", "foreign0", "index", "7654321", "type", "macvtap", "mode", "bridge");
        _host.Net.Ip("link", "add", "link", "eth0", "name", "vm-a1", "index", "7654321", "address", NetworkHost.MacOf("vm-a1"), "alias", "x", "type", "macvtap", "mode", "bridge");
        _host.Net.Ip("link", "set", "vm-a1", "alias", "microvm:a/vm-a1");
        var foreign = Node(7654321);
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "bridge")), "--user", "1234");
        Assert.Equal(foreign, Node(7654321));
        _host.Inside(route =>
        {
            var link = route.Find("vm-a1");
            var node = MacvtapDevice.Find([(link.Name, link.Index)])[link.Index];
            Assert.NotEqual("/dev/tap7654321", node.Path);
            Assert.Equal((1234u, 0x180u, true), (node.User, node.Mode, node.Present));
            // The queue is ours: it has our link's name.
            using var queue = MacvtapDevice.OpenQueue(node);
            Assert.Contains("vm-a1", LinkHolder.Scan(route.Links()).Select(h => h.Link));
            return 0;
        });
        _host.Done("down", "--vm", "a");
        Assert.Equal(foreign, Node(7654321));
    }

    [Fact]
    public void What_can_be_changed_is_changed_in_place()
    {
        var file = _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "bridge"));
        _host.Done("up", file);
        var index = _host.Link("vm-a1").GetProperty("ifindex").GetInt32();
        var right = _host.Picture();
        string[][] drifts =
        [
            ["link", "set", "vm-a1", "down"],
            ["link", "set", "vm-a1", "allmulticast", "off"],
            ["link", "set", "vm-a1", "address", "02:00:00:00:00:99"],
            ["link", "set", "vm-a1", "type", "macvtap", "mode", "vepa"],
            ["link", "set", "vm-a1", "group", "7"],
            ["link", "set", "vm-a1", "name", "elsewhere"],
        ];
        foreach (var drift in drifts)
        {
            _host.Net.Ip(drift);
            Assert.NotEqual(right, _host.Picture());
            _host.Done("up", file);
            Assert.Equal(right, _host.Picture());
            Assert.Equal(index, _host.Link("vm-a1").GetProperty("ifindex").GetInt32());
        }
    }

    [Fact]
    public void Another_lower_device_replaces_it()
    {
        _host.Net.Ip("link", "add", "eth1", "type", "veth", "peer", "name", "far1");
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "bridge")));
        var outcome = _host.Done("up", _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth1", "bridge")));
        Assert.Contains("its lower device is not eth1", outcome.Out);
        Assert.Equal("eth1", _host.Link("vm-a1").GetProperty("link").GetString());
    }

    [Fact]
    public void An_open_macvtap_is_replaced_only_when_told_to_and_the_refusal_says_who_has_it()
    {
        _host.Net.Ip("link", "add", "eth1", "type", "veth", "peer", "name", "far1");
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "bridge")));
        var index = _host.Link("vm-a1").GetProperty("ifindex").GetInt32();
        using var holder = new Holder(_host.Net.Name, $"/dev/tap{index}");
        var file = _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth1", "bridge"));
        var refused = _host.Microvm("up", file);
        Assert.Equal(1, refused.Code);
        Assert.Contains($"process {holder.Id} has it open", refused.Err);
        Assert.Contains($"process {holder.Id} has it open", _host.Microvm("plan", file).Err);
        Assert.Equal("eth0", _host.Link("vm-a1").GetProperty("link").GetString());
        _host.Done("up", file, "--replace-running");
        Assert.Equal("eth1", _host.Link("vm-a1").GetProperty("link").GetString());
    }

    [Fact]
    public void Lower_devices_that_will_not_do_are_refused_with_the_reason()
    {
        var net = _host.Net;
        net.Ip("link", "add", "br0", "type", "bridge");
        net.Ip("link", "add", "port0", "type", "veth", "peer", "name", "farp");
        net.Ip("link", "set", "port0", "master", "br0");
        net.Ip("link", "add", "used0", "type", "veth", "peer", "name", "faru");
        net.Ip("link", "add", "link", "used0", "name", "other0", "type", "macvlan", "mode", "bridge");
        net.Ip("link", "add", "alone0", "type", "veth", "peer", "name", "fara");
        net.Ip("link", "add", "link", "alone0", "name", "pass0", "type", "macvtap", "mode", "passthru");
        var before = net.Links();
        foreach (var (lower, mode, reason) in ((string, string, string)[])
        [
            ("none0", "bridge", "'none0', which is not there"),
            ("port0", "bridge", "a port of the bridge 'br0'"),
            ("used0", "passthru", "needs it exclusively, but 'other0' uses it"),
            ("alone0", "bridge", "'pass0' uses exclusively"),
            ("other0", "bridge", "is a macvlan itself"),
        ])
        {
            var outcome = _host.Microvm("up", _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", lower, mode)));
            Assert.Equal(1, outcome.Code);
            Assert.Contains(reason, outcome.Err);
        }
        var two = _host.Microvm("up", _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "passthru"), NetworkHost.Macvtap("vm-a2", "eth0", "bridge")));
        // The declaration alone shows it.
        Assert.Equal(2, two.Code);
        Assert.Contains("passthru", two.Err);
        Assert.Equal(before, net.Links());
    }

    [Theory]
    [InlineData("all")]
    [InlineData("default")]
    public void An_interface_named_like_a_setting_of_all_interfaces_is_refused_and_does_not_change_them(string id)
    {
        // /proc/sys/net/ipv6/conf/all stands for every interface of the host.
        string Setting() => Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "cat", $"/proc/sys/net/ipv6/conf/{id}/disable_ipv6").Out;
        var before = Setting();
        // The kernel itself refuses the name.
        Assert.NotEqual(0, Binary.Run("ip", null, "-n", _host.Net.Name, "link", "add", id, "type", "bridge").Code);
        Assert.Equal(2, _host.Microvm("up", _host.Declare("a", 1, NetworkHost.Macvtap(id, "eth0", "bridge"))).Code);
        Assert.Equal(before, Setting());
        _host.Done("down", "--vm", "a");
        Assert.Equal(before, Setting());
    }

    // Mode, owner and group.
    private static string Node(int index) => Binary.Run("stat", null, "-c", "%a %u %g", $"/dev/tap{index}").Out.Trim();

    private IReadOnlyList<string> Sources() => _host.Inside(route => route.Find("vm-a1").Macvlan!.Sources).Order(StringComparer.Ordinal).ToList();
}
