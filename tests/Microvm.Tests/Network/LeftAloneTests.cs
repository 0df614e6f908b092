using System.Globalization;
using System.Text.Json;
using Microvm.Declaration;

namespace Microvm.Tests.Network;

/// <summary>What a declaration does not name is somebody else's: set once by whoever likes, and neither drift nor lost.</summary>
public sealed class LeftAloneTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    private static string Declared(string id, string bridge) => $$"""{"type":"tap","id":"{{id}}","mac":"{{NetworkHost.MacOf(id)}}","bridge":{{bridge}}}""";
    private string? Master(string link) => _host.Link(link).TryGetProperty("master", out var master) ? master.GetString() : null;
    private string Bridge(params string[] arguments) => Binary.Run("bridge", null, ["-n", _host.Net.Name, .. arguments]) is { Code: 0 } done ? done.Out : throw new InvalidOperationException();

    /// <summary>Settings of a port, but for what comes of its own: its number, timers, identifiers.</summary>
    private string Port(string link) => string.Join('\n', _host.Link(link).GetProperty("linkinfo").GetProperty("info_slave_data").EnumerateObject()
        .Where(p => !p.Name.Contains("timer", StringComparison.Ordinal) && p.Name is not ("id" or "no" or "state" or "designated_port" or "root_id" or "bridge_id"))
        .Select(p => $"{p.Name}={p.Value.GetRawText()}"));

    private void NothingToDo(params string[] arguments)
    {
        Assert.Equal(0, _host.Microvm("plan", ["--exit-code", .. arguments]).Code);
        Assert.Contains("nothing to do", _host.Done("up", arguments).Out);
        var status = _host.Microvm("status", ["--exit-code", .. arguments]);
        Assert.True(status.Code == 0, status.Out);
        Assert.DoesNotContain("microvm up", status.Out);
    }

    [Fact]
    public void A_bridge_that_somebody_attached_a_tap_to_is_kept_and_outlives_a_replacement_and_its_undoing()
    {
        _host.Net.Ip("link", "add", "br7", "type", "bridge");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1"));
        _host.Done("up", file);
        _host.Net.Ip("link", "set", "vm-a1", "master", "br7", "mtu", "1400", "address", "fe:00:00:00:00:07");
        Bridge("link", "set", "dev", "vm-a1", "isolated", "on", "learning", "off", "cost", "7", "priority", "3", "hairpin", "on", "guard", "on", "flood", "off");
        NothingToDo(file);
        var (before, port) = (_host.Picture(), Port("vm-a1"));

        // The kernel can't turn one queue into many: replaced, with a bridge that is missing for another tap behind it, and put back.
        var two = _host.Declare("a", 2, NetworkHost.Tap("vm-a1"));
        _host.Net.Ip("link", "add", "full", "type", "bridge");
        _host.Done("up", _host.Declare("full", 1, [.. Enumerable.Range(0, 1023).Select(i => NetworkHost.Tap($"p{i}", "full"))]));
        var undone = _host.Microvm("up", _host.Declare("a", 2, NetworkHost.Tap("vm-a1"), NetworkHost.Tap("vm-a2", "full")));
        Assert.Equal(1, undone.Code);
        Assert.DoesNotContain("putting the host back", undone.Err);
        Assert.Equal(before, _host.Picture().Where(l => !l.Contains("microvm:full", StringComparison.Ordinal) && !l.Contains("Name = full,", StringComparison.Ordinal)));
        Assert.Equal(port, Port("vm-a1"));
        _host.Done("down", "--vm", "full");

        Assert.Contains("it lacks multi_queue", _host.Done("up", _host.Declare("a", 2, NetworkHost.Tap("vm-a1"))).Out);
        var link = _host.Link("vm-a1");
        Assert.Equal(("br7", 1400, "fe:00:00:00:00:07"), (Master("vm-a1"), link.GetProperty("mtu").GetInt32(), link.GetProperty("address").GetString()));
        Assert.Equal(port, Port("vm-a1"));
        NothingToDo(two);
    }

    [Fact]
    public void Null_in_so_many_words_means_detached()
    {
        _host.Net.Ip("link", "add", "br7", "type", "bridge");
        var file = _host.Declare("a", 1, Declared("vm-a1", "null"));
        _host.Done("up", file);
        NothingToDo(file);
        _host.Net.Ip("link", "set", "vm-a1", "master", "br7");
        Assert.Contains("it is attached, and is declared with bridge = null", _host.Microvm("plan", file).Out);
        Assert.Equal(3, _host.Microvm("status", "--exit-code", file).Code);
        _host.Done("up", file);
        Assert.Null(Master("vm-a1"));
    }

    [Theory]
    [InlineData("bridge = null;", true, null)]
    [InlineData("", false, null)]
    [InlineData("bridge = lib.mkDefault null;", true, null)]
    [InlineData("bridge = lib.mkIf false null;", false, null)]
    [InlineData("bridge = \"br0\";", false, "br0")]
    public void Nix_tells_null_from_what_is_left_out(string line, bool detached, string? bridge)
    {
        using var folder = new Folder();
        var nix = folder.File("vm.nix", $$"""
            { lib, ... }: { networking.hostName = "a"; microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; {{line}} } ]; }
            """);
        var bag = new DiagnosticBag();
        var vm = new DeclarationReader(bag).Read(Microvm.Nix.NixFrontDoor.Read(nix, bag)!)!;
        Assert.Empty(bag.All);
        Assert.Equal((detached, bridge), (vm.Interfaces[0].Detached, vm.Interfaces[0].Bridge?.Value));
    }

    [Fact]
    public void IPv6_that_somebody_turned_on_stays_on_also_where_a_macvtap_is_replaced()
    {
        string Ipv6() => Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "cat", "/proc/sys/net/ipv6/conf/vm-a1/disable_ipv6").Out.Trim();
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Net.Ip("link", "set", "eth0", "up");
        _host.Net.Ip("link", "set", "far0", "up");
        var file = _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "bridge"));
        _host.Done("up", file);
        Assert.Equal("1", Ipv6());
        Assert.Equal(0, Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/vm-a1/disable_ipv6").Code);
        NothingToDo(file);
        Assert.Equal("0", Ipv6());
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "passthru")));
        Assert.Equal("0", Ipv6());
    }

    [Fact]
    public void Port_settings_come_back_with_the_bridge_while_a_watch_looks()
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Tap("vm-a2", "br0"));
        using var watch = new WatchProcess(["--netns", _host.Net.Name, file]);
        watch.WaitFor("watching ");
        Bridge("link", "set", "dev", "vm-a1", "isolated", "on", "learning", "off", "cost", "7");
        var port = Port("vm-a1");
        // The kernel tells of a port's settings; the watch has seen them when it has looked again.
        Thread.Sleep(500);
        _host.Net.Ip("link", "del", "br0");
        watch.WaitFor("which is not there");
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        WatchProcess.Until(() => Master("vm-a1") == "br0" && Master("vm-a2") == "br0", () => watch.Printed);
        Assert.Equal(port, Port("vm-a1"));
        Assert.Contains("isolated=true", port);
        Assert.Contains("isolated=false", Port("vm-a2"));
        _host.Net.Ip("link", "del", "vm-a1");
        WatchProcess.Until(() => _host.Has("vm-a1") && Master("vm-a1") == "br0", () => watch.Printed);
        Assert.Equal(port, Port("vm-a1"));
    }

    [Fact]
    public void A_tap_that_is_moved_to_another_bridge_and_back_by_an_undo_keeps_its_port_settings()
    {
        foreach (var bridge in (string[])["br0", "br1"])
        {
            _host.Net.Ip("link", "add", bridge, "type", "bridge");
        }
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Tap("vm-a2")));
        Bridge("link", "set", "dev", "vm-a1", "isolated", "on");
        var port = Port("vm-a1");
        var moved = _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br1"), NetworkHost.Tap("vm-a2", "br1"));
        var undone = 0;
        for (var nth = 1; nth < 30; nth++)
        {
            // Each answer of the kernel is lost in turn, those to the changes too.
            var up = Binary.Run("strace", null, "-f", "-o", "/dev/null", "-e", $"inject=recvfrom:error=EIO:when={nth}", Binary.Path, "up", "--netns", _host.Net.Name, moved);
            if (up.Code == 0)
            {
                break;
            }
            undone++;
            Assert.Equal(("br0", null, port), (Master("vm-a1"), Master("vm-a2"), Port("vm-a1")));
        }
        Assert.True(undone >= 3, $"{undone}");
        Assert.Equal("br1", Master("vm-a1"));
    }
}
