namespace Microvm.Tests;

/// <summary>The host's own addresses and routes on a tap: made with it, changed in place, mended, undone, and nothing of others touched.</summary>
public sealed class HostSideTests : IDisposable
{
    private const string Routed = ""","host":{"addresses":["10.0.9.1/32","fd00:9::1/128"],"routes":["10.0.9.2/32","fd00:9::2/128","10.1.0.0/24 via 10.0.9.2 metric 7"]}""";

    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public HostSideTests() => _ns.Ip("link", "set", "lo", "up");

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Tap(string more, string id = "vm-s1", int vcpu = 1) => _folder.File($"{id}.json", Text(more, id, vcpu));

    private static string Text(string more, string id, int vcpu = 1) =>
        $$"""{"networking":{"hostName":"{{id}}"},"microvm":{"vcpu":{{vcpu}},"interfaces":[{"type":"tap","id":"{{id}}","mac":"02:00:00:00:00:01"{{more}}}]} }""";

    private Binary.Outcome Run(string command, params string[] files) => Binary.Microvm([command, "--netns", _ns.Name, .. files]);

    private void Up(params string[] files)
    {
        var up = Run("up", files);
        Assert.True(up.Code == 0, up.Err);
        Assert.Contains("nothing to do", Run("plan", files).Out, StringComparison.Ordinal);
    }

    /// <summary>All that the host has on a tap, in the words of ip.</summary>
    private string[] Seen(string tap = "vm-s1") =>
    [
        .. Lines("-o", "addr", "show", "dev", tap).Select(l => string.Join(' ', l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2..4])).Where(l => !l.Contains("fe80", StringComparison.Ordinal)),
        .. Lines("route", "show", "dev", tap), .. Lines("-6", "route", "show", "dev", tap).Where(l => !l.StartsWith("fe80", StringComparison.Ordinal)),
        .. Lines("neigh", "show", "dev", tap, "nud", "permanent"),
    ];

    private IEnumerable<string> Lines(params string[] arguments) => _ns.Ip(arguments).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Replace(" linkdown", "", StringComparison.Ordinal).Trim());

    private static readonly string[] s_routed =
    [
        "inet 10.0.9.1/32", "inet6 fd00:9::1/128", "10.0.9.2 proto 109 scope link", "10.1.0.0/24 via 10.0.9.2 proto 109 metric 7 onlink",
        "fd00:9::1 proto kernel metric 256 pref medium", "fd00:9::2 proto 109 metric 1024 pref medium",
        "fd00:9::2 lladdr 02:00:00:00:00:01 PERMANENT proto 109", "10.0.9.2 lladdr 02:00:00:00:00:01 PERMANENT proto 109",
    ];

    [Fact]
    public void A_tap_is_made_with_them_and_what_somebody_takes_away_is_drift_and_comes_back()
    {
        Up(Tap(Routed));
        Assert.Equivalent(s_routed, Seen(), strict: true);

        // With the last address go all routes and neighbours of its family.
        _ns.Ip("addr", "del", "10.0.9.1/32", "dev", "vm-s1");
        var plan = Run("plan", Tap(Routed));
        Assert.Contains("it lacks the address 10.0.9.1/32, it lacks the route to 10.0.9.2/32, it lacks the route to 10.1.0.0/24 via 10.0.9.2, it lacks the neighbour 10.0.9.2", plan.Out, StringComparison.Ordinal);
        Assert.Contains("it lacks the address 10.0.9.1/32", Run("status", Tap(Routed)).Out, StringComparison.Ordinal);
        Up(Tap(Routed));
        Assert.Equivalent(s_routed, Seen(), strict: true);

        // The kernel takes routes and IPv6 addresses from a link that goes down.
        _ns.Ip("link", "set", "vm-s1", "down");
        Up(Tap(Routed));
        Assert.Equivalent(s_routed, Seen(), strict: true);
    }

    [Fact]
    public void They_change_in_place_under_who_holds_the_tap_and_what_others_made_stays()
    {
        Up(Tap(Routed));
        using var held = _ns.Hold("vm-s1");
        var index = _ns.Ip("-o", "link", "show", "vm-s1").Split(':')[0];
        _ns.Ip("addr", "add", "10.0.9.9/24", "dev", "vm-s1");
        _ns.Ip("route", "add", "10.7.0.0/24", "dev", "vm-s1");
        _ns.Ip("neigh", "add", "10.0.9.77", "lladdr", "02:00:00:00:00:77", "dev", "vm-s1");
        Up(Tap(""","host":{"addresses":["10.0.9.1/24"],"routes":["10.2.0.0/16 via 10.0.9.2"]}"""));
        string[] others = ["inet 10.0.9.9/24", "10.7.0.0/24 scope link", "10.0.9.77 lladdr 02:00:00:00:00:77 PERMANENT"];
        Assert.Superset((HashSet<string>)[.. others, "inet 10.0.9.1/24", "10.2.0.0/16 via 10.0.9.2 proto 109 onlink"], Seen().ToHashSet());
        Assert.DoesNotContain(Seen(), l => l.Contains("fd00", StringComparison.Ordinal) || l.Contains("10.1.0.0", StringComparison.Ordinal) || l.StartsWith("10.0.9.2 ", StringComparison.Ordinal));

        // The kernel would take the other's address, which is in the same network, with ours.
        Up(Tap(""));
        Assert.Superset(others.ToHashSet(), Seen().ToHashSet());
        Assert.DoesNotContain(Seen(), l => l.Contains("proto 109", StringComparison.Ordinal) || l.Contains("10.0.9.1/", StringComparison.Ordinal));
        Assert.Equal(index, _ns.Ip("-o", "link", "show", "vm-s1").Split(':')[0]);
    }

    [Fact]
    public void Routes_stay_where_the_last_address_goes_and_where_one_takes_the_place_of_another()
    {
        const string route = """ "routes":["10.0.9.2/32"] """;
        Up(Tap($$""","host":{"addresses":["10.0.9.1/32"],{{route}}}"""));
        _ns.Ip("route", "add", "10.7.0.0/24", "dev", "vm-s1");
        _ns.Ip("neigh", "add", "10.7.0.77", "lladdr", "02:00:00:00:00:77", "dev", "vm-s1");
        Up(Tap($$""","host":{"addresses":["10.0.9.1/24","fd00:9::1/64"],{{route}}}"""));
        Up(Tap($$""","host":{"addresses":["10.0.9.5/24","fd00:9::1/128"],{{route}}}"""));
        Assert.Superset((HashSet<string>)["inet 10.0.9.5/24", "inet6 fd00:9::1/128", "10.7.0.0/24 scope link", "10.0.9.2 proto 109 scope link"], Seen().ToHashSet());
        Up(Tap($$""","host":{ {{route}} }"""));
        Assert.Equivalent((string[])["10.7.0.0/24 scope link", "10.0.9.2 proto 109 scope link", "10.0.9.2 lladdr 02:00:00:00:00:01 PERMANENT proto 109", "10.7.0.77 lladdr 02:00:00:00:00:77 PERMANENT"], Seen(), strict: true);
    }

    [Fact]
    public void A_replaced_tap_has_what_is_declared_and_what_others_made_and_nothing_else()
    {
        Up(Tap(Routed));
        _ns.Ip("route", "add", "10.7.0.0/24", "dev", "vm-s1");
        // The queue mode is what the kernel can't change.
        Up(Tap(Routed, vcpu: 2));
        Assert.Equivalent(s_routed.Append("10.7.0.0/24 scope link"), Seen(), strict: true);
        Up(Tap(""","host":{"addresses":["10.0.9.1/32"]}""", vcpu: 1));
        Assert.Equivalent((string[])["inet 10.0.9.1/32", "10.7.0.0/24 scope link"], Seen(), strict: true);
    }

    [Fact]
    public void A_route_moves_from_one_tap_to_another_and_back_where_the_rest_fails()
    {
        string[] Both(string first, string second) => [Tap(first), _folder.File("s2.json", Text(second, "vm-s2").Replace("00:01", "00:02", StringComparison.Ordinal))];
        const string route = ""","host":{"routes":["10.0.9.2/32"]}""";
        Up(Both(route, ""));
        Up(Both("", route));
        Assert.DoesNotContain("10.0.9.2", string.Join('\n', Seen()), StringComparison.Ordinal);
        Assert.Contains("10.0.9.2 proto 109 scope link", Seen("vm-s2"));
        var before = Seen("vm-s2");
        // Two routes at one metric that differ in their next hop alone: the kernel refuses the second.
        var failed = Run("up", Both(""","host":{"routes":["10.0.9.2/32","10.3.0.0/24","10.3.0.0/24 via 10.0.9.2"]}""", ""));
        Assert.True(failed.Code != 0 && failed.Err.Contains("10.3.0.0/24", StringComparison.Ordinal), failed.Err);
        Assert.Equal(before, Seen("vm-s2"));
        Assert.Empty(Seen());
    }

    [Fact]
    public void A_route_that_the_host_has_by_another_way_is_refused_with_what_to_type_and_is_left()
    {
        _ns.Ip("link", "add", "card", "type", "veth", "peer", "name", "far");
        _ns.Ip("link", "set", "card", "up");
        _ns.Ip("route", "add", "10.0.9.2/32", "dev", "card");
        var up = Run("up", Tap(Routed));
        Assert.True(up.Code == 1 && up.Err.Contains($"'vm-s1' should have a route to 10.0.9.2/32, and the host sends that to 'card'; delete that route (ip -n {_ns.Name} route del 10.0.9.2/32 dev card), or declare another metric: \"10.0.9.2/32 metric 1\"", StringComparison.Ordinal), up.Err);
        Assert.DoesNotContain("vm-s1", _ns.Ip("link"), StringComparison.Ordinal);
        Up(Tap(""","host":{"routes":["10.0.9.2/32 metric 1"]}"""));
        Assert.Contains("card", _ns.Ip("route", "show", "10.0.9.2/32", "metric", "0"), StringComparison.Ordinal);
        Assert.Equal(0, Run("down", Tap("")).Code);
        Assert.Contains("card", _ns.Ip("route", "show", "10.0.9.2/32"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_watch_mends_them()
    {
        var file = Tap(Routed);
        using var watch = new WatchProcess(["--netns", _ns.Name, file]);
        watch.WaitFor("watching");
        _ns.Ip("route", "del", "10.0.9.2/32", "dev", "vm-s1");
        watch.WaitFor("it lacks the route to 10.0.9.2/32");
        _ns.Ip("addr", "del", "fd00:9::1/128", "dev", "vm-s1");
        watch.WaitFor("it lacks the address fd00:9::1/128");
        _ns.Ip("neigh", "del", "10.0.9.2", "dev", "vm-s1");
        watch.WaitFor("it lacks the neighbour 10.0.9.2");
        Assert.Equivalent(s_routed, Seen(), strict: true);
    }

    [Theory]
    [InlineData("""{"type":"macvtap","id":"n","mac":"02:00:00:00:00:01","host":{"addresses":["10.0.9.1/32"]},"macvtap":{"link":"e","mode":"bridge"}}""", "what the host sends into a macvtap leaves by its lower device")]
    [InlineData("""{"type":"bridge","id":"n","mac":"02:00:00:00:00:01","bridge":"br0","host":{"addresses":["10.0.9.1/32"]}}""", "the host's addresses belong on the bridge, not on its port")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","bridge":"br0","host":{"addresses":["10.0.9.1/32"]}}""", "the host's addresses belong on 'br0', not on its port")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","network":"default","host":{"addresses":["10.0.9.1/32"]}}""", "are declared as microvm.networks.default.addresses")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","host":{"addresses":["10.0.9.1"]}}""", "'10.0.9.1' is not an address of the host with its prefix")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","host":{"addresses":["10.0.9.1/33"]}}""", "'10.0.9.1/33' is not an address of the host with its prefix")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","host":{"routes":["10.0.9.2/24"]}}""", "10.0.9.2/24 is an address in the network 10.0.9.0/24; write that for a route to all of it, or 10.0.9.2/32")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","host":{"routes":["10.0.9.0/24 via fd00::1"]}}""", "a route to 10.0.9.0/24 can't go via fd00::1, which is IPv6")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","host":{"routes":["10.0.9.0/24 dev eth0"]}}""", "'10.0.9.0/24 dev eth0' is not a route")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","host":{"routes":["10.0.9.0/24 via"]}}""", "'10.0.9.0/24 via' is not a route")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","host":{"routes":["10.0.9.0/24","10.0.9.0/24"]}}""", "is in 'host.routes' twice")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","mtu":1200,"host":{"addresses":["fd00::1/128"]}}""", "with an MTU below 1280 the kernel has no IPv6")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","host":{"routes":["10.0.9.2/32"]}},{"type":"tap","id":"o","mac":"02:00:00:00:00:02","host":{"routes":["10.0.9.2/32"]}}""", "10.0.9.2/32 is routed to 'n' already")]
    [InlineData("""{"type":"tap","id":"n","mac":"02:00:00:00:00:01","addresses":["10.0.9.1"]}""", "the host's own addresses on a tap without one are host.addresses")]
    public void Check_refuses_what_can_not_be(string it, string says)
    {
        var check = Binary.Microvm("check", _folder.File("bad.json", $$"""{"networking":{"hostName":"n"},"microvm":{"interfaces":[{{it}}]} }"""));
        Assert.True(check.Code == 2 && check.Out.Contains(says, StringComparison.Ordinal), check.Out);
    }
}
