namespace Microvm.Tests;

/// <summary>A guest's fixed address without DHCP: what its kernel is told, what is refused, and a real guest that has it.</summary>
public sealed class GuestSideTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private const string OnTap = "\"type\":\"tap\",\"host\":{\"addresses\":[\"10.0.9.1/32\"]}";

    private string Vm(string of, string more = "", string boot = "\"kernel\":\"/k\",\"initrdPath\":\"/i\",\"kernelParams\":[\"quiet\"]") =>
        _folder.File("told.json", $$"""{"networking":{"hostName":"told"},"microvm":{ {{boot}},{{more}}"interfaces":[{"id":"vm-t","mac":"02:00:00:00:00:01",{{of}} }]} }""");

    [Theory]
    [InlineData(OnTap, "quiet")]
    [InlineData(OnTap + ",\"guest\":{\"addresses\":[],\"gateway\":null,\"dns\":[]}", "quiet")]
    [InlineData(OnTap + ",\"guest\":{\"addresses\":[\"10.0.9.2/24\"]}", "quiet ip=10.0.9.2::10.0.9.1:255.255.255.0:told::off")]
    [InlineData(OnTap + ",\"guest\":{\"addresses\":[\"10.0.9.2/20\"],\"gateway\":\"10.0.0.7\",\"dns\":[\"192.0.2.1\",\"192.0.2.2\"]}", "quiet ip=10.0.9.2::10.0.0.7:255.255.240.0:told::off:192.0.2.1:192.0.2.2")]
    [InlineData("\"type\":\"bridge\",\"bridge\":\"br0\",\"guest\":{\"addresses\":[\"10.0.9.2/32\"]}", "quiet ip=10.0.9.2:::255.255.255.255:told::off")]
    [InlineData("\"type\":\"tap\",\"network\":\"n\",\"guest\":{\"addresses\":[\"10.0.9.2/24\"]}", "quiet ip=10.0.9.2::10.0.9.1:255.255.255.0:told::off:10.0.9.1")]
    public void The_kernel_is_told_what_is_declared_and_what_the_hosts_side_implies_and_nothing_else(string of, string told)
    {
        var command = Binary.Microvm(["command", Vm(of, "\"networks\":{\"n\":{\"addresses\":[\"10.0.9.1/24\"]}},")]);
        Assert.True(command.Code == 0, command.Err);
        Assert.Contains($"panic=-1 {told}", command.Out, StringComparison.Ordinal);
        Assert.Equal(told.Contains("ip=", StringComparison.Ordinal), command.Out.Contains(" ip=", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("\"type\":\"user\",\"guest\":{\"addresses\":[\"10.0.9.2/24\"]}", "'guest' goes with types tap, macvtap and bridge")]
    [InlineData("\"type\":\"tap\",\"guest\":{\"addresses\":[\"10.0.9.2\"]}", "write it like \"10.0.9.2/24\"")]
    [InlineData("\"type\":\"tap\",\"guest\":{\"addresses\":[\"fd00::2/64\"]}", "fd00::2 can't be told on the kernel's command line")]
    [InlineData("\"type\":\"tap\",\"guest\":{\"addresses\":[\"10.0.9.2/24\",\"10.0.9.3/24\"]}", "tells a guest one address")]
    [InlineData("\"type\":\"tap\",\"guest\":{\"addresses\":[\"10.0.9.2/32\"],\"gateway\":\"10.0.9.1\"}", "the gateway 10.0.9.1 is not in 10.0.9.2/32")]
    [InlineData("\"type\":\"tap\",\"guest\":{\"dns\":[\"10.0.9.1\"]}", "go with guest.addresses")]
    [InlineData("\"type\":\"tap\",\"guest\":{\"addresses\":[\"10.0.9.2/24\"],\"dns\":[\"1.1.1.1\",\"1.0.0.1\",\"9.9.9.9\"]}", "room for two name servers")]
    [InlineData("\"type\":\"tap\",\"network\":\"n\",\"addresses\":[\"10.0.9.3\"],\"guest\":{\"addresses\":[\"10.0.9.2/24\"]}", "leave 10.0.9.3 out of 'addresses'")]
    [InlineData("\"type\":\"tap\",\"guest\":{\"addresses\":[\"10.0.9.2/24\"]}},{\"type\":\"tap\",\"id\":\"vm-u\",\"mac\":\"02:00:00:00:00:02\"", "this one has 2")]
    public void What_can_not_be_told_is_refused_with_what_to_do(string of, string error)
    {
        var check = Binary.Microvm(["check", Vm(of, "\"networks\":{\"n\":{\"addresses\":[\"10.0.9.1/24\"]}},")]);
        Assert.NotEqual(0, check.Code);
        Assert.Contains(error, check.Out + check.Err, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"addresses\":[\"10.0.9.1/24\"]", "ip=10.0.9.2::10.0.9.1:255.255.255.0:told::off:10.0.9.1")]
    [InlineData("\"addresses\":[\"10.0.9.1/24\"],\"dns\":false", "ip=10.0.9.2::10.0.9.1:255.255.255.0:told::off")]
    [InlineData("\"addresses\":[\"10.0.9.1/24\"],\"kind\":\"isolated\"", "ip=10.0.9.2:::255.255.255.0:told::off:10.0.9.1")]
    public void The_network_of_a_host_tells_its_VMs_as_one_of_their_own(string network, string told)
    {
        const string Vm = """{"networking":{"hostName":"told"},"microvm":{"kernel":"/k","initrdPath":"/i","interfaces":[{"type":"tap","id":"vm-t","mac":"02:00:00:00:00:01","network":"n","guest":{"addresses":["10.0.9.2/24"]} }] } }""";
        var fleet = _folder.File("fleet.json", $$"""{"microvm":{"networks":{"n":{ {{network}} } },"vms":{"told":{"config":{{Vm}} } } } }""");
        var command = Binary.Microvm("command", fleet);
        Assert.True(command.Code == 0, command.Err);
        Assert.Matches($"{told.Replace(".", "\\.", StringComparison.Ordinal)}[ '\"\n]", command.Out);
    }

    [Fact]
    public void A_network_of_another_file_is_not_told_and_that_is_said()
    {
        const string Other = """{"networking":{"hostName":"other"},"microvm":{"networks":{"n":{"addresses":["10.0.9.1/24"]} },"interfaces":[{"type":"tap","id":"vm-o","mac":"02:00:00:00:00:02","network":"n"}] } }""";
        string Check(string gateway) => Binary.Microvm("check", _folder.File("other.json", Other), Vm($"\"type\":\"tap\",\"network\":\"n\",\"guest\":{{\"addresses\":[\"10.0.9.2/24\"]{gateway}}}")).Out;
        Assert.Contains("write guest.gateway = \"10.0.9.1\"", Check(""), StringComparison.Ordinal);
        Assert.Contains("all right", Check(",\"gateway\":\"10.0.9.1\""), StringComparison.Ordinal);
    }

    [Fact]
    public void The_prefix_of_the_guest_is_that_of_its_network()
    {
        var check = Binary.Microvm("check", Vm("\"type\":\"tap\",\"network\":\"n\",\"guest\":{\"addresses\":[\"10.0.9.200/25\"]}", "\"networks\":{\"n\":{\"addresses\":[\"10.0.9.1/24\"]}},"));
        Assert.Equal(2, check.Code);
        Assert.Contains("the network 'n' has 10.0.9.1/24", check.Out, StringComparison.Ordinal);
        Assert.Contains("write \"10.0.9.200/24\"", check.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_parameter_of_ones_own_is_not_said_twice()
    {
        var check = Binary.Microvm(["check", Vm(OnTap + ",\"guest\":{\"addresses\":[\"10.0.9.2/24\"]}", boot: "\"kernelParams\":[\"ip=dhcp\"]")]);
        Assert.NotEqual(0, check.Code);
        Assert.Contains("kernelParams has 'ip=dhcp' already", check.Out + check.Err, StringComparison.Ordinal);
    }

    [Fact]
    public void A_real_guest_has_its_address_without_DHCP_and_the_host_reaches_it_by_the_route_and_the_neighbour_that_follow()
    {
        var file = Vm(OnTap + ",\"guest\":{\"addresses\":[\"10.0.9.2/24\"],\"dns\":[\"192.0.2.53\"]}", boot: Guest.Boot());
        var up = Binary.Microvm(["up", "--user", "root", "--netns", _ns.Name, file]);
        Assert.True(up.Code == 0, up.Err);
        Assert.Contains("10.0.9.2 proto 109", _ns.Ip("route", "show", "dev", "vm-t"), StringComparison.Ordinal);
        Assert.Contains("10.0.9.2 lladdr 02:00:00:00:00:01 PERMANENT", _ns.Ip("neigh", "show", "dev", "vm-t"), StringComparison.Ordinal);

        using var guest = Guest.Run("--netns", _ns.Name, file);
        guest.WaitFor("guest: ready");
        Assert.Contains("guest: told 10.0.9.2 255.255.255.0, gateway 10.0.9.1, dns 192.0.2.53", guest.Console, StringComparison.Ordinal);
        Assert.DoesNotContain("udhcpc", guest.Console, StringComparison.Ordinal);
        var ping = Binary.Run("ip", null, "netns", "exec", _ns.Name, "ping", "-c", "2", "-i", "0.2", "-w", "20", "10.0.9.2");
        Assert.True(ping.Code == 0, ping.Out);
    }
}
