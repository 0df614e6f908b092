using System.Text.Json;

namespace Microvm.Tests;

/// <summary>Declared networks on a host: made with the interfaces that join them, mended, and taken down without a trace.</summary>
public sealed class DeclaredNetworkTests
{
    private const string Home = "\"home\":{\"addresses\":[\"10.20.0.1/24\",\"fd00:20::1/64\"],\"domain\":\"home.internal\"}";

    [Fact]
    public void A_network_comes_with_the_first_vm_and_goes_with_the_last_and_leaves_nothing()
    {
        using var host = new DeclaredHost();
        host.Outside();
        host.Inside("nft", "add table inet mine; add chain inet mine c; add rule inet mine c tcp dport 22 accept");
        var before = host.Picture();
        var (a, b) = (host.Declare("a", Home, DeclaredHost.Tap("vm-a", "home", "10.20.0.20")), host.Declare("b", Home, DeclaredHost.Tap("vm-b", "home")));
        // What plan says is what up does.
        var planned = host.Done("plan", a);
        Assert.Equal(before, host.Picture());
        Assert.Equal(planned, host.Done("up", a));
        Assert.Contains("nothing to do", host.Done("up", a));
        Assert.Contains("nothing to do", host.Done("plan", a));
        Assert.Contains("10.20.0.1/24", host.Net.Ip("addr", "show", "net-home"));
        Assert.Contains("master net-home", host.Net.Ip("link", "show", "vm-a"));
        // By these links alone, not on the whole host.
        Assert.Equal("0", host.Inside("cat", "/proc/sys/net/ipv4/ip_forward").Trim());
        Assert.Equal("1", host.Inside("cat", "/proc/sys/net/ipv4/conf/out0/forwarding").Trim());
        var service = host.ServiceOf("home");
        Assert.True(DeclaredHost.Runs(service));
        Assert.Contains(File.ReadLines($"/proc/{service}/status"), l => l.StartsWith("Uid:", StringComparison.Ordinal) && !l.Contains("\t0\t", StringComparison.Ordinal));

        host.Done("up", b);
        Assert.Equal(service, host.ServiceOf("home"));
        Assert.Contains("the network stays", host.Done("down", a));
        Assert.False(File.Exists($"{host.FolderOf("home")}/reservations/a"));
        Assert.True(DeclaredHost.Runs(service));
        host.Done("down", b);
        Assert.Equal(before, host.Picture());
        Assert.False(DeclaredHost.Runs(service));
        Assert.False(host.HasFolders);
        Assert.Contains("nothing to do", host.Done("down", b));
    }

    [Fact]
    public void Guests_get_addresses_names_and_a_way_out_over_ipv4_and_ipv6()
    {
        using var host = new DeclaredHost();
        var far = host.Outside();
        host.Done("up", host.Declare("web", Home, DeclaredHost.Tap("vm-web", "home", "10.20.0.20")), host.Declare("db", Home, DeclaredHost.Tap("vm-db", "home")));
        var (web, db) = (host.Guest("vm-web", "net-home"), host.Guest("vm-db", "net-home"));
        Assert.Contains("leased 10.20.0.20 dns 10.20.0.1 domain home.internal", host.Lease(web));
        host.Lease(db);
        Assert.StartsWith("10.20.0.20\nfd00:20::", host.Done("ip", "web"));
        Assert.Contains("on no declared network that is up", host.Microvm("ip", "nobody").Err);
        Assert.Matches("home +net-home +10.20.0.1/24 fd00:20::1/64 +runs +db web", Binary.Microvm("network", "list", "--netns", host.Net.Name).Out);
        Assert.Matches("home +10.20.0.20 +web +web +02:[0-9a-f:]+ +2[0-9]+-", Binary.Microvm("network", "leases", "--netns", host.Net.Name).Out);
        // The outside knows nothing of 10.20.0.0/24: only the host's own address can be answered.
        DeclaredHost.Run(web, "ping", "-c", "1", "-W", "5", "203.0.113.1");
        // Each reaches the other by its name.
        Assert.Contains("10.20.0.20", DeclaredHost.Run(db, "busybox", "nslookup", "web.home.internal", "10.20.0.1"));
        DeclaredHost.Run(db, "ping", "-c", "1", "-W", "5", "10.20.0.20");
        // Router advertisements give an address and a way out.
        DeclaredHost.UntilOnIPv6(web, "fd00:20:");
        DeclaredHost.Run(web, "ping", "-6", "-c", "1", "-W", "5", "2001:db8:1::1");
        // Nobody outside gets in, though there is a route.
        far.Ip("route", "add", "10.20.0.0/24", "via", "203.0.113.10");
        Assert.NotEqual(0, Binary.Run("ip", null, "netns", "exec", far.Name, "ping", "-c", "1", "-W", "1", "10.20.0.20").Code);
        // One that takes another's address gets nowhere.
        web.Ip("addr", "add", "198.51.100.7/32", "dev", "eth0");
        Assert.NotEqual(0, Binary.Run("ip", null, "netns", "exec", web.Name, "ping", "-I", "198.51.100.7", "-c", "1", "-W", "1", "203.0.113.1").Code);
    }

    [Fact]
    public void Ports_of_the_host_lead_to_a_guest_over_ipv4_and_ipv6_as_long_as_its_vm_is_up()
    {
        using var host = new DeclaredHost();
        var far = host.Outside();
        string Declare(string forwards) => host.Write("web.json", $$"""
            {"networking":{"hostName":"web"},"microvm":{"networks":{ {{Home}} },"interfaces":[{{DeclaredHost.Tap("vm-web", "home")}}],"forwardPorts":[{{forwards}}] } }
            """);
        const string Forwards = """{"host":{"port":8080},"guest":{"port":80} },{"proto":"udp","host":{"port":5300},"guest":{"port":53} }""";
        var db = host.Declare("db", Home, DeclaredHost.Tap("vm-db", "home"));
        host.Done("up", Declare(Forwards), db);
        Assert.Contains("nothing to do", host.Done("up", Declare(Forwards)));
        var (web, neighbour) = (host.Guest("vm-web", "net-home"), host.Guest("vm-db", "net-home"));
        host.Lease(web);
        host.Lease(neighbour);
        var page = Path.GetDirectoryName(host.Write("index.html", "hello from the guest"))!;
        using (new Guest("ip", "netns", "exec", web.Name, "busybox", "httpd", "-f", "-p", "80", "-h", page))
        {
            string Fetch(Namespace from, string address, int port = 8080) => Binary.Run("timeout", null, "5", "ip", "netns", "exec", from.Name, "busybox", "wget", "-q", "-O", "-", $"http://{address}:{port}/").Out;
            DeclaredHost.Until("an answer over IPv4", () => Fetch(far, "203.0.113.10").Contains("hello from the guest", StringComparison.Ordinal));
            DeclaredHost.Until("an answer over IPv6", () => Fetch(far, "[2001:db8:1::10]").Contains("hello from the guest", StringComparison.Ordinal));
            // The host itself, and a neighbour on the same bridge, by the same address.
            Assert.Contains("hello from the guest", Fetch(host.Net, "203.0.113.10"));
            Assert.Contains("hello from the guest", Fetch(neighbour, "203.0.113.10"));
            // What is not forwarded stays closed, and what another has is not taken.
            far.Ip("route", "add", "10.20.0.0/24", "via", "203.0.113.10");
            var own = System.Text.RegularExpressions.Regex.Match(web.Ip("-4", "addr", "show", "eth0"), @"10\.20\.0\.[0-9]+").Value;
            Assert.DoesNotContain("hello", Fetch(far, own, 80));
            Assert.Contains("hello", Fetch(host.Net, own, 80));
        }
        var second = host.Write("x.json", $$"""
            {"networking":{"hostName":"x"},"microvm":{"networks":{ {{Home}} },"interfaces":[{{DeclaredHost.Tap("vm-x", "home")}}],"forwardPorts":[{"host":{"port":8080},"guest":{"port":80} }] } }
            """);
        Assert.Contains("tcp port 8080 of the host is forwarded to 'web' already", host.Microvm("plan", second).Err);
        // One forward less, then none.
        host.Done("up", Declare("""{"host":{"port":8080},"guest":{"port":80} }"""));
        Assert.DoesNotContain("5300", host.Inside("nft", "list", "ruleset"));
        host.Done("down", Declare(""));
        Assert.DoesNotContain("microvm-home/web", host.Inside("nft", "list", "ruleset"));
        Assert.Contains("microvm-home", host.Inside("nft", "list", "ruleset"));
        // Whatever is on the bridge keeps the network.
        Assert.Contains("the network stays", host.Done("down", db));
        host.Net.Ip("link", "del", "g2");
        host.Net.Ip("link", "del", "g3");
        host.Done("down", db);
        Assert.Equal("", host.Inside("nft", "list", "ruleset"));
    }

    [Fact]
    public void The_watch_starts_a_service_that_ended_and_puts_back_what_somebody_took()
    {
        using var host = new DeclaredHost();
        host.Outside();
        var vm = host.Declare("web", Home, DeclaredHost.Tap("vm-web", "home"));
        using var watch = new WatchProcess(["--netns", host.Net.Name, vm]);
        watch.WaitFor("watching");
        // Events of its own work are over: nothing but the end of the service has it look again.
        Thread.Sleep(4000);
        var first = host.ServiceOf("home");
        Binary.Run("kill", null, "-9", $"{first}");
        DeclaredHost.Until("another dnsmasq", () => host.HasService("home") && host.ServiceOf("home") != first);
        host.Net.Ip("link", "del", "net-home");
        DeclaredHost.Until("the bridge", () => Binary.Run("ip", null, "-n", host.Net.Name, "link", "show", "vm-web").Out.Contains("master net-home", StringComparison.Ordinal));
        DeclaredHost.Until("its address", () => Binary.Run("ip", null, "-n", host.Net.Name, "addr", "show", "net-home").Out.Contains("10.20.0.1/24", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_nat_guests_reach_each_other_and_the_host_alone()
    {
        using var host = new DeclaredHost();
        // Both ways would be open: the host is a router, and the outside knows the way back.
        host.Outside().Ip("route", "add", "10.21.0.0/24", "via", "203.0.113.10");
        host.Inside("sysctl", "-q", "-w", "net.ipv4.ip_forward=1");
        host.Done("up", host.Declare("web", "\"lab\":{\"addresses\":[\"10.21.0.1/24\"],\"nat\":false}", DeclaredHost.Tap("vm-web", "lab")));
        var (web, other) = (host.Guest("vm-web", "net-lab"), host.Guest("vm-x", "net-lab"));
        Assert.Contains("leased 10.21.0.", host.Lease(web));
        // One that nobody declared gets an address of the upper half.
        host.Lease(other);
        DeclaredHost.Run(web, "ping", "-c", "1", "-W", "5", "10.21.0.1");
        web.Ip("route", "add", "default", "via", "10.21.0.1");
        Assert.NotEqual(0, Binary.Run("ip", null, "netns", "exec", web.Name, "ping", "-c", "1", "-W", "1", "203.0.113.1").Code);
    }

    [Fact]
    public void The_default_network_needs_no_declaration_and_takes_addresses_that_are_free()
    {
        using var host = new DeclaredHost();
        var vm = host.Declare("web", "", DeclaredHost.Tap("vm-web", "default"));
        host.Done("up", vm);
        string Own() => JsonDocument.Parse(host.Net.Ip("-4", "-j", "addr", "show", "net-default")).RootElement[0].GetProperty("addr_info")[0].GetProperty("local").GetString()!;
        var first = Own();
        host.Done("down", vm);
        host.Net.Ip("link", "add", "busy0", "type", "bridge");
        host.Net.Ip("addr", "add", $"{first[..^1]}99/16", "dev", "busy0");
        host.Done("up", vm);
        var second = Own();
        Assert.NotEqual(first[..first.LastIndexOf('.')], second[..second.LastIndexOf('.')]);
        // Once made it stays, though the first choice is free again.
        host.Net.Ip("link", "delete", "busy0");
        Assert.Contains("nothing to do", host.Done("up", vm));
        Assert.Equal(second, Own());
    }

    [Fact]
    public void What_somebody_broke_is_mended_by_the_next_up()
    {
        using var host = new DeclaredHost();
        host.Outside();
        var vm = host.Declare("web", Home, DeclaredHost.Tap("vm-web", "home"));
        host.Done("up", vm);
        var right = host.Forwarding();
        Binary.Run("kill", null, "-9", $"{host.ServiceOf("home")}");
        DeclaredHost.Until("the end of dnsmasq", () => !DeclaredHost.Runs(host.ServiceOf("home")));
        Assert.Contains("create   dnsmasq", host.Done("up", vm));
        host.Inside("nft", "flush", "chain", "inet", "microvm-home", "forward");
        Assert.Contains("its rules were changed", host.Done("up", vm));
        host.Net.Ip("addr", "del", "10.20.0.1/24", "dev", "net-home");
        Assert.Contains("create   10.20.0.1/24", host.Done("up", vm));
        host.Inside("sysctl", "-q", "-w", "net.ipv4.conf.net-home.forwarding=0", "net.ipv4.conf.out0.forwarding=0", "net.ipv6.conf.net-home.accept_ra=1");
        Assert.Contains("it takes routes from guests", host.Done("up", vm));
        host.Net.Ip("link", "set", "net-home", "down");
        host.Done("up", vm);
        Assert.True(DeclaredHost.Runs(host.ServiceOf("home")));
        Assert.Equal(right, host.Forwarding());
        // A bridge that is gone comes back with all that it had, and the old service does not stay beside the new one.
        var old = host.ServiceOf("home");
        host.Net.Ip("link", "delete", "net-home");
        host.Done("up", vm);
        Assert.False(DeclaredHost.Runs(old));
        Assert.Contains("master net-home", host.Net.Ip("link", "show", "vm-web"));
        host.Net.Ip("link", "delete", "net-home");
        host.Done("down", vm);
        Assert.False(host.HasFolders);
        Assert.Equal("0", host.Inside("cat", "/proc/sys/net/ipv4/conf/out0/forwarding").Trim());
        Assert.Equal("", host.Inside("nft", "list", "ruleset"));
    }

    [Theory]
    [InlineData("nft")]
    [InlineData("dnsmasq")]
    public void What_fails_on_the_way_is_all_undone_and_a_program_that_is_missing_is_told_first(string program)
    {
        using var host = new DeclaredHost();
        host.Outside();
        var before = host.Picture();
        var vm = host.Declare("web", Home, DeclaredHost.Tap("vm-web", "home"));
        var path = Binary.Run("sh", null, "-c", $"PATH=$PATH:/usr/sbin command -v {program}").Out.Trim();
        // A program that fails, and one that is not there, for our own mount namespace alone.
        var fails = host.Write("fails", "#!/bin/sh\ncase \"$*\" in *list*) exit 0 ;; esac\necho 'this one fails' >&2\nexit 3\n");
        File.SetUnixFileMode(fails, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.OtherExecute | UnixFileMode.OtherRead);
        var failed = Binary.Run("unshare", null, "-m", "sh", "-c", $"mount --bind {fails} {path} && exec {Binary.Path} up --netns {host.Net.Name} {vm}");
        Assert.Equal(1, failed.Code);
        Assert.Contains($"{program} says: this one fails", failed.Err);
        Assert.DoesNotContain("putting the networks back", failed.Err);
        Assert.Equal(before, host.Picture());
        Assert.False(host.HasFolders);
        foreach (var command in (string[])["plan", "up"])
        {
            var missing = Binary.Run("unshare", null, "-m", "sh", "-c", $"mount --bind /dev/null {path} && exec {Binary.Path} {command} --netns {host.Net.Name} {vm}");
            Assert.Equal(1, missing.Code);
            Assert.Contains($"there is no '{program}' on this host; install it: sudo apt install", missing.Err);
        }
        Assert.Equal(before, host.Picture());
    }

    [Fact]
    public void What_belongs_to_others_is_refused_and_left_alone()
    {
        using var host = new DeclaredHost();
        var vm = host.Declare("web", Home, DeclaredHost.Tap("vm-web", "home"));
        host.Net.Ip("link", "add", "net-home", "type", "bridge");
        host.Net.Ip("link", "add", "vpn0", "type", "bridge");
        host.Net.Ip("addr", "add", "10.20.0.77/16", "dev", "vpn0");
        host.Inside("nft", "add", "table", "inet", "mine");
        var before = host.Picture();
        foreach (var command in (string[])["plan", "up"])
        {
            var refused = host.Microvm(command, vm);
            Assert.Equal(1, refused.Code);
            Assert.Contains("a link of that name is there that microvm did not create", refused.Err);
            Assert.Contains("10.20.0.1/24 of the network 'home' overlaps 10.20.0.77/16, which this host has on 'vpn0'", refused.Err);
        }
        host.Done("down", vm);
        Assert.Equal(before, host.Picture());
        // A table of our name without our comment is somebody else's too.
        host.Net.Ip("link", "delete", "net-home");
        host.Net.Ip("link", "delete", "vpn0");
        host.Inside("nft", "add", "table", "inet", "microvm-home");
        before = host.Picture();
        Assert.Contains("that microvm did not create", host.Microvm("up", vm).Err);
        host.Done("down", vm);
        Assert.Equal(before, host.Picture());
    }
}
