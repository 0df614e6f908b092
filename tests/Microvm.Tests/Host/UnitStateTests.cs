using Microvm.Host;
using Microvm.Host.Run;
using Microvm.Host.Systemd;

namespace Microvm.Tests;

/// <summary>What is told of a unit, and how long it waits for its next try.</summary>
public sealed class UnitStateTests
{
    private static UnitState Unit(string properties) => UnitState.Parse("Id=microvm@x.service\nNRestarts=3\n" + properties.Replace(' ', '\n') + "\n")[0];

    [Theory]
    [InlineData("ActiveState=failed SubState=failed", true)]
    [InlineData("ActiveState=activating SubState=auto-restart", true)]
    [InlineData("ActiveState=activating SubState=start-pre", true)]
    [InlineData("ActiveState=inactive SubState=dead Job=17", true)]
    [InlineData("ActiveState=inactive SubState=dead", false)]
    [InlineData("ActiveState=inactive SubState=dead Job=0", false)]
    [InlineData("ActiveState=deactivating SubState=stop", false)]
    [InlineData("ActiveState=active SubState=running ActiveEnterTimestampMonotonic=1", false)]
    [InlineData("ActiveState=active SubState=running ActiveEnterTimestampMonotonic=999999999999999", true)]
    [InlineData("NRestarts=1 ActiveState=active SubState=running ActiveEnterTimestampMonotonic=999999999999999", false)]
    [InlineData("NRestarts=1 ActiveState=activating SubState=start-pre", true)]
    public void A_unit_that_ends_again_and_again_is_told_from_one_that_rests(string properties, bool fails) => Assert.Equal(fails, Unit(properties).IsFailing);

    [Fact]
    public void The_pause_grows_to_a_minute_and_a_long_run_is_forgiven()
    {
        var never = TimeSpan.FromDays(1);
        Assert.Equal([0, 0, 2, 4, 8, 16, 32, 60, 60], Enumerable.Range(0, 9).Select(n => (int)Boot.PauseAfter(n, TimeSpan.Zero, never).TotalSeconds));
        Assert.Equal(60, Boot.PauseAfter(int.MaxValue, TimeSpan.Zero, never).TotalSeconds);
        Assert.Equal(0, Boot.PauseAfter(20, TimeSpan.FromHours(9), TimeSpan.FromSeconds(3)).TotalSeconds);
        Assert.Equal(60, Boot.PauseAfter(20, TimeSpan.FromHours(9), TimeSpan.FromMinutes(3)).TotalSeconds);
    }

    [Theory]
    [InlineData("the bridge br0 is not there", "microvm: note: x", "microvm: the bridge br0 is not there", "microvm: running on KVM")]
    [InlineData("[ERROR] exiting with error 1: x", "[ERROR] exiting with error 1: x", "* MTU: 1500", "WARNING: 127.0.0.1:* on the host is accessible")]
    [InlineData("its last words", "first", "its last words", "microvm: KVM can't be used here; running on TCG, which is slower")]
    [InlineData("\\u{1b}]0;x\\u{7} fatal \\u{202e}live\\u{2028}\\u{9b}2J", "\u001b]0;x\u0007 fatal \u202elive\u2028\u009b2J")]
    [InlineData("\\u{1b}[2J can't\\u{d}ok", "microvm: \u001b[2J can't\rok")]
    [InlineData(null, "microvm: running on KVM")]
    public void The_reason_is_the_line_that_tells_it(string? reason, params string[] lines) => Assert.Equal(reason, UnitFailure.Said(lines));

    [Fact]
    public void A_socket_is_removed_only_where_it_is_ours_and_nobody_is_behind_it()
    {
        using var folder = new Folder();
        string At(string name) => folder.File("x", "")[..^1] + name;
        static System.Net.Sockets.Socket Bound(string path, System.Net.Sockets.SocketType type, bool listens)
        {
            var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, type, System.Net.Sockets.ProtocolType.Unspecified);
            socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
            if (listens)
            {
                socket.Listen();
            }
            return socket;
        }
        // .NET removes the file of a socket that it closes; a killed program does not.
        static void Left(string path, System.Net.Sockets.SocketType type)
        {
            using (Bound(path + "-", type, true))
            {
                File.CreateSymbolicLink(path + "+", path + "-");
                Assert.Equal(0, Binary.Run("ln", null, path + "-", path).Code);
            }
            File.Delete(path + "+");
        }
        Left(At("stale"), System.Net.Sockets.SocketType.Stream);
        Left(At("packets"), System.Net.Sockets.SocketType.Seqpacket);
        Left(At("other"), System.Net.Sockets.SocketType.Stream);
        Assert.Equal(0, Binary.Run("chown", null, "65534", At("other")).Code);
        Left(At("target"), System.Net.Sockets.SocketType.Stream);
        File.CreateSymbolicLink(At("link"), At("target"));
        using var live = Bound(At("live"), System.Net.Sockets.SocketType.Stream, true);
        using var livePackets = Bound(At("live-packets"), System.Net.Sockets.SocketType.Seqpacket, true);
        folder.File("file", "a file");
        Directory.CreateDirectory(At("folder"));
        foreach (var (name, goes) in (IEnumerable<(string, bool)>)[("stale", true), ("packets", true), ("other", false), ("link", false), ("target", true), ("live", false), ("live-packets", false), ("file", false), ("folder", false), ("nothing", false)])
        {
            Assert.Equal((name, goes), (name, StaleSocket.Remove(At(name))));
            Assert.Equal(name != "nothing" && !goes, Path.Exists(At(name)) || new FileInfo(At(name)).LinkTarget is not null);
        }
    }

    [Fact]
    public void A_stale_socket_of_another_user_stays_and_the_command_that_removes_it_is_told()
    {
        using var folder = new Folder();
        string Left(string name)
        {
            var path = folder.File("x", "")[..^1] + name;
            Assert.Equal(0, Binary.Run("perl", null, "-MSocket", "-e", "socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un($ARGV[0]))", path).Code);
            return path;
        }
        var (ours, theirs) = (Left("ours"), Left("it's theirs"));
        Assert.Equal(0, Binary.Run("chown", null, "65534", theirs).Code);
        var told = StaleSocket.Clear(new([], [], [], null) { Sockets = [ours, theirs, ours + "-none"] }).ToList();
        Assert.Equal([$"removed the socket {ours}, which an earlier run left behind",
            $"nobody listens at the socket {theirs}, and it stays, for it is user 65534's; where the VM does not start for it: sudo rm '{theirs.Replace("'", "'\\''", StringComparison.Ordinal)}'"], told);
        Assert.Equal((false, true), (File.Exists(ours), File.Exists(theirs)));
    }

    [Fact]
    public void What_keeps_a_VM_from_starting_is_told_with_the_unit_that_says_why_or_the_file_that_is_missing()
    {
        using var folder = new Folder();
        var state = Path.Combine(folder.File("x", "")[..^2], "state");
        var run = Path.Combine(folder.File("x", "")[..^2], "run");
        var file = folder.File("vm.json", """
            {"networking":{"hostName":"web"},"microvm":{"kernel":"/nonexistent/vmlinuz","initrdPath":"/etc/hostname","volumes":[{"image":"data.img","autoCreate":false}],
             "interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}]} }
            """);
        Assert.Equal(0, Binary.Microvm("create", "web", "--file", file, "--state-dir", state).Code);
        var vm = new StateDirectory(state).Of(VmName.Parse("web"));
        void Active(string kind) => Directory.CreateDirectory($"{run}/microvm-{kind}@web");

        // The unit that holds the interfaces failed, and so those that make them never ran.
        Assert.Equal(["microvm-interfaces@web.service failed, and says why: journalctl -u microvm-interfaces@web.service"], Boot.NotReady(vm, run));
        Active("interfaces");
        Assert.Equal(["microvm-tap-interfaces@web.service failed, and says why: journalctl -u microvm-tap-interfaces@web.service"], Boot.NotReady(vm, run));
        Active("tap-interfaces");
        Assert.Equal(["microvm-set-booted@web.service failed, and says why: journalctl -u microvm-set-booted@web.service"], Boot.NotReady(vm, run));
        Active("set-booted");
        Assert.Equal(["there is no '/nonexistent/vmlinuz', from which 'web' starts (microvm.kernel)", "there is no 'data.img', from which 'web' starts (microvm.volumes)"], Boot.NotReady(vm, run));
    }
}
