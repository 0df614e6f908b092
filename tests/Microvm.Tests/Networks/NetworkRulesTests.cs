using System.Text;
using Microvm.Declaration;

namespace Microvm.Tests;

/// <summary>What <c>check</c> says of declared networks and of the interfaces that join them.</summary>
[Trait("needs", "nothing")]
public sealed class NetworkRulesTests
{
    private static string Tap(string more) => $$"""{"type":"tap","id":"vm-a","mac":"02:00:00:00:00:01",{{more}}}""";

    private static string Vm(string networks, string interfaces) => $$"""{"networking":{"hostName":"web"},"microvm":{"networks":{ {{networks}} },"interfaces":[{{interfaces}}] } }""";

    private static (IReadOnlyList<MicrovmConfig> Vms, string Errors) Read(string json)
    {
        var bag = new DiagnosticBag();
        var node = JsonFrontDoor.Read("vm.json", Encoding.UTF8.GetBytes(json), bag)!;
        List<MicrovmConfig> vms = FleetReader.IsFleet(node) ? [.. FleetReader.Read(node, bag)?.Vms.Select(v => v.Config!) ?? []] : [.. new[] { new DeclarationReader(bag).Read(node) }.OfType<MicrovmConfig>()];
        FleetRules.Check(vms, bag);
        return (vms, string.Join('\n', bag.All.Where(d => d.Severity == Severity.Error).Select(d => d.Message)));
    }

    [Theory]
    [InlineData("\"home\":{\"addresses\":[\"10.20.0.1\"]}", "\"network\":\"home\"", "'10.20.0.1' is not an address with its prefix")]
    [InlineData("\"home\":{\"addresses\":[\"10.20.0.0/24\"]}", "\"network\":\"home\"", "10.20.0.0 is the first address of 10.20.0.0/24, which no host may have; the host's own is mostly 10.20.0.1/24")]
    [InlineData("\"home\":{\"addresses\":[\"10.20.0.255/24\"]}", "\"network\":\"home\"", "10.20.0.255 is the last address of")]
    [InlineData("\"home\":{\"addresses\":[\"10.20.0.1/31\"]}", "\"network\":\"home\"", "a prefix of 31 bits is not from 8 to 29")]
    [InlineData("\"home\":{\"addresses\":[\"10.20.0.1/24\",\"10.21.0.1/24\"]}", "\"network\":\"home\"", "a second IPv4 address")]
    [InlineData("\"home\":{\"addresses\":[\"fe80::1/64\"]}", "\"network\":\"home\"", "is not an address with its prefix")]
    [InlineData("\"Home Net\":{}", "\"network\":\"default\"", "'Home Net' can't be the name of a network")]
    [InlineData("\"home\":{\"domain\":\"a b\"}", "\"network\":\"home\"", "'a b' can't be a domain")]
    [InlineData("\"home\":{\"domain\":\"a\\nuser=root\"}", "\"network\":\"home\"", "can't be a domain")]
    [InlineData("\"home\":{\"adresses\":[]}", "\"network\":\"home\"", "did you mean 'addresses'?")]
    [InlineData("\"home\":{}", "\"network\":\"hom\"", "no network 'hom' is declared; did you mean 'home'?")]
    [InlineData("", "\"network\":\"lab\"", "no network 'lab' is declared; declare it: microvm.networks.lab = { }; or use \"default\"")]
    [InlineData("\"home\":{}", "\"network\":\"home\",\"bridge\":\"br0\"", "joins a network or a bridge, not both")]
    [InlineData("\"home\":{}", "\"network\":\"home\",\"addresses\":[\"10.1.1.1\"]", "10.1.1.1 can't be reserved in the network 'home', whose addresses the host chooses")]
    [InlineData("\"home\":{\"addresses\":[\"10.20.0.1/24\"]}", "\"network\":\"home\",\"addresses\":[\"10.21.0.5\"]", "10.21.0.5 is not in the network 'home', which has 10.20.0.1/24")]
    [InlineData("\"home\":{\"addresses\":[\"10.20.0.1/24\"]}", "\"network\":\"home\",\"addresses\":[\"10.20.0.1\"]", "10.20.0.1 is the host's own address")]
    [InlineData("\"home\":{\"addresses\":[\"10.20.0.1/24\"]}", "\"network\":\"home\",\"addresses\":[\"10.20.0.5/24\"]", "'10.20.0.5/24' is not an address of a guest")]
    [InlineData("", "\"addresses\":[\"10.20.0.5\"]", "'addresses' goes with 'network'")]
    [InlineData("\"a\":{\"addresses\":[\"10.20.0.1/16\"]},\"b\":{\"addresses\":[\"10.20.5.1/24\"]}", "\"network\":\"a\"", "10.20.5.1/24 of the network 'b' overlaps the network 'a'")]
    [InlineData("\"home\":{\"kind\":\"wild\"}", "\"network\":\"home\"", "'wild'")]
    [InlineData("\"home\":{\"kind\":\"nat\",\"nat\":false}", "\"network\":\"home\"", "'nat' and kind = \"nat\" contradict each other")]
    [InlineData("\"home\":{\"kind\":\"routed\",\"nat\":{\"uplink\":\"eth0\"}}", "\"network\":\"home\"", "'nat' and kind = \"routed\" contradict each other")]
    [InlineData("\"home\":{\"nat\":{\"uplink\":\"a b\"}}", "\"network\":\"home\"", "'a b' can't be an interface name")]
    [InlineData("\"home\":{\"nat\":{\"upling\":\"eth0\"}}", "\"network\":\"home\"", "did you mean 'uplink'?")]
    [InlineData("\"home\":{\"nat\":\"yes\"}", "\"network\":\"home\"", "'nat' must be true or false")]
    [InlineData("\"home\":{\"kind\":\"internal\",\"addresses\":[\"10.20.0.1/24\"]}", "\"network\":\"home\"", "'addresses' needs an address of the host")]
    [InlineData("\"home\":{\"kind\":\"internal\"}", "\"network\":\"home\",\"addresses\":[\"10.20.0.5\"]", "which is internal and has no DHCP")]
    [InlineData("\"home\":{\"egress\":{\"deny\":[\"everything\"]}}", "\"network\":\"home\"", "'everything' is no entry of egress")]
    [InlineData("\"home\":{\"egress\":{\"allow\":[\"any tcp/70000\"]}}", "\"network\":\"home\"", "'any tcp/70000' is no entry of egress")]
    [InlineData("\"home\":{\"egress\":{\"allow\":[\"10.0.0.0/33\"]}}", "\"network\":\"home\"", "'10.0.0.0/33' is no entry of egress")]
    [InlineData("\"home\":{\"egress\":{\"allow\":[\"any tcp/1; drop\"]}}", "\"network\":\"home\"", "is no entry of egress")]
    [InlineData("", "\"egress\":{\"deny\":[\"host\"]}", "'egress' goes with 'network'")]
    [InlineData("\"home\":{\"mtu\":9000}", "\"network\":\"home\",\"mtu\":9001", "the bridge of network 'home' has an MTU of 9000")]
    public void Each_mistake_is_told(string networks, string more, string told) => Assert.Contains(told, Read(Vm(networks, Tap(more))).Errors);

    [Fact]
    public void A_network_goes_with_type_tap_alone() =>
        Assert.Contains("'network' goes with type tap, not with user", Read(Vm("", """{"type":"user","id":"u","mac":"02:00:00:00:00:01","network":"default"}""")).Errors);

    [Fact]
    public void An_address_is_reserved_once()
    {
        const string Second = """,{"type":"tap","id":"vm-b","mac":"02:00:00:00:00:02","network":"home","addresses":["10.20.0.5"]}""";
        Assert.Contains("10.20.0.5 is already reserved for 'web'", Read(Vm("\"home\":{\"addresses\":[\"10.20.0.1/24\"]}", Tap("\"network\":\"home\",\"addresses\":[\"10.20.0.5\"]") + Second)).Errors);
    }

    [Fact]
    public void The_networks_of_a_host_are_there_for_all_its_vms()
    {
        string Fleet(string networks) => $$"""{"microvm":{"networks":{ {{networks}} },"vms":{"a":{"config":{"microvm":{"interfaces":[{{Tap("\"network\":\"home\"")}}] } } } } } }""";
        var (vms, errors) = Read(Fleet("\"home\":{\"nat\":false}"));
        Assert.Equal("", errors);
        var network = Assert.Single(DeclaredNetwork.Of(vms));
        Assert.Equal(("home", NetworkKind.Isolated), (network.Name, network.Kind));
        Assert.Equal("net-home", vms[0].Interfaces[0].Bridge!.Value.Value);
        Assert.Contains("has no option 'Nat'; did you mean 'nat'?", Read(Fleet("\"home\":{\"Nat\":false}")).Errors);
    }

    [Fact]
    public void Two_declarations_of_a_network_say_the_same()
    {
        string Fleet(string inner) => $$"""{"microvm":{"networks":{"home":{"domain":"a.internal"} },"vms":{"a":{"config":{{Vm($"\"home\":{{{inner}}}", Tap("\"network\":\"home\""))}} } } } }""";
        Assert.Equal("", Read(Fleet("\"domain\":\"a.internal\"")).Errors);
        Assert.Contains("the network 'home' is declared differently", Read(Fleet("\"domain\":\"b.internal\"")).Errors);
    }

    [Theory]
    [InlineData("home", "net-home")]
    [InlineData("a-network-of-a-long-name", "net-75c6ceb3ed")]
    public void A_bridge_has_a_name_that_fits(string network, string bridge) => Assert.Equal(bridge, DeclaredNetwork.BridgeOf(network).Value);
}
