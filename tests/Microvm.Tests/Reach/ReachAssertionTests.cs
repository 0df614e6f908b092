using Microvm.Declaration;
using Microvm.Network.Reach;

namespace Microvm.Tests;

/// <summary>What declarations assert of who reaches whom, and the rules over the way between VMs.</summary>
[Trait("needs", "nothing")]
public sealed class ReachAssertionTests
{
    private static MicrovmConfig Vm(string name, string interfaces, string more = "", DiagnosticBag? bag = null)
    {
        bag ??= new();
        var json = $$"""{"networking":{"hostName":"{{name}}"},"microvm":{ {{more}}"interfaces":[{{interfaces}}] } }""";
        return new DeclarationReader(bag).Read(JsonFrontDoor.Read($"{name}.json", System.Text.Encoding.UTF8.GetBytes(json), bag)!)!;
    }

    private static string Tap(string id, string more) => $$"""{"type":"tap","id":"{{id}}","mac":"{{NetworkHost.MacOf(id)}}",{{more}}}""";

    private static string Macvtap(string id, string mode) => $$"""{"type":"macvtap","id":"{{id}}","mac":"{{NetworkHost.MacOf(id)}}","macvtap":{"link":"eno1","mode":"{{mode}}"{{(mode == "source" ? ",\"sourceMacs\":[\"02:00:00:00:00:09\"]" : "")}}} }""";

    private static string Said(params MicrovmConfig[] vms)
    {
        var bag = new DiagnosticBag();
        FleetRules.Check(vms, bag);
        ReachCheck.Check(vms, [], bag);
        return string.Join('\n', bag.All);
    }

    [Fact]
    public void An_assertion_that_does_not_hold_is_an_error_at_its_line_with_what_decides()
    {
        var web = Vm("web", Tap("vm-web", "\"bridge\":\"br0\",\"isolated\":true"), "\"assertions\":{\"reach\":[\"web -> db\",\"web !-> db\"]},");
        var db = Vm("db", Tap("vm-db", "\"bridge\":\"br0\",\"isolated\":true"));
        var said = Said(web, db);
        Assert.Matches(@"^web\.json:1:\d+: error: ""web -> db"" does not hold: 'web' should reach 'db', but it does not: 'vm-web' and 'vm-db' are both isolated", said);
        Assert.DoesNotContain("!->", said, StringComparison.Ordinal);
        Assert.Contains("was not looked at: there is no VM 'db'", Said(web), StringComparison.Ordinal);
        Assert.Contains("leave that open", Said(Vm("web", Tap("vm-web", "\"bridge\":\"br0\""), "\"assertions\":{\"reach\":[\"web !-> internet\"]},")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("web -> db", true, null, "tcp", "db")]
    [InlineData("web !-> db:53/udp", false, 53, "udp", "db")]
    [InlineData("web/vm-a -> 10.0.0.1:80", true, 80, "tcp", "10.0.0.1")]
    [InlineData("web -> fd00::1", true, null, "tcp", "fd00::1")]
    [InlineData("web -> [fd00::1]:80", true, 80, "tcp", "fd00::1")]
    public void Each_way_to_write_an_assertion_is_read(string text, bool holds, int? port, string proto, string to)
    {
        var read = ReachAssertion.Read(text, default, new())!;
        Assert.Equal((holds, port, proto, to), (read.Holds, read.Port, read.Proto, read.To));
    }

    [Theory]
    [InlineData("web db")]
    [InlineData("web => db")]
    [InlineData("-> db")]
    [InlineData("web -> db:0")]
    [InlineData("web -> db:70000")]
    [InlineData("web -> db:80/sctp")]
    public void What_is_no_assertion_is_told(string text)
    {
        var bag = new DiagnosticBag();
        Assert.Null(ReachAssertion.Read(text, default, bag));
        Assert.Single(bag.All);
    }

    [Theory]
    [InlineData("bridge", "bridge", "yes")]
    [InlineData("private", "private", "no")]
    [InlineData("private", "bridge", "no")]
    [InlineData("vepa", "vepa", "unknown")]
    [InlineData("source", "bridge", "no")]
    public void Macvtaps_reach_each_other_in_mode_bridge_alone_and_never_the_host(string first, string second, string reachable)
    {
        var scene = new ReachScene([Vm("a", Macvtap("vm-a", first)), Vm("b", Macvtap("vm-b", second))]);
        string Between(string from, string to) => new Ways(scene).Between(ReachEnd.Of(from, scene, out _), ReachEnd.Of(to, scene, out _)).Verdict.Word();
        Assert.Equal(reachable, Between("a", "b"));
        Assert.Equal("no", Between("a", "host"));
        Assert.Equal("no", Between("host", "b"));
    }

    [Fact]
    public void A_forward_reaches_an_isolated_guest_of_a_network_and_no_other_port_does()
    {
        var web = Vm("web", Tap("vm-web", "\"network\":\"home\",\"isolated\":true"), "\"networks\":{\"home\":{} },\"forwardPorts\":[{\"host\":{\"port\":8080},\"guest\":{\"port\":80} }],\"assertions\":{\"reach\":[\"internet -> web:80\",\"internet !-> web:22\",\"web -> internet\",\"host -> web\"]},");
        Assert.Equal("", Said(web));
    }

    [Fact]
    public void Each_port_of_a_forwarded_row_leads_in_and_the_next_does_not()
    {
        var web = Vm("web", Tap("vm-web", "\"network\":\"home\""), "\"networks\":{\"home\":{} },\"forwardPorts\":[{\"host\":{\"port\":8080},\"guest\":{\"port\":80},\"count\":3}],\"assertions\":{\"reach\":[\"internet -> web:80\",\"internet -> web:82\",\"internet !-> web:83\",\"internet !-> web:79\"]},");
        Assert.Equal("", Said(web));
    }

    [Fact]
    public void An_mtu_that_loses_packets_on_the_way_is_told()
    {
        Assert.Contains("'vm-a' has an MTU of 9000 and 'vm-b', also on 'br0', one of 1400", Said(Vm("a", Tap("vm-a", "\"bridge\":\"br0\",\"mtu\":9000")), Vm("b", Tap("vm-b", "\"bridge\":\"br0\",\"mtu\":1400"))), StringComparison.Ordinal);
        Assert.Equal("", Said(Vm("a", Tap("vm-a", "\"bridge\":\"br0\",\"mtu\":9000")), Vm("b", Tap("vm-b", "\"bridge\":\"br1\",\"mtu\":1400"))));
    }

    [Fact]
    public void A_network_that_overlaps_user_networking_in_one_guest_is_told()
    {
        var user = """{"type":"user","id":"net","mac":"02:00:00:00:00:77"},""";
        string Of(string address) => Said(Vm("a", user + Tap("vm-a", "\"network\":\"home\""), $"\"networks\":{{\"home\":{{\"addresses\":[\"{address}\"]}}}},"));
        Assert.Contains("overlaps that", Of("10.0.2.1/24"), StringComparison.Ordinal);
        Assert.Equal("", Of("10.0.3.1/24"));
    }
}
