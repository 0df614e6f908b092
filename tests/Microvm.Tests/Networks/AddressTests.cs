using System.Net;
using Microvm.Linux;

namespace Microvm.Tests;

/// <summary>Addresses, routes and bridges as the kernel takes them and tells them, against iproute2.</summary>
public sealed class AddressTests
{
    [Fact]
    public void A_bridge_and_its_addresses_are_made_as_asked_and_read_as_ip_tells_them()
    {
        using var net = new Namespace();
        NetworkHost.Inside(net.Name, route =>
        {
            route.Commit(new RouteBatch().AddBridge(77, "br-x", [2, 0, 0, 0, 0, 9], 5).Mark(77, "br-x", "an alias", 5).SetUp(77, "br-x", true)
                .AddAddress("br-x", new(77, IPAddress.Parse("10.9.8.1"), 24, LinkAddress.Ours))
                .AddAddress("br-x", new(77, IPAddress.Parse("fd00:9::1"), 64, LinkAddress.Ours)));
            var link = route.Find("br-x");
            Assert.Equal(("bridge", "an alias", 5u, true, "020000000009"), (link.Kind, link.Alias, link.Group, link.Up, link.Address));
            Assert.Equal(["10.9.8.1/24", "fd00:9::1/64"], route.Addresses().Where(a => a.Link == 77 && a.Origin == LinkAddress.Ours).Select(a => a.ToString()).Order());
            var told = net.Ip("-j", "addr", "show", "br-x");
            Assert.Contains("\"local\":\"10.9.8.1\",\"prefixlen\":24", told);
            // Used at once, though the bridge has no carrier.
            Assert.Contains("\"local\":\"fd00:9::1\",\"prefixlen\":64", told);
            Assert.DoesNotContain("\"local\":\"fd00:9::1\",\"prefixlen\":64,\"scope\":\"global\",\"tentative\"", told);
            Assert.Equal(Errno.EEXIST, Assert.Throws<LinuxException>(() => route.Commit(new RouteBatch().AddAddress("br-x", new(77, IPAddress.Parse("10.9.8.1"), 24)))).Errno);
            route.Commit(new RouteBatch().DeleteAddress("br-x", new(77, IPAddress.Parse("10.9.8.1"), 24)));
            Assert.DoesNotContain(route.Addresses(), a => a.Address.Equals(IPAddress.Parse("10.9.8.1")));
            return 0;
        });
    }

    [Fact]
    public void Routes_of_the_table_main_are_read_with_their_way_out()
    {
        using var net = new Namespace();
        net.Ip("link", "add", "out0", "type", "veth", "peer", "name", "far0");
        net.Ip("addr", "add", "192.0.2.2/24", "dev", "out0");
        net.Ip("addr", "add", "2001:db8::2/64", "dev", "out0", "nodad");
        net.Ip("link", "set", "out0", "up");
        net.Ip("route", "add", "default", "via", "192.0.2.1", "metric", "7");
        net.Ip("-6", "route", "add", "default", "via", "2001:db8::1");
        net.Ip("route", "add", "198.51.100.0/24", "via", "192.0.2.9", "table", "99");
        NetworkHost.Inside(net.Name, route =>
        {
            var out0 = route.Find("out0").Index;
            var routes = route.Routes();
            Assert.Contains(routes, r => r.IsDefault && r.Link == out0 && r.Metric == 7 && r.Destination == IPNetwork.Parse("0.0.0.0/0"));
            Assert.Contains(routes, r => r.IsDefault && r.Link == out0 && r.Destination == IPNetwork.Parse("::/0"));
            Assert.Contains(routes, r => r.Destination == IPNetwork.Parse("192.0.2.0/24"));
            Assert.DoesNotContain(routes, r => r.Destination == IPNetwork.Parse("198.51.100.0/24"));
            return 0;
        });
    }

    [Theory]
    [InlineData("10.20.30.40", 24, "10.20.30.0/24")]
    [InlineData("10.20.30.40", 13, "10.16.0.0/13")]
    [InlineData("fd12:3456::1", 64, "fd12:3456::/64")]
    [InlineData("10.1.2.3", 32, "10.1.2.3/32")]
    [InlineData("10.1.2.3", 0, "0.0.0.0/0")]
    public void A_prefix_names_its_network(string address, int length, string network) =>
        Assert.Equal(IPNetwork.Parse(network), LinkAddress.Masked(IPAddress.Parse(address), length));
}
