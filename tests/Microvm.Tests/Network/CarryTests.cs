using System.Text.RegularExpressions;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Network.Applying;

namespace Microvm.Tests;

/// <summary>What people hang on a link by hand is on the link that takes its place, and on the one that is made again by the undo.</summary>
public sealed class CarryTests : IDisposable
{
    private readonly NetworkHost _host = new();
    private readonly string _one, _two;

    public CarryTests()
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        _host.Net.Ip("link", "set", "br0", "up");
        _host.Net.Ip("link", "add", "other0", "type", "veth", "peer", "name", "other1");
        _host.Net.Ip("addr", "add", "10.8.8.1/24", "dev", "other0");
        _host.Net.Ip("addr", "add", "fd00:8::1/64", "dev", "other0", "nodad");
        _host.Net.Ip("link", "set", "other0", "up");
        _host.Net.Ip("link", "set", "other1", "up");
        _one = NetworkHost.Tap("vm-a1");
        _two = NetworkHost.Tap("vm-a2", "br0");
        _host.Done("up", _host.Declare("a", 1, _one, _two));
    }

    public void Dispose() => _host.Dispose();

    private string Run(string program, params string[] words)
    {
        var outcome = Binary.Run(program, null, ["-n", _host.Net.Name, .. words]);
        Assert.True(outcome.Code == 0, $"{program} {string.Join(' ', words)}: {outcome.Err}");
        return outcome.Out;
    }

    private void Sysctl(string name, string value) => Assert.Equal(0, Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "sysctl", "-qw", $"{name}={value}").Code);

    private void Hang()
    {
        string[] words =
        [
            "addr add 10.9.9.1/24 dev vm-a1",
            "addr add 10.9.9.2/24 dev vm-a1 label vm-a1:x",
            "addr add 10.9.7.1 peer 10.9.7.2/32 dev vm-a1 scope link",
            "addr add 10.9.6.1/24 dev vm-a1 noprefixroute",
            "addr add 10.9.5.1/24 dev vm-a1 valid_lft 4000 preferred_lft 3000",
            "addr add fd00:9::1/64 dev vm-a1 nodad",
            "addr add fe80::1/64 dev vm-a1 nodad",
            "route add 10.50.0.0/16 via 10.9.9.9 metric 7 mtu 1400 advmss 1300",
            "route add 10.51.0.0/16 dev vm-a1 table 77 proto 44",
            "route add 10.52.0.0/16 nexthop via 10.9.9.9 weight 2 nexthop via 10.8.8.8 weight 3",
            "route add 10.53.0.0/16 via 10.60.0.1 onlink dev vm-a1 src 10.9.9.1",
            "route add default via 10.9.9.10 table 78",
            "-6 route add fd00:50::/32 via fd00:9::9 metric 9",
            "-6 route add fd00:52::/32 nexthop via fd00:9::9 nexthop via fd00:8::9",
            "rule add iif vm-a1 table 77 pref 500",
            "neigh add 10.9.9.9 lladdr 02:11:11:11:11:11 nud permanent dev vm-a1",
            "neigh add fd00:9::9 lladdr 02:11:11:11:11:12 nud permanent dev vm-a1",
            "link set vm-a1 mtu 1450",
            "link set vm-a1 txqueuelen 77",
            "link set vm-a1 promisc on",
            "link property add dev vm-a1 altname a-rather-long-other-name",
        ];
        Array.ForEach(words, w => Run("ip", w.Split(' ')));
        Run("tc", "qdisc", "replace", "dev", "vm-a1", "root", "handle", "1:", "htb", "default", "10");
        Run("tc", "class", "add", "dev", "vm-a1", "parent", "1:", "classid", "1:10", "htb", "rate", "10mbit", "ceil", "20mbit");
        Run("tc", "qdisc", "add", "dev", "vm-a1", "parent", "1:10", "handle", "10:", "tbf", "rate", "1mbit", "burst", "10kb", "latency", "50ms");
        Run("tc", "qdisc", "add", "dev", "vm-a1", "clsact");
        Sysctl("net.ipv4.conf.vm-a1.proxy_arp", "1");
        Sysctl("net.ipv4.conf.vm-a1.rp_filter", "2");
        Sysctl("net.ipv6.conf.vm-a1.accept_ra", "0");
        Sysctl("net.ipv4.neigh.vm-a1.gc_stale_time", "33");
        Run("bridge", "link", "set", "dev", "vm-a2", "isolated", "on", "learning", "off", "priority", "9");
        Run("bridge", "fdb", "add", "02:22:22:22:22:22", "dev", "vm-a2", "master", "static");
        Run("bridge", "fdb", "add", "02:22:22:22:22:23", "dev", "vm-a2", "self", "permanent");
    }

    /// <summary>Everything, as the tools tell it, without indexes, counters, times and what the kernel draws by lot.</summary>
    private string Picture()
    {
        string[] asked =
        [
            Run("ip", "addr", "show", "dev", "vm-a1"), Run("ip", "route", "show", "table", "all"), Run("ip", "-6", "route", "show", "table", "all"), Run("ip", "rule"), Run("ip", "nexthop"),
            Run("ip", "neigh", "show", "nud", "permanent"), Run("ip", "neigh", "show", "proxy"), Run("ip", "-d", "link", "show", "dev", "vm-a1"), Run("tc", "qdisc", "show", "dev", "vm-a1"),
            Run("tc", "class", "show", "dev", "vm-a1"), Run("tc", "filter", "show", "dev", "vm-a1", "ingress"), Run("tc", "filter", "show", "dev", "vm-a1", "egress"),
            Run("bridge", "-d", "link", "show", "dev", "vm-a2"), Run("bridge", "fdb", "show", "dev", "vm-a2"),
            .. new[] { "ipv4/conf/vm-a1/proxy_arp", "ipv4/conf/vm-a1/rp_filter", "ipv6/conf/vm-a1/accept_ra", "ipv4/neigh/vm-a1/gc_stale_time" }
                .Select(p => $"{p} {Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "cat", $"/proc/sys/net/{p}").Out}"),
        ];
        var lines = asked.SelectMany(a => a.Split('\n')).Select(l => System.Text.RegularExpressions.Regex.Replace(l.Trim(),
            @"^\d+: |multi_queue ?|persist on ?|valid_lft \d+sec|preferred_lft \d+sec|\b(numtxqueues|numrxqueues|numqueues|numdisabled) \d+|index \d+ ref.*|NO-CARRIER,|,?LOWER_UP|state [A-Z]+|linkdown|dead|promiscuity \d+|expires \d+sec|[mM]axmtu \d+ |refcnt \d+ | state (disabled|forwarding)|\s{2,}", ""))
            .Where(l => !l.Contains("link/ether", StringComparison.Ordinal) && !l.StartsWith("local fe80:", StringComparison.Ordinal) && !l.StartsWith("inet6 fe80::", StringComparison.Ordinal) | l.Contains("fe80::1/", StringComparison.Ordinal))
            // The bridge's own come and go with its carrier.
            .Where(l => !l.Contains(" dev br0 ", StringComparison.Ordinal))
            // The bridge has an entry for the port's own MAC.
            .Where(l => !l.EndsWith("master br0 permanent", StringComparison.Ordinal));
        return string.Join('\n', lines.Select(l => string.Join(' ', l.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void All_that_hangs_on_a_tap_is_on_the_tap_that_takes_its_place()
    {
        Hang();
        var before = Picture();
        var index = _host.Link("vm-a1").GetProperty("ifindex").GetInt32();
        var more = _host.Declare("a", 2, _one, _two);
        var plan = _host.Done("plan", more);
        Assert.Contains("takes along", plan.Out);
        Assert.Contains("10.9.9.1/24", plan.Out);
        _host.Done("up", more);
        Assert.NotEqual(index, _host.Link("vm-a1").GetProperty("ifindex").GetInt32());
        Same(before, Picture());
        Assert.Contains("nothing to do", _host.Done("up", more).Out);
    }

    [Fact]
    public void All_that_hangs_on_a_tap_is_there_again_where_up_fails_half_way()
    {
        Hang();
        var before = Picture();
        foreach (var replaced in (bool[])[true, false])
        {
            Assert.Throws<InvalidOperationException>(() => _host.Inside(route =>
            {
                // Replaced in one plan; in the other deleted, while another tap is made.
                Attachment[] attachments = replaced ? [Attach("vm-a1", null), Attach("vm-a2", "br0")] : [Attach("vm-a9", null)];
                IReadOnlyList<DesiredLink> wanted = [.. DesiredLink.Of(attachments, 0, 0)];
                var state = HostState.Read(route, wanted, vms: ["a"]);
                var plan = Plan.ForUp(wanted, state, new() { Vms = ["a"] });
                Assert.All(plan.Steps, s => Assert.Equal(replaced ? StepKind.Replace : s.Name == "vm-a9" ? StepKind.Create : StepKind.Delete, s.Kind));
                Assert.Equal(replaced ? 2 : 3, plan.Steps.Count);
                new Applier(route).Apply(plan, state, () => throw new InvalidOperationException());
                return 0;
            }));
            Same(before, Picture());
        }
    }

    [Fact]
    public void Filters_of_others_are_named_and_ask_for_consent()
    {
        Run("tc", "qdisc", "add", "dev", "vm-a1", "clsact");
        Run("tc", "filter", "add", "dev", "vm-a1", "ingress", "prio", "5", "protocol", "ip", "u32", "match", "ip", "dst", "10.1.1.1/32", "action", "mirred", "egress", "mirror", "dev", "other0");
        var more = _host.Declare("a", 2, _one, _two);
        var refused = _host.Microvm("up", more);
        Assert.Equal(1, refused.Code);
        Assert.Contains("the filter u32", refused.Err);
        Assert.Contains("--replace", refused.Err);
        _host.Done("up", more, "--replace");
    }

    private static void Same(string before, string after)
    {
        var (was, now) = (before.Split('\n'), after.Split('\n'));
        Assert.True(before == after, $"lost:\n{string.Join('\n', was.Except(now))}\nnew:\n{string.Join('\n', now.Except(was))}");
    }

    private void Nexthops(string link) => Array.ForEach((string[])
    [
        $"addr add 10.7.7.1/24 dev {link}", $"nexthop add id 901 via 10.7.7.11 dev {link}", "nexthop add id 902 via 10.8.8.12 dev other0",
        "nexthop add id 903 group 901/902,3", "route add 10.54.0.0/16 nhid 901", "route add 10.55.0.0/16 nhid 903", $"neigh add proxy 10.7.7.77 dev {link}",
    ], w => Run("ip", w.Split(' ')));

    [Fact]
    public void Nexthop_objects_and_their_routes_go_along_with_a_macvtap()
    {
        _host.Done("up", _host.Declare("m", 1, NetworkHost.Macvtap("vm-m1", "other0", "bridge")));
        Nexthops("vm-m1");
        var (index, before) = (_host.Link("vm-m1").GetProperty("ifindex").GetInt32(), Run("ip", "nexthop") + Run("ip", "route") + Run("ip", "neigh", "show", "proxy"));
        _host.Done("up", _host.Declare("m", 1, NetworkHost.Macvtap("vm-m1", "other0", "passthru")));
        Assert.NotEqual(index, _host.Link("vm-m1").GetProperty("ifindex").GetInt32());
        Assert.Equal(before, Run("ip", "nexthop") + Run("ip", "route") + Run("ip", "neigh", "show", "proxy"));
    }

    /// <summary>The kernel has them on a link with a carrier alone, and a new tap has none.</summary>
    [Fact]
    public void Nexthop_objects_on_a_tap_that_is_open_are_named_and_ask_for_consent()
    {
        using var open = new Holder(_host.Net.Name, "vm-a1");
        Nexthops("vm-a1");
        var more = _host.Declare("a", 2, _one, _two);
        var refused = _host.Microvm("up", "--replace-running", more);
        Assert.Equal(1, refused.Code);
        Assert.Contains("nexthop 901 (the kernel keeps it on a link with a carrier alone, which a new tap has not)", refused.Err);
        Assert.Contains("--replace", refused.Err);
        _host.Done("up", "--replace-running", "--replace", more);
        Assert.Contains("10.7.7.1/24", Run("ip", "addr", "show", "dev", "vm-a1"));
    }

    [Fact]
    public void What_cannot_be_carried_along_is_named_and_asks_for_consent()
    {
        _host.Net.Ip("link", "add", "on-top", "link", "vm-a1", "type", "macvlan", "mode", "bridge");
        var more = _host.Declare("a", 2, _one, _two);
        var index = _host.Link("vm-a1").GetProperty("ifindex").GetInt32();
        foreach (var command in (string[])["plan", "up"])
        {
            var refused = _host.Microvm(command, more);
            Assert.Equal(1, refused.Code);
            Assert.Contains("the link 'on-top' on top of it would be lost with it", refused.Err + refused.Out);
            Assert.Contains("--replace", refused.Err + refused.Out);
        }
        Assert.Equal(index, _host.Link("vm-a1").GetProperty("ifindex").GetInt32());
        _host.Done("up", more, "--replace");
        Assert.NotEqual(index, _host.Link("vm-a1").GetProperty("ifindex").GetInt32());
    }

    [Fact]
    public void An_up_that_replaces_nothing_and_a_down_dump_no_more_than_they_need()
    {
        var file = _host.Declare("a", 1, _one, _two, NetworkHost.Tap("vm-a3"));
        // The links before, and to verify; and once, since taps are there, whether a declaration of before left addresses or routes of the host.
        var up = Dumps("up", file, 4);
        Assert.Equal(2, up.Count(l => Regex.IsMatch(l, "nlmsg_type=(0x12 |RTM_GETLINK)")));
        Assert.Equal(2, up.Count(l => Regex.IsMatch(l, "nlmsg_type=(0x16 |0x1a |RTM_GETADDR|RTM_GETROUTE)")));
        // A down looks whose names these are, and at what it is about to delete, as well.
        Assert.All(Dumps("down", file, 4), l => Assert.Matches("nlmsg_type=(0x12 |RTM_GETLINK)", l));
    }

    private List<string> Dumps(string command, string file, int count)
    {
        var log = Path.GetTempFileName();
        try
        {
            Assert.Equal(0, Binary.Run("strace", null, "-f", "-o", log, "-e", "trace=sendto", Binary.Path, command, "--netns", _host.Net.Name, file).Code);
            // NLM_F_DUMP of RTM_GETLINK: strace knows the words of its own namespace's sockets alone.
            var dumps = File.ReadLines(log).Where(l => l.Contains("|0x300", StringComparison.Ordinal) || l.Contains("NLM_F_DUMP", StringComparison.Ordinal)).ToList();
            Assert.Equal(count, dumps.Count);
            return dumps;
        }
        finally
        {
            File.Delete(log);
        }
    }

    private static Attachment Attach(string id, string? bridge) => new("a",
        NetworkHost.Attach("a", id, AttachmentKind.TapByFd, "other0", MacvtapMode.Bridge).Interface with { Type = InterfaceType.Tap, MacvtapLink = null, Bridge = bridge is null ? null : Name(bridge) }, AttachmentKind.TapByFd, 2);

    private static InterfaceName Name(string text) => InterfaceName.TryParse(text, out var name, out var why) ? name : throw new ArgumentException(why);
}
