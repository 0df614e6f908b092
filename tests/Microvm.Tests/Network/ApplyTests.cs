using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Network.Applying;

namespace Microvm.Tests;

/// <summary>Plans carried out on the real kernel: in place, replaced, adopted, refused, undone, and many at once.</summary>
public sealed class ApplyTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    private int Index(string name) => _host.Link(name).GetProperty("ifindex").GetInt32();

    [Fact]
    public void What_can_be_changed_of_a_tap_is_changed_in_place()
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        _host.Net.Ip("link", "add", "br1", "type", "bridge");
        var file = _host.Declare("a", 2, NetworkHost.Tap("vm-a1", "br0"));
        _host.Done("up", file, "--user", "1234", "--group", "4321");
        var index = Index("vm-a1");
        var right = _host.Picture();
        string[][] drifts =
        [
            ["link", "set", "vm-a1", "down"],
            ["link", "set", "vm-a1", "nomaster"],
            ["link", "set", "vm-a1", "master", "br1"],
            ["link", "set", "vm-a1", "group", "7"],
            ["link", "set", "vm-a1", "name", "elsewhere"],
        ];
        foreach (var drift in drifts)
        {
            _host.Net.Ip(drift);
            Assert.Equal(3, _host.Microvm("plan", "--exit-code", file, "--user", "1234", "--group", "4321").Code);
            _host.Done("up", file, "--user", "1234", "--group", "4321");
            Assert.Equal(right, _host.Picture());
            Assert.Equal(index, Index("vm-a1"));
        }
        _host.Done("up", file, "--user", "77", "--group", "78");
        Assert.Equal(index, Index("vm-a1"));
        Assert.Equal((77u, 78u), _host.Inside(route => (route.Find("vm-a1").Tun!.Owner!.Value, route.Find("vm-a1").Tun!.Group!.Value)));
        Assert.Equal(0, _host.Microvm("plan", "--exit-code", file, "--user", "77", "--group", "78").Code);
    }

    [Fact]
    public void The_kernel_hears_nothing_of_a_second_up()
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        var file = _host.Declare("a", 2, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Tap("vm-a2"), NetworkHost.Macvtap("vm-a3", "eth0", "bridge"));
        _host.Done("up", file);
        using var monitor = Process.Start(new ProcessStartInfo("ip", ["-n", _host.Net.Name, "monitor", "link"]) { RedirectStandardOutput = true })!;
        var lines = new List<string>();
        var reader = new Thread(() =>
        {
            while (monitor.StandardOutput.ReadLine() is { } line)
            {
                lock (lines)
                {
                    lines.Add(line);
                }
            }
        });
        reader.Start();
        // Events of the test's own tell that the monitor listens, and later that it has heard all.
        void Mark(string name)
        {
            for (var n = 0; n < 100; n++)
            {
                _host.Net.Ip("link", "add", name, "type", "bridge");
                _host.Net.Ip("link", "delete", name);
                Thread.Sleep(100);
                lock (lines)
                {
                    if (lines.Exists(l => l.Contains(name, StringComparison.Ordinal)))
                    {
                        return;
                    }
                }
            }
            Assert.Fail("ip monitor hears nothing");
        }
        Mark("begin0");
        // The kernel tells of carriers by and by (linkwatch): the first up has ended when it has fallen silent.
        for (var before = -1; ;)
        {
            lock (lines)
            {
                if (lines.Count == before)
                {
                    lines.Clear();
                    break;
                }
                before = lines.Count;
            }
            Thread.Sleep(2000);
        }
        _host.Done("up", file);
        Mark("end0");
        monitor.Kill();
        monitor.WaitForExit();
        reader.Join();
        Assert.DoesNotContain(lines, l => l.Contains("vm-a", StringComparison.Ordinal));
    }

    [Fact]
    public void A_link_that_the_declaration_no_longer_names_goes_with_the_next_up()
    {
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("vm-a1"), NetworkHost.Tap("vm-a2")), _host.Declare("b", 1, NetworkHost.Tap("vm-b1")));
        var outcome = _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("vm-a1")));
        Assert.Contains("no longer has it", outcome.Out);
        Assert.Equal((true, false, true), (_host.Has("vm-a1"), _host.Has("vm-a2"), _host.Has("vm-b1")));
        _host.Done("up", _host.Declare("a", 1));
        Assert.Equal((false, true), (_host.Has("vm-a1"), _host.Has("vm-b1")));
    }

    [Fact]
    public void A_tap_in_use_is_neither_replaced_nor_deleted_unless_told_to()
    {
        var one = _host.Declare("a", 1, NetworkHost.Tap("vm-a1"));
        _host.Done("up", one);
        using var holder = new Holder(_host.Net.Name, "vm-a1");
        var before = _host.Picture();
        var index = Index("vm-a1");
        Assert.Contains("nothing to do", _host.Done("up", one).Out);
        var replace = _host.Microvm("up", _host.Declare("a", 2, NetworkHost.Tap("vm-a1")));
        Assert.Equal(1, replace.Code);
        Assert.Contains("it lacks multi_queue", replace.Err);
        Assert.Contains("a VM has it open", replace.Err);
        var delete = _host.Microvm("up", _host.Declare("a", 1));
        Assert.Equal(1, delete.Code);
        Assert.Contains("a VM has it open", delete.Err);
        Assert.Equal(before, _host.Picture());
        Assert.Equal(index, Index("vm-a1"));
        _host.Done("up", _host.Declare("a", 2, NetworkHost.Tap("vm-a1")), "--replace-running");
        Assert.NotEqual(index, Index("vm-a1"));
    }

    [Fact]
    public void Adopt_takes_over_a_link_that_fits_and_no_other()
    {
        _host.Net.Ip("tuntap", "add", "vm-a1", "mode", "tap", "vnet_hdr", "multi_queue", "user", "1234");
        var index = Index("vm-a1");
        var file = _host.Declare("a", 2, NetworkHost.Tap("vm-a1"));
        var refused = _host.Microvm("up", file, "--user", "1234");
        Assert.Equal(1, refused.Code);
        Assert.Contains("--adopt", refused.Err);
        _host.Done("up", file, "--adopt", "--user", "1234");
        Assert.Equal(index, Index("vm-a1"));
        Assert.Equal("microvm:a/vm-a1", _host.Link("vm-a1").GetProperty("ifalias").GetString());
        _host.Net.Ip("tuntap", "add", "vm-b1", "mode", "tap", "multi_queue", "user", "1234");
        var before = _host.Picture();
        var unfit = _host.Microvm("up", _host.Declare("b", 2, NetworkHost.Tap("vm-b1")), "--adopt", "--user", "1234");
        Assert.Equal(1, unfit.Code);
        Assert.Contains("does not fit", unfit.Err);
        Assert.Equal(before, _host.Picture());
    }

    [Fact]
    public void A_link_whose_alias_was_taken_away_is_somebody_elses_until_it_is_adopted()
    {
        // It keeps the VM's number meanwhile, so the VM moves on to another, and stays there once that one is free.
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1"), NetworkHost.Tap("vm-a2"));
        _host.Done("up", file);
        _host.Net.Ip("link", "set", "vm-a1", "alias", "");
        var before = _host.Picture();
        var refused = _host.Microvm("up", file);
        Assert.Equal(1, refused.Code);
        Assert.Contains("take it over with --adopt, choose another id, or delete it yourself", refused.Err);
        Assert.Equal(before, _host.Picture());
        _host.Done("up", file, "--adopt");
        Assert.Contains("nothing to do", _host.Done("up", file).Out);
        _host.Done("down", file);
        Assert.False(_host.Has("vm-a1") || _host.Has("vm-a2"));
    }

    [Fact]
    public void Only_one_type_is_made_and_taken_down_on_request()
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1"), NetworkHost.Macvtap("vm-a2", "eth0", "bridge"));
        (bool, bool) There() => (_host.Has("vm-a1"), _host.Has("vm-a2"));
        _host.Done("up", file, "--only", "tap");
        Assert.Equal((true, false), There());
        _host.Done("up", file, "--only", "macvtap");
        Assert.Equal((true, true), There());
        _host.Done("down", file, "--only", "tap");
        Assert.Equal((false, true), There());
        _host.Done("down", file, "--only", "macvtap");
        Assert.Equal((false, false), There());
    }

    [Fact]
    public void A_refusal_in_the_middle_puts_back_what_was_changed_deleted_and_made()
    {
        // An ifb takes no MAC, which mode passthru gives to its lower device: the kernel says so after all kinds of steps went well.
        _host.Net.Ip("link", "add", "ifb0", "type", "ifb");
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("gone"), NetworkHost.Tap("replaced"), NetworkHost.Macvtap("vm-m1", "eth0", "vepa"), NetworkHost.Macvtap("vm-m2", "eth0", "bridge")), "--user", "1234");
        _host.Done("up", _host.Declare("b", 1, NetworkHost.Tap("changed")), "--user", "1234");
        _host.Net.Ip("link", "set", "changed", "down");
        var before = _host.Picture();
        var outcome = _host.Microvm("up", "--user", "1234", _host.Declare("a", 2, NetworkHost.Tap("replaced"), NetworkHost.Macvtap("vm-m1", "eth0", "bridge")),
            _host.Declare("b", 1, NetworkHost.Tap("changed"), NetworkHost.Tap("new1"), NetworkHost.Tap("new2"), NetworkHost.Macvtap("new3", "ifb0", "passthru")));
        Assert.Equal(1, outcome.Code);
        Assert.Contains("'new3': Operation not supported", outcome.Err);
        Assert.DoesNotContain("putting the host back as it was failed", outcome.Err);
        Assert.Equal(before, _host.Picture());
        var node = _host.Inside(route => MacvtapDevice.Find([("vm-m2", route.Find("vm-m2").Index)]).Values.Single());
        Assert.Equal((1234u, 0x180u), (node.User, node.Mode));
    }

    [Fact]
    public void The_descriptor_limit_is_an_error_that_leaves_nothing()
    {
        var before = _host.Net.Links();
        var file = _host.Declare("a", 1, [.. Enumerable.Range(0, 300).Select(i => NetworkHost.Tap($"t{i}"))]);
        var outcome = Binary.Run("prlimit", null, "--nofile=64", Binary.Path, "up", "--netns", _host.Net.Name, file);
        if (outcome.Code != 0)
        {
            Assert.Equal(1, outcome.Code);
            Assert.Contains("Too many open files", outcome.Err);
            Assert.Equal(before, _host.Net.Links());
        }
        _host.Done("up", file);
    }

    [Fact]
    public void Thousands_of_changes_and_refusals_fit_through_one_socket()
    {
        // More than a socket's send buffer holds, and more refusals than its receive buffer.
        var links = Enumerable.Range(0, 6000).ToList();
        var thrown = Assert.Throws<LinuxException>(() => _host.Inside(route =>
        {
            var batch = new RouteBatch();
            links.ForEach(n => batch.Mark(1_000_000 + n, $"none{n}", new string('x', 200), 7));
            route.Commit(batch);
            return 0;
        }));
        Assert.Contains("'none0'", thrown.Message);
        _host.Inside(route =>
        {
            var lo = route.Find("lo").Index;
            var batch = new RouteBatch();
            links.ForEach(n => batch.Mark(lo, "lo", $"{n} {new string('x', 200)}", 7));
            route.Commit(batch);
            Assert.StartsWith("5999 ", route.Find("lo").Alias);
            return 0;
        });
    }

    [Fact]
    public void A_name_in_the_hands_of_somebody_else_is_refused_by_the_kernel_and_that_link_is_not_marked()
    {
        // As if it had appeared between looking and making.
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Net.Ip("link", "add", "vm-a1", "type", "bridge");
        var before = _host.Net.Links();
        var attachment = NetworkHost.Attach("a", "vm-a1", AttachmentKind.TapByFd, "eth0", MacvtapMode.Bridge);
        var thrown = Assert.Throws<LinuxException>(() => _host.Inside(route =>
        {
            var state = HostState.Read(route, []);
            var unaware = state with { Links = [.. state.Links.Where(l => l.Name != "vm-a1")] };
            new Applier(route).Apply(Plan.ForUp([.. DesiredLink.Of([attachment], null, null)], unaware), unaware, () => { });
            return 0;
        }));
        Assert.Equal(17, thrown.Errno);
        Assert.Equal(before, _host.Net.Links());
    }

    [Fact]
    public void Down_spares_a_link_of_somebody_else_that_joined_the_vms_group()
    {
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("vm-a1"), NetworkHost.Tap("vm-a2")));
        var group = _host.Inside(route => route.Find("vm-a1").Group);
        _host.Net.Ip("link", "add", "foreign0", "type", "bridge");
        _host.Net.Ip("link", "set", "foreign0", "group", $"{group}");
        _host.Done("down", "--vm", "a");
        Assert.Equal((false, false, true), (_host.Has("vm-a1"), _host.Has("vm-a2"), _host.Has("foreign0")));
    }

    [Fact]
    public void Down_of_a_file_takes_the_VM_that_is_chosen_alone_and_none_where_the_file_does_not_have_it()
    {
        using var folder = new Folder();
        string Config(string id) => $$"""{"config":{"microvm":{"interfaces":[{{NetworkHost.Tap(id)}}] } } }""";
        var file = folder.File("fleet.json", $$"""{"microvm":{"vms":{"a":{{Config("vm-a1")}},"b":{{Config("vm-b1")}} } } }""");
        _host.Done("up", file);
        var unknown = _host.Microvm("down", file, "--vm", "a", "--vm", "c");
        Assert.True(unknown.Code == 2 && unknown.Err.Contains("has no VM 'c'; it has: a, b", StringComparison.Ordinal), unknown.Err);
        Assert.Equal((true, true), (_host.Has("vm-a1"), _host.Has("vm-b1")));
        _host.Done("down", file, "--vm", "a");
        Assert.Equal((false, true), (_host.Has("vm-a1"), _host.Has("vm-b1")));
    }

    [Fact]
    public void Many_at_once_on_overlapping_declarations_end_as_some_order_would()
    {
        var files = Enumerable.Range(0, 3).Select(n => _host.Declare($"vm{n}", 1 + (n & 1), [.. Enumerable.Range(0, 8).Select(i => NetworkHost.Tap($"t{n}-{i}"))])).ToList();
        (string Command, int[] Files)[] runs = [("up", [0, 1]), ("down", [1]), ("up", [1, 2]), ("down", [2, 0]), ("up", [0]), ("up", [2, 1, 0]), ("down", [0]), ("up", [1])];
        var outcomes = new Binary.Outcome[runs.Length * 3];
        Parallel.For(0, outcomes.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, n =>
            outcomes[n] = _host.Microvm(runs[n % runs.Length].Command, [.. runs[n % runs.Length].Files.Select(f => files[f])]));
        Assert.All(outcomes, o => Assert.True(o.Code == 0, $"{o.Out}{o.Err}"));
        // Any order leaves each VM whole or not there.
        var names = _host.Inside(route => route.Links(statistics: false)).Select(l => l.Name).ToHashSet();
        Assert.All(Enumerable.Range(0, 3), n => Assert.Contains(Enumerable.Range(0, 8).Count(i => names.Contains($"t{n}-{i}")), (int[])[0, 8]));
        _host.Done("up", [.. files]);
        _host.Done("down", [.. files]);
        Assert.DoesNotContain(_host.Inside(route => route.Links(statistics: false)), l => l.Name.StartsWith('t'));
    }

    [Fact]
    public void The_guests_frames_reach_the_bridges_forwarding_database()
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        _host.Net.Ip("link", "set", "br0", "up");
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0")));
        _host.Inside(_ =>
        {
            using var tap = TunDevice.OpenQueue("vm-a1", false);
            using var file = new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(tap.Descriptor, ownsHandle: false), FileAccess.ReadWrite, 0);
            var frame = new byte[10 + 60];
            Convert.FromHexString($"ffffffffffff{NetworkHost.MacOf("vm-a1").Replace(":", "")}88b5").CopyTo(frame, 10);
            var limit = Stopwatch.StartNew();
            string learned;
            do
            {
                // A bridge port learns once it is in the forwarding state.
                file.Write(frame);
                Thread.Sleep(50);
                learned = Binary.Run("bridge", null, "-n", _host.Net.Name, "fdb", "show", "br", "br0", "dynamic").Out;
            }
            while (!learned.Contains(NetworkHost.MacOf("vm-a1"), StringComparison.Ordinal) && limit.Elapsed < TimeSpan.FromSeconds(60));
            Assert.Contains($"{NetworkHost.MacOf("vm-a1")} dev vm-a1", learned);
            return 0;
        });
    }
}
