using System.Text.Json;

namespace Microvm.Tests;

/// <summary>What a declaration may set on an interface's link: MTU, isolation, queue length. Set when it is made, changed in place, and left alone where it is not declared.</summary>
public sealed class InterfaceSettingsTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public InterfaceSettingsTests()
    {
        _ns.Ip("link", "add", "br0", "mtu", "9000", "type", "bridge");
        _ns.Ip("link", "add", "card", "mtu", "9000", "type", "veth", "peer", "name", "far");
        _ns.Ip("link", "set", "br0", "up");
        _ns.Ip("link", "set", "card", "up");
    }

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Tap(string more, string id = "vm-s1") => _folder.File($"{id}.json", $$"""
        {"networking":{"hostName":"{{id}}"},"microvm":{"interfaces":[{"type":"tap","id":"{{id}}","mac":"02:00:00:00:00:01"{{more}}}]} }
        """);

    private JsonElement Link(string name = "vm-s1") => JsonDocument.Parse(_ns.Ip("-d", "-j", "link", "show", name)).RootElement[0];

    private (int Mtu, bool? Isolated, int Queue, string Index) Seen(string name = "vm-s1")
    {
        var link = Link(name);
        bool? isolated = link.GetProperty("linkinfo").TryGetProperty("info_slave_data", out var port) ? port.GetProperty("isolated").GetBoolean() : null;
        return (link.GetProperty("mtu").GetInt32(), isolated, link.GetProperty("txqlen").GetInt32(), link.GetProperty("ifindex").ToString());
    }

    private Binary.Outcome Run(string command, string file) => Binary.Microvm(command, "--netns", _ns.Name, file);

    private void Up(string file)
    {
        var up = Run("up", file);
        Assert.True(up.Code == 0, up.Err);
        Assert.Contains("nothing to do", Run("plan", file).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tap_is_made_with_them_changed_in_place_under_who_holds_it_and_mended()
    {
        Up(Tap(""","bridge":"br0","mtu":8000,"isolated":true,"tap":{"txQueueLength":5000}"""));
        var made = Seen();
        Assert.Equal((8000, true, 5000), (made.Mtu, made.Isolated, made.Queue));
        Assert.Equal("up", Link().GetProperty("flags").EnumerateArray().Any(f => f.GetString() == "UP") ? "up" : "down");

        using var held = _ns.Hold("vm-s1");
        Up(Tap(""","bridge":"br0","mtu":4000,"isolated":false,"tap":{"txQueueLength":100}"""));
        Assert.Equal((4000, (bool?)false, 100, made.Index), Seen());

        _ns.Ip("link", "set", "vm-s1", "mtu", "1400", "txqueuelen", "7");
        _ns.Ip("link", "set", "vm-s1", "type", "bridge_slave", "isolated", "on");
        var plan = Run("plan", Tap(""","bridge":"br0","mtu":4000,"isolated":false,"tap":{"txQueueLength":100}"""));
        Assert.Contains("it is isolated, its queue length is 7, should be 100, its MTU is 1400, should be 4000", plan.Out, StringComparison.Ordinal);
        Up(Tap(""","bridge":"br0","mtu":4000,"isolated":false,"tap":{"txQueueLength":100}"""));
        Assert.Equal((4000, (bool?)false, 100, made.Index), Seen());
    }

    [Fact]
    public void Plan_tells_that_a_bridge_takes_on_the_smaller_MTU_of_its_port_and_one_that_was_set_stays()
    {
        var file = Tap(""","bridge":"br0","mtu":1400""");
        Assert.Contains($"not there yet; 'br0' takes on its MTU of 1400, unless its own was set (ip -n {_ns.Name} link set dev br0 mtu 9000)", Run("plan", file).Out, StringComparison.Ordinal);
        Up(file);
        Assert.Equal(1400, Link("br0").GetProperty("mtu").GetInt32());
        Assert.Equal(0, Run("down", file).Code);
        _ns.Ip("link", "set", "br0", "mtu", "9000");
        Up(file);
        Assert.Equal(9000, Link("br0").GetProperty("mtu").GetInt32());
    }

    [Fact]
    public void What_is_not_declared_is_neither_set_nor_drift()
    {
        Up(Tap(""","bridge":"br0","mtu":8000,"isolated":true,"tap":{"txQueueLength":5000}"""));
        Up(Tap(""","bridge":"br0" """));
        Assert.Equal((8000, true, 5000), (Seen().Mtu, Seen().Isolated, Seen().Queue));
        _ns.Ip("link", "set", "vm-s1", "mtu", "1400");
        Assert.Contains("nothing to do", Run("plan", Tap(""","bridge":"br0" """)).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tap_that_moves_to_another_bridge_is_isolated_there_and_one_that_is_attached_by_others_too()
    {
        _ns.Ip("link", "add", "br1", "type", "bridge");
        Up(Tap(""","bridge":"br0","isolated":true"""));
        Up(Tap(""","bridge":"br1","isolated":true"""));
        Assert.True(Seen().Isolated);
        Assert.Equal("br1", Link().GetProperty("master").GetString());
        // networkd, say, attaches it: then it can be isolated, and before there is nothing to isolate.
        var free = Tap(""","isolated":true""", "vm-s2");
        Up(free);
        Assert.Null(Seen("vm-s2").Isolated);
        _ns.Ip("link", "set", "vm-s2", "master", "br0");
        Assert.Contains("it is not isolated", Run("plan", free).Out, StringComparison.Ordinal);
        Up(free);
        Assert.True(Seen("vm-s2").Isolated);
    }

    [Theory]
    [InlineData("named", true)]
    [InlineData("named", false)]
    [InlineData("attached by others", true)]
    [InlineData("attached by others", false)]
    [InlineData("attached to nothing", true)]
    public void What_is_declared_wins_over_what_a_replaced_tap_had(string bridge, bool isolated)
    {
        string File(int vcpu, int mtu, bool value, int length) => _folder.File("r.json", $$"""
            {"networking":{"hostName":"r"},"microvm":{"vcpu":{{vcpu}},"interfaces":[{"type":"tap","id":"vm-s1","mac":"02:00:00:00:00:01",
             {{(bridge == "named" ? "\"bridge\":\"br0\"," : "")}}"mtu":{{mtu}},"isolated":{{(value ? "true" : "false")}},"tap":{"txQueueLength":{{length}}} }]} }
            """);
        // A bridge whose MTU was set keeps it.
        _ns.Ip("link", "set", "br0", "mtu", "9000");
        Up(File(1, 8000, !isolated, 5000));
        if (bridge == "attached by others")
        {
            _ns.Ip("link", "set", "vm-s1", "master", "br0");
            Up(File(1, 8000, !isolated, 5000));
        }
        var before = Seen();
        // The queue mode is what the kernel can't change.
        Up(File(2, 4000, isolated, 100));
        var after = Seen();
        Assert.Equal((4000, bridge == "attached to nothing" ? null : isolated, 100), (after.Mtu, after.Isolated, after.Queue));
        Assert.NotEqual(before.Index, after.Index);
    }

    [Fact]
    public void A_macvtap_has_its_MTU_and_what_is_above_the_bridge_or_the_lower_device_is_refused_first()
    {
        string Macvtap(int mtu) => _folder.File("m.json", $$"""
            {"networking":{"hostName":"m"},"microvm":{"interfaces":[{"type":"macvtap","id":"vm-m1","mac":"02:00:00:00:00:02","mtu":{{mtu}},"macvtap":{"link":"card","mode":"bridge"} }]} }
            """);
        Up(Macvtap(2000));
        Assert.Equal(2000, Link("vm-m1").GetProperty("mtu").GetInt32());
        Up(Macvtap(9000));
        Assert.Equal(9000, Link("vm-m1").GetProperty("mtu").GetInt32());
        var above = Run("plan", Macvtap(9001));
        Assert.True(above.Code != 0 && above.Err.Contains($"'vm-m1' should have an MTU of 9001, and its lower device 'card' has 9000; raise that (ip -n {_ns.Name} link set dev card mtu 9001), or declare mtu = 9000", StringComparison.Ordinal), above.Err);
        var bridge = Run("up", Tap(""","bridge":"br0","mtu":9001"""));
        Assert.True(bridge.Code == 1 && bridge.Err.Contains($"its bridge 'br0' has 9000, so larger packets would be lost there; raise that (ip -n {_ns.Name} link set dev br0 mtu 9001)", StringComparison.Ordinal), bridge.Err);
        Assert.DoesNotContain("vm-s1", _ns.Ip("link"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"type":"user","id":"n","mac":"02:00:00:00:00:01","mtu":1400}""", "'mtu' goes with types tap, macvtap and bridge: a user network has no link on the host")]
    [InlineData("""{"type":"user","id":"n","mac":"02:00:00:00:00:01","isolated":true}""", "'isolated' goes with types tap and bridge: a user network has no neighbours")]
    [InlineData("""{"type":"macvtap","id":"n","mac":"02:00:00:00:00:01","isolated":true,"macvtap":{"link":"e","mode":"bridge"}}""", "for a macvtap, macvtap.mode = \"private\" means the same")]
    [InlineData("""{"type":"macvtap","id":"n","mac":"02:00:00:00:00:01","tap":{"txQueueLength":5},"macvtap":{"link":"e","mode":"bridge"}}""", "tap.txQueueLength goes with type tap, not with macvtap")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","mtu":65522}""", "a tap's MTU is at most 65521")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","mtu":67}""", "'mtu' must be a whole number from 68 to 65535")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","network":"default","mtu":1501}""", "the bridge of network 'default' has an MTU of 1500")]
    [InlineData("""{"type":"bridge","id":"n","mac":"02:00:00:00:00:01","bridge":"br0","bridgeHelper":true,"mtu":1400}""", "qemu-bridge-helper makes a plain tap, without 'mtu'")]
    public void Check_refuses_what_can_not_be(string it, string says)
    {
        var check = Binary.Microvm("check", _folder.File("bad.json", $$"""{"networking":{"hostName":"n"},"microvm":{"interfaces":[{{it}}]} }"""));
        Assert.True(check.Code == 2 && check.Out.Contains(says, StringComparison.Ordinal), check.Out);
    }

    [Fact]
    public void Of_type_bridge_with_one_of_them_microvm_makes_the_tap_and_not_the_helper()
    {
        Up(_folder.File("b.json", """{"networking":{"hostName":"b"},"microvm":{"interfaces":[{"type":"bridge","id":"vm-b1","mac":"02:00:00:00:00:01","bridge":"br0","isolated":true}]} }"""));
        Assert.True(Seen("vm-b1").Isolated);
    }
}
