using Microvm.Network.Resources;

namespace Microvm.Tests;

/// <summary><c>antiSpoof = "ip"</c>: a guest sends under its own addresses alone, and is neither a router nor a DHCP server. Frames go in as they are at the
/// guest's end of the tap; what comes out is seen at another guest's.</summary>
public sealed class AntiSpoofAddressTests : IDisposable
{
    private const string Own = "02:00:00:00:00:01", Peer = "02:00:00:00:00:99", False = "02:66:66:66:66:66", Everybody = "ff:ff:ff:ff:ff:ff";
    private const string Address = "0a000902", FalseAddress = "0a000903", LinkLocal = "fe80000000000000000000fffe000001", Global = "fd000020000000000000000000000005",
        FalseV6 = "fd000020000000000000000000000006", NoV6 = "00000000000000000000000000000000", AllNodes = "ff020000000000000000000000000001";
    private readonly DeclaredHost _host = new();

    public AntiSpoofAddressTests()
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        _host.Net.Ip("addr", "add", "10.0.9.1/24", "dev", "br0");
        _host.Net.Ip("addr", "add", "fd00:20::1/64", "dev", "br0", "nodad");
        _host.Net.Ip("link", "set", "br0", "up");
    }

    public void Dispose()
    {
        _host.Microvm("down", "--vm", "web-vm-s1", "--vm", "web-vm-p1", "--delete-running");
        _host.Dispose();
    }

    private string Guarded(string value, string addresses = "\"10.0.9.2\",\"fd00:20::5\"", string id = "vm-s1", string mac = Own, int vcpu = 1) => _host.Write($"{id}.json", $$"""
        {"networking":{"hostName":"web-{{id}}"},"microvm":{"vcpu":{{vcpu}},"interfaces":[{"type":"tap","id":"{{id}}","mac":"{{mac}}","bridge":"br0","antiSpoof":"{{value}}"{{(value == "ip" ? $",\"addresses\":[{addresses}]" : "")}} }]} }
        """);

    private void Up(string file)
    {
        _host.Done("up", file);
        Assert.Contains("nothing to do", _host.Done("plan", file), StringComparison.Ordinal);
        Assert.Contains("nothing to do", _host.Done("up", file), StringComparison.Ordinal);
    }

    private string Rules() => _host.Inside("nft", "list", "ruleset");

    private static string Run => "/run/microvm/antispoof";

    private static string Digits(string text) => text.Replace(":", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);

    private static string Ip4(string from, string protocol, string payload, string to = "0a0009ff")
    {
        var header = Convert.FromHexString(Digits($"4500{20 + Digits(payload).Length / 2:x4}00000000 40{protocol}0000 {from} {to}"));
        var sum = Enumerable.Range(0, 10).Sum(n => header[2 * n] << 8 | header[2 * n + 1]);
        sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
        (header[10], header[11]) = ((byte)(sum >> 8), (byte)sum);
        return Convert.ToHexStringLower(header) + payload;
    }

    // Long enough for a frame that needs no padding: br_netfilter takes that off.
    private static string Udp(int from, int to) => $"{from:x4}{to:x4}00200000{new string('0', 48)}";

    private static string Ip6(string from, string next, string payload, int more = 0) => $"60000000{more + Digits(payload).Length / 2:x4}{next}ff {from} {AllNodes} {payload}";

    private static string Arp(string mac, string address, int operation = 2) => $"000108000604{operation:x4} {mac} {address} {Everybody} 0a0009ff";

    /// <summary>What each frame is, its Ethertype and payload, and whether it is to pass.</summary>
    private static readonly (string What, string Type, string Payload, bool Passes)[] s_frames =
    [
        ("ARP under its own address", "0806", Arp(Own, Address), true),
        ("ARP that asks whether it may have an address", "0806", Arp(Own, "00000000", 1), true),
        ("ARP under another address", "0806", Arp(Own, FalseAddress), false),
        ("ARP under another MAC", "0806", Arp(False, Address), false),
        ("an ARP answer under no address", "0806", Arp(Own, "00000000"), false),
        ("ARP of another kind of address", "0806", Arp(Own, Address).Replace("0800", "0801", StringComparison.Ordinal), false),
        ("IPv4 under its own address", "0800", Ip4(Address, "11", Udp(5000, 5001)), true),
        ("IPv4 under another address", "0800", Ip4(FalseAddress, "11", Udp(5000, 5001)), false),
        ("TCP under another address", "0800", Ip4(FalseAddress, "06", Udp(80, 5001)), false),
        ("a DHCP request", "0800", Ip4("00000000", "11", Udp(68, 67), "ffffffff"), true),
        ("IPv4 under no address", "0800", Ip4("00000000", "11", Udp(68, 69), "ffffffff"), false),
        ("a DHCP answer", "0800", Ip4(Address, "11", Udp(67, 68)), false),
        ("a DHCP answer from another port", "0800", Ip4(Address, "11", Udp(5000, 68)), false),
        ("IPv6 under its own address", "86dd", Ip6(Global, "11", Udp(5000, 5001)), true),
        ("IPv6 under its link-local address", "86dd", Ip6(LinkLocal, "11", Udp(546, 547)), true),
        ("IPv6 under another address", "86dd", Ip6(FalseV6, "11", Udp(5000, 5001)), false),
        ("IPv6 under another link-local address", "86dd", Ip6(LinkLocal[..^1] + "2", "11", Udp(5000, 5001)), false),
        ("IPv6 under no address", "86dd", Ip6(NoV6, "11", Udp(5000, 5001)), false),
        ("a DHCPv6 answer", "86dd", Ip6(LinkLocal, "11", Udp(547, 546)), false),
        ("an echo request", "86dd", Ip6(Global, "3a", "8000000000010001"), true),
        ("a multicast report", "86dd", Ip6(NoV6, "3a", "8f00000000000000"), true),
        ("a router's advertisement", "86dd", Ip6(LinkLocal, "3a", "86000000400807080000000000000000"), false),
        ("a router's advertisement behind a header of options", "86dd", Ip6(LinkLocal, "00", "3a00010400000000" + "86000000400807080000000000000000"), false),
        ("a router's advertisement that says it is longer than it is", "86dd", Ip6(LinkLocal, "3a", "86000000400807080000000000000000", more: 9), false),
        ("a redirect", "86dd", Ip6(LinkLocal, "3a", $"8900000000000000{Global}{FalseV6}"), false),
        ("a router's solicitation", "86dd", Ip6(LinkLocal, "3a", $"8500000000000000 0101{Own}"), true),
        ("a router's solicitation without an address", "86dd", Ip6(NoV6, "3a", "8500000000000000"), true),
        ("a router's solicitation under another MAC", "86dd", Ip6(LinkLocal, "3a", $"8500000000000000 0101{False}"), false),
        ("whether its own address is free", "86dd", Ip6(NoV6, "3a", $"8700000000000000{Global} 0e01010203040506"), true),
        ("whether another address is free", "86dd", Ip6(NoV6, "3a", $"8700000000000000{FalseV6}"), false),
        ("who has an address", "86dd", Ip6(Global, "3a", $"8700000000000000{FalseV6} 0101{Own}"), true),
        ("who has an address, without its own MAC", "86dd", Ip6(Global, "3a", $"8700000000000000{FalseV6}"), true),
        ("who has an address, under another MAC", "86dd", Ip6(Global, "3a", $"8700000000000000{FalseV6} 0101{False}"), false),
        ("who has an address, under another address", "86dd", Ip6(FalseV6, "3a", $"8700000000000000{Global} 0101{Own}"), false),
        ("who has an address, with a second MAC behind another option", "86dd", Ip6(Global, "3a", $"8700000000000000{FalseV6} 0e01010203040506 0101{False}"), false),
        ("that it has its own address", "86dd", Ip6(LinkLocal, "3a", $"8800000060000000{Global} 0201{Own}"), true),
        ("that it has its own address, without its MAC", "86dd", Ip6(LinkLocal, "3a", $"8800000060000000{Global}"), true),
        ("that it has another address", "86dd", Ip6(LinkLocal, "3a", $"8800000060000000{FalseV6} 0201{Own}"), false),
        ("that another MAC has its address", "86dd", Ip6(LinkLocal, "3a", $"8800000060000000{Global} 0201{False}"), false),
        ("that it has its own address, under another one", "86dd", Ip6(FalseV6, "3a", $"8800000060000000{Global} 0201{Own}"), false),
        ("the second part of a packet", "86dd", Ip6(Global, "2c", "3a00000800000001 0000000000000000"), true),
        ("a frame of another protocol", "88cc", "0207046666", false),
        ("RARP", "8035", Arp(Own, FalseAddress, 4), false),
        ("two tags", "88a8", "0005 8100 0006 0800" + Ip4(FalseAddress, "11", Udp(1, 2)), false),
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_guest_sends_under_its_own_addresses_and_nothing_else_gets_out(bool tagged)
    {
        Up(Guarded("ip"));
        Up(Guarded("off", id: "vm-p1", mac: Peer));
        using var guest = new TapGuest(_host.Net, "vm-s1");
        using var peer = new TapGuest(_host.Net, "vm-p1");
        // What passes comes last of all, and is heard.
        var last = Frame("0800", Ip4(Address, "11", Udp(9999, 9999)));
        var heard = peer.Hears(() => guest.Send([.. s_frames.Select(f => Frame(f.Type, f.Payload)), last]), last).Select(Convert.ToHexString).ToHashSet();
        Assert.Equal(s_frames.Where(f => f.Passes).Select(f => f.What), s_frames.Where(f => heard.Contains(Convert.ToHexString(Frame(f.Type, f.Payload)))).Select(f => f.What));
        // Under another MAC none of them.
        Assert.DoesNotContain(peer.Hears(() => guest.Send([.. s_frames.Select(f => Frame(f.Type, f.Payload, False)), last]), last), f => Convert.ToHexString(f).Contains("026666666666", StringComparison.Ordinal));

        // A frame may have a tag, and what is behind it is looked at all the same.
        byte[] Frame(string type, string payload, string from = Own) => TapGuest.Frame(Everybody, from, tagged && type is not "88a8" ? $"81000005{type}" : type, payload);
    }

    [Fact]
    public void Of_a_running_guest_it_changes_without_a_lost_connection_and_the_guest_finds_its_neighbours()
    {
        Up(Guarded("off"));
        using var guest = new TapGuest(_host.Net, "vm-s1");
        guest.Boot(Own, "10.0.9.2/24", "fd00:20::5/64");
        using var v4 = guest.Talk(_host.Net, "10.0.9.1");
        using var v6 = guest.Talk(_host.Net, "fd00:20::1");
        foreach (var value in (string[])["ip", "mac", "ip", "off", "ip"])
        {
            Up(Guarded(value));
            v4.Goes();
            v6.Goes();
        }
        // Nobody knows anybody any more: ARP and neighbour discovery pass.
        guest.Net.Ip("neigh", "flush", "dev", "eth0");
        _host.Net.Ip("neigh", "flush", "dev", "br0");
        v4.Goes();
        v6.Goes();
        guest.Net.Ip("addr", "add", "10.0.9.77/24", "dev", "eth0");
        Assert.NotEqual(0, Binary.Run("ip", null, "netns", "exec", guest.Net.Name, "busybox", "ping", "-c", "1", "-W", "1", "-I", "10.0.9.77", "10.0.9.1").Code);
        DeclaredHost.Run(guest.Net, "busybox", "ping", "-c", "1", "-W", "5", "-I", "10.0.9.2", "10.0.9.1");
        DeclaredHost.Run(guest.Net, "busybox", "ping", "-6", "-c", "1", "-W", "5", "fd00:20::1");
    }

    [Fact]
    public void On_a_declared_network_the_guest_gets_its_addresses_by_DHCP_and_has_no_others()
    {
        var file = _host.Declare("web", "\"home\":{\"addresses\":[\"10.20.0.1/24\"]}", DeclaredHost.Tap("vm-s1", "home").Replace("\"network\"", "\"antiSpoof\":\"ip\",\"network\"", StringComparison.Ordinal));
        Up(file);
        using var guest = new TapGuest(_host.Net, "vm-s1");
        guest.Boot(NetworkHost.MacOf("vm-s1"));
        Assert.Contains("leased 10.20.0.", _host.Lease(guest.Net), StringComparison.Ordinal);
        DeclaredHost.Run(guest.Net, "busybox", "ping", "-c", "1", "-W", "5", "10.20.0.1");
        guest.Net.Ip("addr", "flush", "dev", "eth0");
        guest.Net.Ip("addr", "add", "10.20.0.250/24", "dev", "eth0");
        Assert.NotEqual(0, Binary.Run("ip", null, "netns", "exec", guest.Net.Name, "busybox", "ping", "-c", "1", "-W", "1", "10.20.0.1").Code);
        guest.Dispose();
        _host.Done("down", file);
        Assert.Equal("", Rules());
    }

    [Fact]
    public void Down_leaves_nothing_another_VM_keeps_its_own_and_other_tables_are_left_alone()
    {
        _host.Inside("nft", "add table bridge mine; add chain bridge mine c { type filter hook forward priority 0; policy accept; }; add rule bridge mine c counter");
        var before = Rules();
        Up(Guarded("ip", id: "vm-d1"));
        var one = Rules();
        Up(Guarded("ip", "\"10.0.9.4\"", "vm-d2", "02:00:00:00:00:02"));
        Assert.Contains("\"vm-d2\" comment \"microvm:web-vm-d2/vm-d2\"", Rules(), StringComparison.Ordinal);
        _host.Done("down", Guarded("ip", "\"10.0.9.4\"", "vm-d2", "02:00:00:00:00:02"));
        Assert.Equal(one, Rules());
        // Somebody deleted its tap: what guarded it goes all the same.
        _host.Net.Ip("link", "del", "vm-d1");
        _host.Done("down", Guarded("ip", id: "vm-d1"));
        Assert.Equal(before, Rules());
        Assert.False(Directory.Exists(Run) && Directory.EnumerateFiles(Run).Any(f => File.ReadAllText(f).Contains("vm-d", StringComparison.Ordinal)));
    }

    [Fact]
    public void What_others_change_of_the_rules_is_mended_and_watched()
    {
        Up(Guarded("ip"));
        var right = Rules();
        _host.Inside("nft", "flush chain bridge microvm-antispoof guest");
        Assert.Contains("the rules that keep its guest from sending under any address were changed", _host.Done("up", Guarded("ip")), StringComparison.Ordinal);
        Assert.Equal(right, Rules());
        _host.Inside("nft", "add element bridge microvm-antispoof v4 { \"vm-s1\" . 0x0a000963 }");
        Assert.Contains("its guest may send under 10.0.9.2, 10.0.9.99, fd00:20::5, and has 10.0.9.2, fd00:20::5", _host.Done("up", Guarded("ip")), StringComparison.Ordinal);
        using var watch = new WatchProcess(["--netns", _host.Net.Name, Guarded("ip")]);
        watch.WaitFor("watching");
        // As a firewall does that loads its own rules.
        _host.Inside("nft", "flush ruleset");
        watch.WaitFor("its guest may send under any address");
        WatchProcess.Until(() => Rules() == right, Rules);
    }

    [Fact]
    public void Replaced_with_other_addresses_and_another_MAC_it_has_these_alone()
    {
        Up(Guarded("ip"));
        Up(Guarded("ip", "\"10.0.9.7\"", mac: "02:00:00:00:00:07", vcpu: 2));
        Assert.DoesNotContain("0xa000902", Rules(), StringComparison.Ordinal);
        Assert.Contains("0xa000907", Rules(), StringComparison.Ordinal);
        Assert.Contains("0x20000000007", Rules(), StringComparison.Ordinal);
        Up(Guarded("mac"));
        Assert.Equal("", Rules());
    }

    [Fact]
    public void A_table_of_that_name_that_is_somebody_elses_is_left_alone_and_nothing_is_made()
    {
        _host.Inside("nft", "add table bridge microvm-antispoof; add chain bridge microvm-antispoof theirs");
        var before = Rules();
        var up = _host.Microvm("up", Guarded("ip"));
        Assert.True(up.Code == 1 && up.Err.Contains("File exists", StringComparison.Ordinal), up.Err);
        Assert.Equal(before, Rules());
        Assert.DoesNotContain("vm-s1", _host.Net.Ip("link"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","bridge":"br0","antiSpoof":"ip"}""", "needs the guest's addresses; write them with 'addresses' (like [ \"192.0.2.20\" ]), or join a 'network'")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","bridge":"br0","antiSpoof":"mac","addresses":["192.0.2.20"]}""", "or with antiSpoof = \"ip\": the guest may send under them alone")]
    public void Check_refuses_what_can_not_be(string it, string says)
    {
        var check = Binary.Microvm("check", _host.Write("bad.json", $$"""{"networking":{"hostName":"n"},"microvm":{"interfaces":[{{it}}]} }"""));
        Assert.True(check.Code == 2 && check.Out.Contains(says, StringComparison.Ordinal), check.Out);
    }

    [Theory]
    [InlineData("vm\"1", "web", "give it an id of letters")]
    [InlineData("vm*", "web", "give it an id of letters")]
    [InlineData("vm1", "we\"b", "give it a name of at most 80 letters")]
    [InlineData("vm1", "web", null)]
    public void What_rules_can_not_hold_is_refused(string id, string vm, string? says) =>
        Assert.Contains(says ?? "", AddressGuard.Unfit(new(Microvm.Network.LinkKind.Tap, vm, id, id, null, null)) ?? "", StringComparison.Ordinal);
}
