using System.Text.Json;
using Microvm.Linux;
using Microvm.Network.Planning;

namespace Microvm.Tests;

/// <summary><c>antiSpoof</c>: what a guest may send under. Frames go in at the guest's end of the tap, and what comes out is seen at another guest's.</summary>
public sealed class AntiSpoofTests : IDisposable
{
    private const string Own = "02:00:00:00:00:01", False = "02:66:66:66:66:66", Everybody = "ff:ff:ff:ff:ff:ff";
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public AntiSpoofTests()
    {
        _ns.Ip("link", "add", "br0", "type", "bridge");
        _ns.Ip("link", "set", "br0", "up");
        Up(Vm("peer", "vm-p1", "02:00:00:00:00:99", ",\"bridge\":\"br0\""));
    }

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Vm(string name, string id, string mac, string more, int vcpu = 1) => _folder.File($"{name}.json", $$"""
        {"networking":{"hostName":"{{name}}"},"microvm":{"vcpu":{{vcpu}},"interfaces":[{"type":"tap","id":"{{id}}","mac":"{{mac}}"{{more}}}]} }
        """);

    private string Guarded(string? value, string mac = Own, string bridge = "br0", int vcpu = 1) =>
        Vm("web", "vm-s1", mac, $",\"bridge\":\"{bridge}\"{(value is null ? "" : $",\"antiSpoof\":\"{value}\"")}", vcpu);

    private Binary.Outcome Run(string command, params string[] rest) => Binary.Microvm([command, "--netns", _ns.Name, .. rest]);

    private void Up(string file, params string[] rest)
    {
        var up = Run("up", [file, .. rest]);
        Assert.True(up.Code == 0, up.Out + up.Err);
        Assert.Contains("nothing to do", Run("plan", file).Out, StringComparison.Ordinal);
    }

    private string Plan(string? value) => Run("plan", Guarded(value)).Out;

    private static byte[] Broadcast(string from) => TapGuest.Frame(Everybody, from, "88b5", "99");

    /// <summary>Whether the other guest hears a frame that this one sends under a MAC.</summary>
    private bool Passes(string mac, string under = Own)
    {
        using var guest = new TapGuest(_ns, "vm-s1");
        using var peer = new TapGuest(_ns, "vm-p1");
        return Passes(guest, peer, mac, under);
    }

    private static bool Passes(TapGuest guest, TapGuest peer, string mac, string under = Own) => peer.Hears(guest, under, Broadcast(mac)).Any(f => f.AsSpan().SequenceEqual(Broadcast(mac)));

    private JsonElement Port(string name = "vm-s1") => JsonDocument.Parse(_ns.Ip("-d", "-j", "link", "show", name)).RootElement[0].GetProperty("linkinfo").GetProperty("info_slave_data");

    private string Entries(string name = "vm-s1") => string.Join('\n', Bridge("fdb", "show", "dev", name).Split('\n').Where(l => l.Contains("static", StringComparison.Ordinal)).Select(l => l.Trim()));

    private string Bridge(params string[] arguments)
    {
        var outcome = Binary.Run("bridge", null, ["-n", _ns.Name, .. arguments]);
        Assert.True(outcome.Code == 0, outcome.Err);
        return outcome.Out;
    }

    [Fact]
    public void With_mac_a_guest_sends_under_its_own_MAC_and_nothing_under_another_gets_out()
    {
        Up(Guarded("mac"));
        Assert.False(Passes(False));
        Assert.True(Port().GetProperty("locked").GetBoolean());
        Assert.False(Port().GetProperty("learning").GetBoolean());
        Assert.Equal($"{Own} sticky master br0 static", Entries());

        Up(Guarded("off"));
        Assert.True(Passes(False));
        Assert.True(Port().GetProperty("learning").GetBoolean());
        Assert.Equal("", Entries());
    }

    [Fact]
    public void Left_out_the_port_stays_as_it_is()
    {
        Up(Guarded("mac"));
        Up(Guarded(null));
        Assert.False(Passes(False));
        _ns.Ip("link", "set", "vm-s1", "type", "bridge_slave", "locked", "off");
        Assert.Contains("nothing to do", Plan(null), StringComparison.Ordinal);
        Assert.Contains("its guest may send under any MAC", Plan("mac"), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_a_running_guest_it_changes_in_place_what_was_learned_is_forgotten_and_no_connection_is_lost()
    {
        Up(Guarded("off"));
        _ns.Ip("addr", "add", "10.0.9.1/24", "dev", "br0");
        var index = _ns.Ip("-o", "link", "show", "vm-s1").Split(':')[0];
        using var guest = new TapGuest(_ns, "vm-s1");
        guest.Boot(Own, "10.0.9.2/24");
        using var talk = guest.Talk(_ns, "10.0.9.1");
        // The bridge learns it: without forgetting, the lock would let it pass for five minutes.
        guest.Send(Broadcast(False));
        Assert.Contains(False, Bridge("fdb", "show", "dev", "vm-s1"), StringComparison.Ordinal);
        Up(Guarded("mac"));
        talk.Goes();
        Assert.DoesNotContain(False, Bridge("fdb", "show", "dev", "vm-s1"), StringComparison.Ordinal);
        Up(Guarded("off"));
        talk.Goes();
        Up(Guarded("mac"));
        talk.Goes();
        Assert.Equal(index, _ns.Ip("-o", "link", "show", "vm-s1").Split(':')[0]);
    }

    [Fact]
    public void A_neighbour_that_sends_under_its_MAC_does_not_cut_it_off()
    {
        Up(Guarded("mac"));
        using var guest = new TapGuest(_ns, "vm-s1");
        using var peer = new TapGuest(_ns, "vm-p1");
        peer.Send(Broadcast(Own));
        Assert.False(Passes(guest, peer, False));
        // To the MAC goes to the guest, and not to whoever said it were his.
        Up(Vm("third", "vm-t1", "02:00:00:00:00:98", ",\"bridge\":\"br0\""));
        using var third = new TapGuest(_ns, "vm-t1");
        var frame = TapGuest.Frame(Own, "02:00:00:00:00:98", "88b5", "77");
        guest.Hears(() => third.Send(frame), frame);
    }

    [Fact]
    public void What_others_undo_of_it_is_told_mended_and_watched()
    {
        Up(Guarded("mac"));
        Bridge("link", "set", "dev", "vm-s1", "learning", "on");
        Assert.Contains("its guest may send under any MAC", Plan("mac"), StringComparison.Ordinal);
        Up(Guarded("mac"));
        Bridge("fdb", "add", False, "dev", "vm-s1", "master", "static");
        Assert.Contains($"its guest may send under {False} too", Plan("mac"), StringComparison.Ordinal);
        Up(Guarded("mac"));
        Assert.False(Passes(False));
        Bridge("fdb", "del", Own, "dev", "vm-s1", "master");
        Assert.Contains($"its guest may not send under its own MAC, {Own}", Plan("mac"), StringComparison.Ordinal);
        using var watch = new WatchProcess(["--netns", _ns.Name, Guarded("mac")]);
        watch.WaitFor("watching");
        _ns.Ip("link", "set", "vm-s1", "type", "bridge_slave", "locked", "off");
        WatchProcess.Until(() => Port().GetProperty("locked").GetBoolean(), () => watch.Printed);
        // Attached anew it is a new port.
        _ns.Ip("link", "set", "vm-s1", "nomaster");
        WatchProcess.Until(() => _ns.Ip("-d", "link", "show", "vm-s1").Contains("locked on", StringComparison.Ordinal) && Entries().Length > 0, () => watch.Printed);
        Assert.False(Passes(False));
        _ns.Ip("link", "del", "vm-s1");
        WatchProcess.Until(() => Bridge("fdb").Contains($"{Own} dev vm-s1 sticky master br0 static", StringComparison.Ordinal), () => watch.Printed);
        Assert.False(Passes(False));
    }

    [Theory]
    [InlineData("br0", Own)]
    [InlineData("br0", "02:00:00:00:00:02")]
    [InlineData("br1", Own)]
    [InlineData("br1", "02:00:00:00:00:02")]
    public void It_holds_for_a_tap_that_is_replaced_moved_or_whose_guest_has_another_MAC(string bridge, string mac)
    {
        _ns.Ip("link", "add", "br1", "type", "bridge");
        Up(Guarded("mac"));
        Up(Guarded("mac", mac, bridge));
        Assert.Equal($"{mac} sticky master {bridge} static", Entries());
        Assert.True(Port().GetProperty("locked").GetBoolean());
        // The queue mode is what the kernel can't change.
        Up(Guarded("mac", Own, "br0", vcpu: 2));
        Assert.Equal($"{Own} sticky master br0 static", Entries());
        Assert.True(Port().GetProperty("locked").GetBoolean());
    }

    [Theory]
    [InlineData("""{"type":"user","id":"n","mac":"02:00:00:00:00:01","antiSpoof":"mac"}""", "a user network sends under the host's own addresses")]
    [InlineData("""{"type":"macvtap","id":"n","mac":"02:00:00:00:00:01","antiSpoof":"mac","macvtap":{"link":"e","mode":"bridge"}}""", "a macvtap hands them to its lower device as they are")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","antiSpoof":"mac"}""", "'antiSpoof' needs a bridge, which drops a false sender's frames; name it with 'bridge', or join a 'network'")]
    [InlineData("""{"type":"bridge","id":"n","mac":"02:00:00:00:00:01","bridge":"br0","bridgeHelper":true,"antiSpoof":"mac"}""", "qemu-bridge-helper makes a plain tap, without 'antiSpoof'")]
    public void Check_refuses_what_can_not_be(string it, string says)
    {
        var check = Binary.Microvm("check", _folder.File("bad.json", $$"""{"networking":{"hostName":"n"},"microvm":{"interfaces":[{{it}}]} }"""));
        Assert.True(check.Code == 2 && check.Out.Contains(says, StringComparison.Ordinal), check.Out);
    }

    [Fact]
    public void A_kernel_without_locked_ports_is_known_by_what_it_tells_of_a_port_or_by_its_version()
    {
        Link Seen(bool? canLock) => new(7, "vm-p1", true, "tun", null, 0, null, 1500, null, null) { CanLock = canLock };
        Assert.False(KernelRules.LocksPorts([], new(5, 17, 99)));
        Assert.True(KernelRules.LocksPorts([Seen(null)], new(5, 18)));
        Assert.False(KernelRules.LocksPorts([Seen(null), Seen(false)], new(6, 18)));
        Assert.True(KernelRules.LocksPorts([Seen(true)], new(4, 18)));
        Assert.True(NetworkHost.Inside(_ns.Name, route => route.Links(statistics: false).Single(l => l.Name == "vm-p1").CanLock));
    }
}
