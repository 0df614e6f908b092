using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Microvm.Tests;

/// <summary>Who reaches whom on networks of each kind, with what egress allows and denies, and by which ports of the host; with real packets.</summary>
public sealed class NetworkKindTests
{
    /// <summary>What a network leaves: links, rules, forwarding.</summary>
    private static string Traces(DeclaredHost host) => host.Net.Links() + host.Inside("nft", "list", "ruleset") + host.Forwarding();

    private static bool Pings(Namespace from, string address) => Binary.Run("ip", null, "netns", "exec", from.Name, "ping", "-c", "1", "-W", "1", address).Code == 0;

    /// <summary>Whether something works in a namespace: what the kernel refuses, or nobody answers, does not.</summary>
    private static bool Works(Namespace from, Func<bool> work) => NetworkHost.Inside(from.Name, _ =>
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is SocketException or AggregateException)
        {
            return false;
        }
    });

    /// <summary>Answers a datagram of any sender on a port, until it is disposed.</summary>
    private static UdpClient Echo(Namespace where, IPAddress address, int port) => NetworkHost.Inside(where.Name, _ =>
    {
        var server = new UdpClient(new IPEndPoint(address, port));
        new Thread(() =>
        {
            try
            {
                for (; ; )
                {
                    var from = new IPEndPoint(IPAddress.Any, 0);
                    server.Send(server.Receive(ref from), from);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The end of the test.
            }
        })
        { IsBackground = true }.Start();
        return server;
    });

    private static TcpListener Listen(Namespace where, IPAddress address, int port) => NetworkHost.Inside(where.Name, _ =>
    {
        var server = new TcpListener(address, port);
        server.Start();
        return server;
    });

    private static bool Connects(Namespace from, string address, int port) => Works(from, () =>
    {
        var to = IPAddress.Parse(address);
        using var client = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        return client.ConnectAsync(to, port).Wait(TimeSpan.FromSeconds(1.5));
    });

    private static bool Echoes(Namespace from, string address, int port) => Works(from, () =>
    {
        using var client = new UdpClient(IPAddress.Parse(address).AddressFamily);
        client.Client.ReceiveTimeout = 1500;
        client.Connect(address, port);
        client.Send("hello"u8.ToArray());
        var any = new IPEndPoint(IPAddress.Any, 0);
        return Encoding.UTF8.GetString(client.Receive(ref any)) == "hello";
    });

    [Fact]
    public void On_a_routed_network_guests_are_themselves_outside_and_are_reached_there()
    {
        using var host = new DeclaredHost();
        var far = host.Outside();
        var before = Traces(host);
        var vm = host.Declare("web", "\"lan\":{\"kind\":\"routed\",\"addresses\":[\"10.22.0.1/24\",\"2001:db8:22::1/64\"]}", DeclaredHost.Tap("vm-web", "lan", "10.22.0.20"));
        var told = host.Done("up", vm);
        Assert.Contains("the router outside needs: ip route add 10.22.0.0/24 via 203.0.113.10", told);
        Assert.Contains("the router outside needs: ip -6 route add 2001:db8:22::/64 via 2001:db8:1::10", told);
        far.Ip("route", "add", "10.22.0.0/24", "via", "203.0.113.10");
        far.Ip("-6", "route", "add", "2001:db8:22::/64", "via", "2001:db8:1::10");
        var web = host.Guest("vm-web", "net-lan");
        Assert.Contains("leased 10.22.0.20", host.Lease(web));
        Assert.True(Pings(web, "203.0.113.1"));
        Assert.True(Pings(far, "10.22.0.20"));
        // Under its own address: the far end sees it as it is.
        using var server = Listen(far, IPAddress.Any, 80);
        Assert.True(Connects(web, "203.0.113.1", 80));
        using var seen = server.AcceptSocket();
        Assert.Equal("10.22.0.20", ((IPEndPoint)seen.RemoteEndPoint!).Address.ToString());
        DeclaredHost.UntilOnIPv6(web, "2001:db8:22:");
        Assert.True(Pings(web, "2001:db8:1::1"));
        web.Ip("link", "del", "eth0");
        host.Done("down", vm);
        Assert.Equal(before, Traces(host));
    }

    [Fact]
    public void On_an_internal_network_guests_reach_each_other_alone()
    {
        using var host = new DeclaredHost();
        host.Outside();
        host.Inside("sysctl", "-q", "-w", "net.ipv4.ip_forward=1");
        var before = Traces(host);
        var vm = host.Declare("web", "\"dark\":{\"kind\":\"internal\"}", DeclaredHost.Tap("vm-web", "dark"));
        host.Done("up", vm);
        Assert.Contains("nothing to do", host.Done("up", vm));
        Assert.Equal("[]", System.Text.Json.JsonDocument.Parse(host.Net.Ip("-j", "addr", "show", "net-dark")).RootElement[0].GetProperty("addr_info").GetRawText());
        Assert.False(File.Exists($"{host.FolderOf("dark")}/pid"));
        var (one, two) = (host.Guest("vm-web", "net-dark"), host.Guest("vm-x", "net-dark"));
        one.Ip("addr", "add", "10.9.9.1/24", "dev", "eth0");
        two.Ip("addr", "add", "10.9.9.2/24", "dev", "eth0");
        Assert.True(Pings(one, "10.9.9.2"));
        // Not even somebody who gives the bridge an address is reached.
        host.Net.Ip("addr", "add", "10.9.9.3/24", "dev", "net-dark");
        Assert.False(Pings(one, "10.9.9.3"));
        one.Ip("route", "add", "default", "via", "10.9.9.3");
        Assert.False(Pings(one, "203.0.113.1"));
        one.Ip("link", "del", "eth0");
        two.Ip("link", "del", "eth0");
        host.Done("down", vm);
        Assert.Equal(before, Traces(host));
    }

    [Fact]
    public void With_an_uplink_guests_leave_by_it_alone_and_ipv6_may_stay()
    {
        using var host = new DeclaredHost();
        var far = host.Outside();
        var other = host.Other();
        host.Net.Ip("link", "add", "out1", "type", "veth", "peer", "name", "far1", "netns", other.Name);
        host.Net.Ip("addr", "add", "198.51.100.10/24", "dev", "out1");
        host.Net.Ip("link", "set", "out1", "up");
        other.Ip("addr", "add", "198.51.100.1/24", "dev", "far1");
        other.Ip("link", "set", "far1", "up");
        // The host is a router, so that only the rules keep guests from the second way.
        host.Inside("sysctl", "-q", "-w", "net.ipv4.ip_forward=1");
        var vm = host.Declare("web", "\"lan\":{\"nat\":{\"uplink\":\"out0\",\"ipv6\":false},\"addresses\":[\"10.23.0.1/24\",\"fd00:23::1/64\"]}", DeclaredHost.Tap("vm-web", "lan"));
        host.Done("up", vm);
        var web = host.Guest("vm-web", "net-lan");
        host.Lease(web);
        Assert.True(Pings(web, "203.0.113.1"));
        Assert.False(Pings(web, "198.51.100.1"));
        web.Ip("addr", "add", "fd00:23::9/64", "dev", "eth0", "nodad");
        web.Ip("-6", "route", "replace", "default", "via", "fd00:23::1");
        Assert.False(Pings(web, "2001:db8:1::1"));
        // It vanishes, and returns as another link of that name.
        host.Net.Ip("link", "del", "out0");
        Assert.Contains("out0", host.Done("up", vm));
        Assert.Contains("is not there; guests get out once it is", host.Done("up", vm));
        host.Net.GetsOutTo(far);
        host.Done("up", vm);
        DeclaredHost.Until("the way out", () => Pings(web, "203.0.113.1"));
    }

    [Fact]
    public void Egress_of_a_network_denies_the_host_and_private_networks_and_leaves_dns()
    {
        using var host = new DeclaredHost();
        var far = host.Outside();
        far.Ip("addr", "add", "10.77.0.1/24", "dev", "far0");
        host.Net.Ip("route", "add", "10.77.0.0/24", "via", "203.0.113.1");
        var vm = host.Declare("web", "\"lan\":{\"domain\":\"lan.internal\",\"egress\":{\"deny\":[\"host\",\"private\"]},\"addresses\":[\"10.24.0.1/24\"]}", DeclaredHost.Tap("vm-web", "lan"));
        host.Done("up", vm);
        Assert.Contains("nothing to do", host.Done("up", vm));
        var web = host.Guest("vm-web", "net-lan");
        Assert.Contains("leased 10.24.0.", host.Lease(web));
        Assert.True(Pings(web, "203.0.113.1"));
        Assert.False(Pings(web, "10.77.0.1"));
        Assert.False(Pings(web, "10.24.0.1"));
        Assert.False(Pings(web, "203.0.113.10"));
        Assert.Contains("10.24.0.", DeclaredHost.Run(web, "busybox", "nslookup", "web.lan.internal", "10.24.0.1"));
        // What the guest answers is not limited.
        Assert.True(Pings(host.Net, host.Done("ip", "web").Split('\n')[0]));
    }

    [Fact]
    public void Egress_of_an_interface_allows_a_port_and_nothing_else_and_leaves_its_neighbour_alone()
    {
        using var host = new DeclaredHost();
        var far = host.Outside();
        using var https = Listen(far, IPAddress.Any, 443);
        using var http = Listen(far, IPAddress.Any, 80);
        var tap = DeclaredHost.Tap("vm-web", "lan", "10.25.0.20");
        var vm = host.Declare("web", "\"lan\":{\"addresses\":[\"10.25.0.1/24\"]}", tap[..^1] + ",\"egress\":{\"allow\":[\"203.0.113.0/24 tcp/443-444\"]}}");
        var db = host.Declare("db", "\"lan\":{\"addresses\":[\"10.25.0.1/24\"]}", DeclaredHost.Tap("vm-db", "lan"));
        host.Done("up", vm, db);
        var (web, other) = (host.Guest("vm-web", "net-lan"), host.Guest("vm-db", "net-lan"));
        host.Lease(web);
        host.Lease(other);
        Assert.True(Connects(web, "203.0.113.1", 443));
        Assert.False(Connects(web, "203.0.113.1", 80));
        Assert.False(Pings(web, "203.0.113.1"));
        Assert.True(Connects(other, "203.0.113.1", 80));
        host.Done("down", vm);
        Assert.DoesNotContain("microvm-lan/web", host.Inside("nft", "list", "tables"));
    }

    [Theory]
    [InlineData("203.0.113.10")]
    [InlineData("2001:db8:1::10")]
    public void Forwards_of_a_row_of_ports_reach_the_guest_over_tcp_and_udp(string address)
    {
        using var host = new DeclaredHost();
        var far = host.Outside();
        var vm = host.Write("fwd.json", $$"""
            {"networking":{"hostName":"web"},"microvm":{"networks":{"lan":{"addresses":["10.26.0.1/24","fd00:26::1/64"]} },"interfaces":[{{DeclaredHost.Tap("vm-web", "lan", "10.26.0.20")}}],
             "forwardPorts":[{"host":{"port":8000},"guest":{"port":9000},"count":3},{"proto":"udp","host":{"port":5300},"guest":{"port":5353},"count":2}] } }
            """);
        host.Done("up", vm);
        var web = host.Guest("vm-web", "net-lan");
        host.Lease(web);
        var own = host.Done("ip", "web").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse).First(a => a.AddressFamily == IPAddress.Parse(address).AddressFamily);
        DeclaredHost.Until("the guest's address", () => web.Ip("addr", "show", "dev", "eth0").Contains(own.ToString(), StringComparison.Ordinal) && !web.Ip("addr", "show", "dev", "eth0").Contains("tentative", StringComparison.Ordinal));
        if (own.AddressFamily == AddressFamily.InterNetworkV6)
        {
            DeclaredHost.Until("the way back", () => web.Ip("-6", "route").Contains("default", StringComparison.Ordinal));
        }
        using var last = Listen(web, own, 9002);
        using var beyond = Listen(web, own, 9003);
        using var echo = Echo(web, own, 5354);
        Assert.True(Connects(far, address, 8002));
        Assert.False(Connects(far, address, 8003));
        Assert.True(Echoes(far, address, 5301));
        Assert.False(Echoes(far, address, 5302));
    }
}
