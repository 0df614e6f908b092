using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Microvm.Tests;

/// <summary>The real <c>microvm watch</c> against the real kernel.</summary>
public sealed class WatchTests(ITestOutputHelper output) : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Vm(int taps = 1) => _folder.File("vm.json", $$"""
        {"networking":{"hostName":"a"},"microvm":{"interfaces":[{{string.Join(',', Enumerable.Range(1, taps).Select(n =>
            $$"""{"type":"tap","id":"vm-a{{n}}","bridge":"br0","mac":"02:00:00:00:00:{{n:x2}}"}"""))}}] } }
        """);

    private WatchProcess Start(string file, params string[] more)
    {
        _ns.Ip("link", "add", "br0", "up", "type", "bridge");
        var watch = new WatchProcess(["--netns", _ns.Name, file, .. more]);
        watch.WaitFor(more.Contains("--json") ? "\"watching\"" : "watching ");
        return watch;
    }

    private bool IsRight(string name) => Binary.Run("ip", null, "-n", _ns.Name, "-j", "link", "show", name) is { Code: 0 } shown
        && JsonDocument.Parse(shown.Out).RootElement[0] is var link
        && link.TryGetProperty("master", out var master) && master.GetString() == "br0"
        && link.GetProperty("flags").EnumerateArray().Any(f => f.GetString() == "UP");

    /// <summary>docs/watch.md: the kernel tells of an alias on a link that is up.</summary>
    [Fact]
    public void A_link_that_loses_its_alias_is_told_at_once_and_left_alone()
    {
        using var watch = Start(Vm());
        var clock = Stopwatch.StartNew();
        _ns.Ip("link", "set", "vm-a1", "alias", "mine");
        watch.WaitFor("was not created by microvm");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), "it was seen only by the look of every minute");
        Assert.Contains("alias mine", _ns.Ip("link", "show", "vm-a1"));
    }

    [Theory]
    [InlineData("link del vm-a1", "not there yet")]
    [InlineData("link set vm-a1 name other", "it was renamed to 'other'")]
    [InlineData("link set vm-a1 down", "it is down")]
    [InlineData("link set vm-a1 nomaster", "it is not attached to br0")]
    public void Drift_is_mended_and_logged(string blow, string reason)
    {
        using var watch = Start(Vm());
        Assert.True(IsRight("vm-a1"));
        _ns.Ip(blow.Split(' '));
        watch.WaitFor(reason);
        WatchProcess.Until(() => IsRight("vm-a1"), () => _ns.Links());
        Assert.Equal(0, watch.End("TERM"));
        Assert.True(IsRight("vm-a1"), "the links outlive the watch");
        Assert.Contains("stopped after 2 repairs", watch.Printed);
    }

    [Fact]
    public void A_bridge_made_anew_gets_its_taps_back()
    {
        using var watch = Start(Vm(2));
        _ns.Ip("link", "del", "br0");
        watch.WaitFor("the bridge 'br0', which is not there");
        _ns.Ip("link", "add", "br0", "type", "bridge");
        WatchProcess.Until(() => IsRight("vm-a1") && IsRight("vm-a2"), () => _ns.Links());
        Assert.Equal(0, watch.End("INT"));
    }

    [Fact]
    public void A_foreign_link_of_the_name_is_told_once_and_left_alone()
    {
        using var watch = Start(Vm(2));
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(Vm(2))!, "batch"), "link del vm-a1\nlink add vm-a1 type bridge\n");
        // Both in one go, so that the watch has no time between them; where it still comes first, the name is taken and ip fails.
        WatchProcess.Until(() => Binary.Run("ip", null, "-n", _ns.Name, "-batch", Path.Combine(Path.GetDirectoryName(Vm(2))!, "batch")).Code == 0, () => watch.Printed);
        watch.WaitFor("not created by microvm");
        var foreign = _ns.Ip("-j", "link", "show", "vm-a1");
        _ns.Ip("link", "set", "vm-a2", "down");
        WatchProcess.Until(() => IsRight("vm-a2"), () => _ns.Links());
        Assert.Equal(foreign, _ns.Ip("-j", "link", "show", "vm-a1"));
        _ns.Ip("link", "del", "vm-a1");
        WatchProcess.Until(() => IsRight("vm-a1"), () => _ns.Links());
        Assert.Equal(0, watch.End("TERM"));
        Assert.Equal(1, watch.Printed.Split("not created by microvm").Length - 1);
    }

    [Fact]
    public void Events_that_the_kernel_dropped_lead_to_a_look_at_everything()
    {
        using var watch = Start(Vm());
        var noise = _folder.File("noise", string.Concat(Enumerable.Range(0, 20000).Select(i => $"link set br0 mtu {1400 + i % 2}\n")));
        Binary.Run("kill", null, "-STOP", $"{watch.Id}");
        Assert.Equal(0, Binary.Run("ip", null, "-n", _ns.Name, "-batch", noise).Code);
        // This blow's event is among the dropped.
        _ns.Ip("link", "del", "vm-a1");
        Binary.Run("kill", null, "-CONT", $"{watch.Id}");
        watch.WaitFor("lost events");
        WatchProcess.Until(() => IsRight("vm-a1"), () => _ns.Links());
        Assert.Equal(0, watch.End("TERM"));
    }

    [Fact]
    public void Json_lines_tell_each_repair()
    {
        using var watch = Start(Vm(), "--json");
        _ns.Ip("link", "del", "vm-a1");
        WatchProcess.Until(() => watch.Printed.Split("\"mended\"").Length == 3, () => watch.Printed);
        watch.End("TERM");
        var lines = watch.Printed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => l.Trim().Length > 0).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        Assert.Equal(["mended", "watching", "mended", "stopped"], lines.Select(l => l.GetProperty("event").GetString()));
        Assert.Equal("vm-a1", lines[2].GetProperty("id").GetString());
        Assert.Equal("create", lines[2].GetProperty("action").GetString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_service_manager_hears_ready_alive_and_stopping(bool isAbstract)
    {
        var name = isAbstract ? $"@microvm-test-{Guid.NewGuid():N}" : Path.Combine(Path.GetDirectoryName(Vm())!, "notify");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(isAbstract ? $"\0{name[1..]}" : name));
        socket.ReceiveTimeout = (int)WatchProcess.Patience.TotalMilliseconds;
        _ns.Ip("link", "add", "br0", "type", "bridge");
        // Abstract names are per network namespace, so there the watch stays outside, with nothing to make.
        var idle = _folder.File("idle.json", """{"networking":{"hostName":"a"},"microvm":{"interfaces":[{"type":"user","id":"u","mac":"02:00:00:00:00:01"}] } }""");
        string[] arguments = isAbstract ? [idle] : ["--netns", _ns.Name, Vm()];
        using var watch = new WatchProcess(arguments, ("NOTIFY_SOCKET", name), ("WATCHDOG_USEC", "200000"));
        var buffer = new byte[4096];
        var heard = new List<string>();
        void Hear(string text)
        {
            for (; !heard.Any(h => h.Contains(text, StringComparison.Ordinal));)
            {
                heard.Add(Encoding.UTF8.GetString(buffer, 0, socket.Receive(buffer)));
            }
        }
        Hear("READY=1");
        Hear("WATCHDOG=1");
        Assert.Equal(0, watch.End("TERM"));
        Hear("STOPPING=1");
        Assert.Contains(heard, h => h.Contains(isAbstract ? "STATUS=0 interfaces of 0 VMs, 0 repairs" : "STATUS=1 interface of 1 VM, 1 repair", StringComparison.Ordinal));
    }

    [Fact]
    public void The_watchdog_is_fed_while_another_microvm_is_waited_for()
    {
        var name = Path.Combine(Path.GetDirectoryName(Vm())!, "notify");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(name));
        socket.ReceiveTimeout = (int)WatchProcess.Patience.TotalMilliseconds;
        _ns.Ip("link", "add", "br0", "type", "bridge");
        using var watch = NetworkHost.Inside(_ns.Name, _ =>
        {
            using var held = new Microvm.Linux.NamespaceLock(TimeSpan.FromSeconds(5));
            var waits = new WatchProcess(["--netns", _ns.Name, Vm()], ("NOTIFY_SOCKET", name), ("WATCHDOG_USEC", "200000"));
            // One may have been sent before the wait began: three can't.
            var buffer = new byte[4096];
            for (var fed = 0; fed < 3;)
            {
                fed += Encoding.UTF8.GetString(buffer, 0, socket.Receive(buffer)).Contains("WATCHDOG=1", StringComparison.Ordinal) ? 1 : 0;
            }
            Assert.DoesNotContain("vm-a1", _ns.Links());
            return waits;
        });
        WatchProcess.Until(() => IsRight("vm-a1"), () => watch.Printed);
        Assert.Equal(0, watch.End("TERM"));
    }

    /// <summary>Blow after blow for ten seconds (a minute with MICROVM_TEST_ALL), then none: the watch has it right again within a second.</summary>
    [Fact]
    public void An_adversary_that_deletes_and_renames_does_not_win()
    {
        var time = TimeSpan.FromSeconds(Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is { Length: > 0 } ? 60 : 10);
        using var watch = Start(Vm(4));
        var random = new Random(7);
        var blows = 0;
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < time)
        {
            var tap = $"vm-a{random.Next(1, 5)}";
            string[][] choices = [["del", tap], ["set", tap, "name", $"x{random.Next(5)}"], ["set", tap, "down"], ["set", tap, "nomaster"], ["del", $"x{random.Next(5)}"]];
            blows += Binary.Run("ip", null, ["-n", _ns.Name, "link", .. choices[random.Next(choices.Length)]]).Code == 0 ? 1 : 0;
        }
        clock.Restart();
        WatchProcess.Until(() => Enumerable.Range(1, 4).All(n => IsRight($"vm-a{n}")), () => $"{_ns.Links()}\n{watch.Printed}");
        var converged = clock.Elapsed;
        Assert.Equal(0, watch.End("TERM"));
        var names = JsonDocument.Parse(_ns.Ip("-j", "link")).RootElement.EnumerateArray().Select(l => l.GetProperty("ifname").GetString()!).Order();
        Assert.Equal(["br0", "lo", "vm-a1", "vm-a2", "vm-a3", "vm-a4"], names);
        output.WriteLine($"soak: {blows} blows in {time.TotalSeconds:0} s, converged {converged.TotalMilliseconds:0} ms after the last");
        Directory.CreateDirectory(Path.Combine(Binary.Root, "out"));
        File.WriteAllText(Path.Combine(Binary.Root, "out", "soak.txt"), $"{blows} blows in {time.TotalSeconds:0} s, {watch.Printed.Split("mended").Length - 1} repairs, converged {converged.TotalMilliseconds:0} ms after the last\n");
        Assert.True(blows > time.TotalSeconds, "the adversary hardly hit");
        Assert.True(converged < TimeSpan.FromSeconds(5), $"{converged.TotalMilliseconds:0} ms");
    }
}
