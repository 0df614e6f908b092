using System.Diagnostics;
using System.Net.Sockets;

namespace Microvm.Tests;

/// <summary>What a process has open is not handed out again, and not taken away without a word of consent.</summary>
public sealed class HeldLinkTests : IDisposable
{
    private readonly NetworkHost _host = new();
    private readonly Folder _folder = new();

    public HeldLinkTests()
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        Directory.CreateDirectory(Path.Combine(Home, "bin"));
        // It stays as a hypervisor does, and tells first which descriptors it was given.
        File.SetUnixFileMode(_folder.File("bin/qemu-system-x86_64", "#!/bin/sh\necho started\n[ -e stay ] && exec sleep 600\nexit 0\n"), (UnixFileMode)0b111_101_101);
    }

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    private string Home => _folder.File("x", "")[..^2];

    private string Declare(int vcpu, string socket, params string[] interfaces) => _folder.File("vm.json", $$"""
        {"networking":{"hostName":"a"},"microvm":{"kernel":"/etc/hostname","vcpu":{{vcpu}},"socket":{{socket}},"qemu":{"package":"{{Home}}"},"interfaces":[{{string.Join(',', interfaces)}}] } }
        """);

    private Binary.Outcome Run(string file, params string[] more) => _host.Microvm("run", [.. more, file]);

    /// <summary>`run` refuses, by itself and as a dry run, with these words, and starts nothing.</summary>
    private void Refused(string file, params string[] words)
    {
        var dry = Run(file, "--dry-run");
        var run = Run(file);
        Assert.Equal((1, 1), (dry.Code, run.Code));
        Assert.All(words, w => Assert.True(run.Err.Contains(w, StringComparison.Ordinal), $"{w} is not in: {run.Err}"));
        Assert.All(words, w => Assert.True(dry.Out.Contains(w, StringComparison.Ordinal), $"{w} is not in: {dry.Out}{dry.Err}"));
        Assert.DoesNotContain("started", run.Out);
    }

    private int Index(string name) => _host.Link(name).GetProperty("ifindex").GetInt32();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_tap_that_a_process_has_open_is_not_run_again_nor_deleted(int vcpu)
    {
        var file = Declare(vcpu, "null", NetworkHost.Tap("vm-a1"));
        _host.Done("up", file, "--user", "root");
        Assert.Equal(0, Run(file).Code);
        var before = Index("vm-a1");
        using (var holder = vcpu == 1 ? new Holder(_host.Net.Name, "vm-a1") : Holder.OfQueues(_host.Net.Name, "vm-a1", 2))
        {
            Refused(file, $"the tap 'vm-a1' is open in process {holder.Id} (qemu-system-x86)", "end that one first");
            var down = _host.Microvm("down", file);
            Assert.Equal(1, down.Code);
            Assert.Contains($"'vm-a1' would be deleted, but a VM has it open: process {holder.Id} (qemu-system-x86); stop 'a' first, or use --delete-running", down.Err);
            Assert.Contains("nothing was changed", down.Out);
            Assert.Equal(before, Index("vm-a1"));
            _host.Done("down", file, "--delete-running");
            Assert.False(_host.Has("vm-a1"));
        }
        _host.Done("up", file, "--user", "root");
        Assert.Equal(0, Run(file).Code);
        _host.Done("down", file);
    }

    [Fact]
    public void A_macvtap_that_a_process_has_open_is_not_run_again_nor_deleted()
    {
        var file = Declare(1, "null", NetworkHost.Macvtap("vm-a1", "eth0", "bridge"));
        _host.Done("up", file, "--user", "root");
        Assert.Equal(0, Run(file).Code);
        var index = Index("vm-a1");
        using (var holder = new Holder(_host.Net.Name, $"/dev/tap{index}"))
        {
            Refused(file, $"the macvtap 'vm-a1' is open in process {holder.Id} (s", "which would lose its packets");
            var down = _host.Microvm("down", file);
            Assert.Equal(1, down.Code);
            Assert.Contains($"process {holder.Id} has it open", down.Err);
            Assert.Equal(index, Index("vm-a1"));
            _host.Done("down", file, "--delete-running");
        }
        Assert.False(_host.Has("vm-a1"));
    }

    [Fact]
    public void A_macvtap_of_a_run_is_seen_to_be_held_by_one_who_may_look_into_no_other_process()
    {
        var file = Declare(2, "null", NetworkHost.Macvtap("vm-a1", "eth0", "bridge"));
        _host.Done("up", file, "--user", "65534");
        using var first = Start(file);
        var dry = Unprivileged("run", "--dry-run", "--netns", _host.Net.Name, file);
        Assert.Equal(1, dry.Code);
        Assert.Contains($"the macvtap 'vm-a1' is open in process {first.Id} (sleep)", dry.Out);
        End(first);
        Assert.Equal(0, Run(file, "--dry-run").Code);
    }

    [Fact]
    public void A_tap_with_more_queues_is_locked_from_before_the_hypervisor_opens_it()
    {
        var file = Declare(2, "null", NetworkHost.Tap("vm-a1"));
        _host.Done("up", file, "--user", "root");
        // This one has not opened the tap: the lock alone tells.
        using var first = Start(file);
        Refused(file, $"the tap 'vm-a1' is open in process {first.Id} (sleep)");
        var down = _host.Microvm("down", file);
        Assert.Equal(0, down.Code);
        End(first);
    }

    [Fact]
    public void Both_links_of_a_pair_are_held_by_whoever_has_its_tap_open()
    {
        var pair = NetworkHost.Attach("a", "vm-a1", Microvm.Declaration.AttachmentKind.TapRedirect, "eth0", Microvm.Declaration.MacvtapMode.Bridge);
        _host.Up(pair);
        using (new Holder(_host.Net.Name, "vm-a1"))
        {
            var down = _host.Microvm("down", "--vm", "a");
            Assert.Equal(1, down.Code);
            Assert.Contains("'vm-a1' would be deleted, but a VM has it open", down.Err);
            Assert.Contains("'mv-vm-a1' would be deleted, but a VM has 'vm-a1' open, which is joined to it", down.Err);
            // The half alone that nobody has open: its VM would be cut off all the same.
            Assert.Equal(1, _host.Microvm("down", "--vm", "a", "--link", "mv-vm-a1").Code);
            var up = _host.Microvm("up", _folder.File("gone.json", """{"networking":{"hostName":"a"},"microvm":{"interfaces":[]} }"""));
            Assert.Equal(1, up.Code);
            Assert.Contains("'mv-vm-a1' is no longer declared, but a VM has 'vm-a1' open", up.Err);
            Assert.True(_host.Has("vm-a1") && _host.Has("mv-vm-a1"));
        }
        _host.Done("down", "--vm", "a");
    }

    [Fact]
    public void A_second_run_is_refused_where_the_control_socket_is_served_and_a_dead_one_is_none()
    {
        var socket = Path.Combine(Home, "a.sock");
        var file = Declare(1, $"\"{socket}\"");
        Assert.Equal(0, Run(file).Code);
        foreach (var type in (SocketType[])[SocketType.Stream, SocketType.Seqpacket])
        {
            using (var served = new Socket(AddressFamily.Unix, type, ProtocolType.Unspecified))
            {
                served.Bind(new UnixDomainSocketEndPoint(socket));
                served.Listen(1);
                Refused(file, $"the control socket {socket} is served by process {Environment.ProcessId} (", "so 'a' runs; end that one first: microvm shutdown");
                Assert.True(File.Exists(socket));
            }
            // .NET takes its file away; a hypervisor that was killed leaves it.
            File.Delete(socket);
        }
        Binary.Run("perl", null, "-MSocket", "-e", "socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un($ARGV[0]))", socket);
        Assert.True(File.Exists(socket));
        Assert.Equal(0, Run(file).Code);
    }

    [Fact]
    public async Task Of_many_runs_at_once_one_starts()
    {
        var file = Declare(1, $"\"{Path.Combine(Home, "a.sock")}\"");
        _folder.File("stay", "");
        var runs = Enumerable.Range(0, 6).Select(_ => Process.Start(new ProcessStartInfo(Binary.Path, ["run", "--netns", _host.Net.Name, file])
        { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Home })!).ToList();
        var lines = runs.Select(r => r.StandardOutput.ReadLineAsync()).ToList();
        Assert.True(SpinWait.SpinUntil(() => runs.Count(r => r.HasExited) >= runs.Count - 1, TimeSpan.FromSeconds(30)));
        var alive = Assert.Single(runs, r => !r.HasExited);
        Assert.All(runs.Where(r => r != alive), r => Assert.Contains($"process {alive.Id}", r.StandardError.ReadToEnd()));
        Assert.Equal("started", await lines[runs.IndexOf(alive)]);
        End(alive);
    }

    /// <summary>Root without sudo: the owner's taps open for the owner alone, since the hypervisor gets no capability.</summary>
    [Fact]
    public void Root_runs_the_declaration_of_an_owner_as_the_owner_where_the_taps_are_theirs()
    {
        var file = Declare(1, "null", NetworkHost.Tap("vm-a1"));
        _folder.File("bin/qemu-system-x86_64", "#!/bin/sh\nwhile read -r line; do echo \"$line\"; done < /proc/self/status\n");
        Assert.Equal(0, Binary.Run("chown", null, "-R", "1234:4321", Home).Code);
        // Root without a capability has no way into another's private folder, and the stand-in lies there.
        Assert.Equal(0, Binary.Run("chmod", null, "755", Home, Path.Combine(Home, "bin")).Code);
        Binary.Outcome Here(string command, params string[] rest) => Binary.Run("unshare", null, ["--mount", "sh", "-c",
            "mount -t tmpfs none /var/lib && mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec \"$@\"", "sh", Binary.Path, command, "--netns", _host.Net.Name, .. rest, file]);
        Assert.Equal(0, Here("up", "--user", "1234").Code);
        var dry = Here("run", "--dry-run");
        Assert.True(dry.Code == 0, dry.Out + dry.Err);
        Assert.Contains("become   user 1234", dry.Out);
        var run = Here("run");
        Assert.True(run.Code == 0, run.Err);
        Assert.Contains("the VM runs as 1234, whom its declaration and its taps belong to", run.Err);
        Assert.Contains("Uid:\t1234\t1234\t1234\t1234", run.Out);
        Assert.Contains("CapPrm:\t0000000000000000", run.Out);
        // The tap of a third one: nobody's to run, and the command that is named mends it.
        Assert.Equal(0, Here("up", "--user", "77").Code);
        var refused = Here("run", "--trust");
        Assert.Equal(1, refused.Code);
        Assert.Contains("the tap 'vm-a1' belongs to user 77, and the VM would run as user 0; fix it with: sudo microvm up --user root", refused.Err);
        var refusedDry = Here("run", "--dry-run");
        Assert.Equal(1, refusedDry.Code);
        Assert.Contains("the tap 'vm-a1' belongs to user 77, and the VM would run as user 0", refusedDry.Out);
        Assert.Equal(0, Here("up", "--user", "root").Code);
        Assert.Contains("Uid:\t", Here("run", "--trust").Out);
    }

    [Fact]
    public void A_vm_that_was_started_by_hand_is_not_removed_while_it_runs()
    {
        var state = Path.Combine(Home, "state");
        var file = Declare(1, $"\"{Path.Combine(state, "a", "a.sock")}\"");
        Assert.Equal(0, Binary.Microvm("create", "a", "--file", file, "--state-dir", state).Code);
        var socket = Path.Combine(state, "a", "a.sock");
        using (var served = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            served.Bind(new UnixDomainSocketEndPoint(socket));
            served.Listen(1);
            var refused = Binary.Microvm("remove", "a", "--state-dir", state);
            Assert.Equal(1, refused.Code);
            Assert.Contains($"'a' runs: its socket a.sock is served by process {Environment.ProcessId} (", refused.Err);
            Assert.True(Directory.Exists(Path.Combine(state, "a")));
        }
        Assert.Equal(0, Binary.Microvm("remove", "a", "--state-dir", state).Code);
        Assert.False(Directory.Exists(Path.Combine(state, "a")));
    }

    /// <summary>A VM that stays until it is ended.</summary>
    private Process Start(string file)
    {
        _folder.File("stay", "");
        var run = Process.Start(new ProcessStartInfo(Binary.Path, ["run", "--netns", _host.Net.Name, file]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Home })!;
        Assert.True(run.StandardOutput.ReadLine() == "started", run.HasExited ? run.StandardError.ReadToEnd() : "");
        // The script becomes sleep(1) a moment later.
        Assert.True(SpinWait.SpinUntil(() => File.ReadAllText($"/proc/{run.Id}/comm") == "sleep\n", TimeSpan.FromSeconds(10)));
        return run;
    }

    private static void End(Process process)
    {
        process.Kill();
        process.WaitForExit();
    }

    private Binary.Outcome Unprivileged(params string[] arguments)
    {
        Assert.SkipWhen(File.Exists($"{Binary.Path}.dll"), "a managed build can't be copied alone");
        var binary = Path.Combine(Home, "microvm");
        File.Copy(Binary.Path, binary, true);
        Assert.Equal(0, Binary.Run("chmod", null, "-R", "a+rX", Home).Code);
        // Entering the namespace is ip's.
        return Binary.Run("ip", null, ["netns", "exec", _host.Net.Name, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", binary, .. arguments.Where(a => a != "--netns" && a != _host.Net.Name)]);
    }
}
