using System.Diagnostics;
using System.Globalization;

namespace Microvm.Tests;

/// <summary>What the commands, and the programs that they start, may do: as /proc tells it.</summary>
public sealed class PrivilegeTests : IDisposable
{
    private const ulong NetAdmin = 1ul << 12, Chown = 1ul << 0, Fowner = 1ul << 3, Mknod = 1ul << 27, SysPtrace = 1ul << 19, DacReadSearch = 1ul << 2, Kill = 1ul << 5;

    /// <summary>NET_ADMIN, NET_RAW, NET_BIND_SERVICE, SETUID and SETGID, for the programs of a declared network.</summary>
    private const ulong Lendable = NetAdmin | 1ul << 13 | 1ul << 10 | 1ul << 7 | 1ul << 6;
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    private string Declaration(string name = "vm.json") =>
        _folder.File(name, """{"networking":{"hostName":"a"},"microvm":{"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}] } }""");

    /// <summary>A nix-instantiate that tells its own status into a file and then becomes the real one.</summary>
    private string FakeNix(string told)
    {
        var real = Binary.Run("sh", null, "-c", "command -v nix-instantiate").Out.Trim();
        var fake = _folder.File("nix-instantiate", $"#!/bin/sh\nwhile read -r line; do echo \"$line\"; done < /proc/self/status > {told}\nexec {real} \"$@\"\n");
        Assert.Equal(0, Binary.Run("chmod", null, "755", fake).Code);
        return Path.GetDirectoryName(fake)!;
    }

    private static Dictionary<string, string> Status(string text) =>
        text.Split('\n').Where(l => l.Contains(':')).Select(l => l.Split(':', 2)).ToDictionary(f => f[0], f => f[1].Trim());

    private static ulong Set(Dictionary<string, string> status, string name) => ulong.Parse(status[name], NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static Process Start(string[] arguments, params (string Name, string Value)[] environment) => Start(Binary.Path, arguments, environment);

    private static Process Start(string program, string[] arguments, (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment.Remove("SUDO_UID");
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }
        return Process.Start(start)!;
    }

    [Theory]
    [InlineData("check")]
    [InlineData("plan")]
    [InlineData("up")]
    [InlineData("run")]
    public void No_privilege_reaches_nix(string command)
    {
        using var ns = new Namespace();
        var told = Path.Combine(Path.GetDirectoryName(Declaration())!, "told");
        var vm = _folder.File("vm.nix", """{ microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ]; }""");
        string[] place = command == "check" ? [] : ["--netns", ns.Name];
        using var process = Start([command, vm, .. place], ("PATH", $"{FakeNix(told)}:{Environment.GetEnvironmentVariable("PATH")}"));
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        // `run` misses a kernel here, which comes after the evaluation. It keeps the way of a set-user-ID helper open until it knows the
        // declaration: nothing is held, but the bounding set is still whole.
        var run = command == "run";
        Assert.True(process.ExitCode == (run ? 2 : 0), $"exit code {process.ExitCode}: {errors}{process.StandardOutput.ReadToEnd()}");
        var status = Status(File.ReadAllText(told));
        foreach (var set in run ? (string[])["CapInh", "CapPrm", "CapEff", "CapAmb"] : ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        {
            Assert.True(Set(status, set) == 0, $"{set} is {status[set]}");
        }
        Assert.Equal("1", status["NoNewPrivs"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Nix_runs_as_the_caller_behind_sudo_or_as_the_owner_of_the_declaration(bool sudo)
    {
        var vm = _folder.File("vm.nix", """{ microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ]; }""");
        var home = Path.GetDirectoryName(vm)!;
        var told = Path.Combine(home, "told");
        var path = FakeNix(told);
        Assert.Equal(0, Binary.Run("chown", null, "-R", "1234:4321", home).Code);
        using var process = Start(["check", vm], ("PATH", $"{path}:{Environment.GetEnvironmentVariable("PATH")}"), ("SUDO_UID", sudo ? "1234" : ""), ("SUDO_GID", sudo ? "4321" : ""));
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"exit code {process.ExitCode}: {errors}{process.StandardOutput.ReadToEnd()}");
        var status = Status(File.ReadAllText(told));
        Assert.Equal("1234\t1234\t1234\t1234", status["Uid"]);
        Assert.Equal("4321\t4321\t4321\t4321", status["Gid"]);
        Assert.Equal("4321", status["Groups"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void No_privilege_reaches_the_hypervisor(bool sudo)
    {
        using var ns = new Namespace();
        var vm = _folder.File("run.json", """{"networking":{"hostName":"a"},"microvm":{"kernel":"/etc/hostname","interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}] } }""");
        var home = Path.GetDirectoryName(vm)!;
        var told = Path.Combine(home, "told");
        var fake = _folder.File("qemu-system-x86_64", $"#!/bin/sh\nwhile read -r line; do echo \"$line\"; done < /proc/self/status > {told}\n");
        Assert.Equal(0, Binary.Run("chmod", null, "755", fake).Code);
        Assert.Equal(0, Binary.Run("chown", null, "-R", sudo ? "1234:4321" : "0:0", home).Code);
        (string, string)[] environment = [("PATH", $"{home}:{Environment.GetEnvironmentVariable("PATH")}"), ("SUDO_UID", sudo ? "1234" : ""), ("SUDO_GID", sudo ? "4321" : "")];
        foreach (var command in (string[])["up", "run"])
        {
            // With a /dev/net/tun that anybody may open, as udev makes it.
            const string Setup = "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec \"$@\"";
            using var process = Start("unshare", ["--mount", "sh", "-c", Setup, "sh", Binary.Path, command, vm, "--netns", ns.Name], environment);
            var errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors);
        }
        var status = Status(File.ReadAllText(told));
        foreach (var set in (string[])["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        {
            Assert.True(Set(status, set) == 0, $"{set} is {status[set]}");
        }
        Assert.Equal("1", status["NoNewPrivs"]);
        var user = sudo ? 1234 : 0;
        Assert.Equal($"{user}\t{user}\t{user}\t{user}", status["Uid"]);
    }

    [Theory]
    [InlineData("check", 0ul)]
    [InlineData("plan", SysPtrace | DacReadSearch)]
    [InlineData("status", SysPtrace | DacReadSearch)]
    [InlineData("command", 0ul)]
    [InlineData("up", NetAdmin | Chown | Fowner | Mknod | SysPtrace | DacReadSearch | Kill | Lendable, Lendable)]
    [InlineData("down", NetAdmin | Chown | Fowner | Mknod | SysPtrace | DacReadSearch | Kill | Lendable, Lendable)]
    [InlineData("watch", NetAdmin | Chown | Fowner | Mknod | Kill | Lendable, Lendable)]
    public void All_else_is_given_up_before_a_declaration_is_read(string command, ulong kept, ulong lendable = 0)
    {
        using var ns = new Namespace();
        var pipe = Path.Combine(Path.GetDirectoryName(Declaration())!, "pipe.json");
        Assert.Equal(0, Binary.Run("mkfifo", null, pipe).Code);
        string[] place = command is "check" or "command" ? [] : ["--netns", ns.Name];
        using var process = Start([command, pipe, .. place]);
        // Nobody writes into the pipe yet, so the declaration can't have been read.
        var limit = Stopwatch.StartNew();
        var status = new Dictionary<string, string>();
        do
        {
            Thread.Sleep(5);
            status = Status(File.ReadAllText($"/proc/{process.Id}/status"));
        }
        while ((status["NoNewPrivs"] != "1" || Set(status, "CapPrm") != kept) && limit.Elapsed < TimeSpan.FromSeconds(20));
        Assert.Equal(kept, Set(status, "CapPrm"));
        Assert.Equal(kept, Set(status, "CapEff"));
        Assert.Equal(0ul, Set(status, "CapBnd"));
        Assert.Equal(lendable, Set(status, "CapInh"));
        Assert.Equal(0ul, Set(status, "CapAmb"));
        if (!File.Exists($"{Binary.Path}.dll"))
        {
            // A native process has the runtime's own thread besides, which gives up its own a moment later.
            var more = 1ul;
            while (more != 0 && limit.Elapsed < TimeSpan.FromSeconds(20))
            {
                more = Directory.GetDirectories($"/proc/{process.Id}/task").Aggregate(0ul, (all, t) => all | Set(Status(File.ReadAllText(Path.Combine(t, "status"))), "CapPrm") & ~kept);
            }
            Assert.Equal(0ul, more);
        }
        File.WriteAllText(pipe, File.ReadAllText(Declaration()));
        if (command == "watch")
        {
            process.StandardOutput.ReadLine();
            // This declaration has no network.
            status = Status(File.ReadAllText($"/proc/{process.Id}/status"));
            Assert.Equal(NetAdmin | Chown | Fowner | Mknod, Set(status, "CapPrm"));
            // Where addresses of guests are guarded on this machine, nft may be asked for them.
            Assert.Equal(0ul, Set(status, "CapInh") & ~(Directory.Exists("/run/microvm/antispoof") ? NetAdmin : 0));
            Binary.Run("kill", null, "-TERM", $"{process.Id}");
        }
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(30)), "it does not end");
        // "command" misses a kernel in this declaration, which is another matter.
        Assert.Equal(command == "command" ? 2 : 0, process.ExitCode);
    }

    /// <summary>Runs the binary as user nobody, with a /dev/net/tun that anybody may open, as udev makes it.</summary>
    private Binary.Outcome AsNobody(string ns, string capabilities, params string[] arguments)
    {
        Assert.SkipWhen(File.Exists($"{Binary.Path}.dll"), "a managed build can't be copied alone");
        var binary = Path.Combine(Path.GetDirectoryName(Declaration())!, "microvm");
        File.Copy(Binary.Path, binary, true);
        Assert.Equal(0, Binary.Run("chmod", null, "-R", "a+rX", Path.GetDirectoryName(binary)!).Code);
        const string Setup = "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec \"$@\"";
        return Binary.Run("ip", null, ["netns", "exec", ns, "sh", "-c", Setup, "sh",
            "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", $"--inh-caps={capabilities}", $"--ambient-caps={capabilities}", binary, .. arguments]);
    }

    [Fact]
    public void Net_admin_alone_is_enough_for_a_user()
    {
        using var ns = new Namespace();
        // That guests of other namespaces are guarded is root's note, and none of this user's to take away.
        const string notes = "/run/microvm/antispoof";
        Directory.CreateDirectory(notes);
        var up = AsNobody(ns.Name, "-all,+net_admin", "up", Declaration());
        Assert.True(up.Code == 0, up.Err);
        Assert.Contains("microvm:a/vm-a1", ns.Links());
        var down = AsNobody(ns.Name, "-all,+net_admin", "down", Declaration());
        Assert.True(down.Code == 0, down.Err);
        Assert.DoesNotContain("vm-a1", ns.Links());
    }

    [Fact]
    public void A_macvtap_is_not_replaced_by_one_who_can_not_see_whether_it_is_open()
    {
        using var ns = new Namespace();
        ns.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1");
        string On(string lower) => _folder.File($"{lower}.json", $$$"""{"networking":{"hostName":"a"},"microvm":{"interfaces":[{"type":"macvtap","id":"vm-a1","mac":"02:00:00:00:00:01","macvtap":{"link":"{{{lower}}}","mode":"bridge"} }] } }""");
        const string Capabilities = "-all,+net_admin,+chown,+fowner,+mknod";
        var up = AsNobody(ns.Name, Capabilities, "up", On("eth0"));
        Assert.True(up.Code == 0, up.Err);
        var refused = AsNobody(ns.Name, Capabilities, "up", On("eth1"));
        Assert.Equal(1, refused.Code);
        Assert.Contains("CAP_SYS_PTRACE", refused.Err);
        Assert.Contains("\"link\":\"eth0\",\"ifname\":\"vm-a1\"", ns.Links());
        var told = AsNobody(ns.Name, Capabilities, "up", "--replace-running", On("eth1"));
        Assert.True(told.Code == 0, told.Err);
        Assert.Contains("\"link\":\"eth1\",\"ifname\":\"vm-a1\"", ns.Links());
        AsNobody(ns.Name, Capabilities, "down", On("eth1"));
    }

    [Fact]
    public void Without_it_the_error_says_what_lacks_and_nothing_is_changed()
    {
        using var ns = new Namespace();
        var before = ns.Links();
        var up = AsNobody(ns.Name, "-all", "up", Declaration());
        Assert.Equal(1, up.Code);
        Assert.Contains("CAP_NET_ADMIN", up.Err);
        Assert.Contains("sudo", up.Err);
        Assert.Equal(before, ns.Links());
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("a/../../etc")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("a\u0000b")]
    [InlineData("-rf")]
    [InlineData("$(id)")]
    public void A_name_that_leads_out_of_its_place_is_refused(string name)
    {
        using var ns = new Namespace();
        var before = ns.Links();
        var text = System.Text.Json.JsonSerializer.Serialize(name);
        var vm = _folder.File("hostile.json", $$"""{"networking":{"hostName":{{text}}},"microvm":{"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}] } }""");
        Assert.Equal(2, Binary.Microvm("up", "--netns", ns.Name, vm).Code);
        if (name != "-rf")
        {
            var id = _folder.File("id.json", $$"""{"microvm":{"interfaces":[{"type":"tap","id":{{text}},"mac":"02:00:00:00:00:01"}] } }""");
            Assert.Equal(name is "$(id)" ? 0 : 2, Binary.Microvm("check", id).Code);
        }
        Assert.Equal(before, ns.Links());
    }
}
