using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>The 28 pairs of hypervisor and type, started by hand: on a terminal, with /dev/null, from a script's background, as root and as a user
/// without capabilities, with one vCPU and with four. QEMU boots a real guest; the others are their stand-ins. As units they are in
/// <see cref="HypervisorUnitTests"/>.</summary>
public sealed class ByHandTests : IClassFixture<ByHandTests.Programs>, IDisposable
{
    private const string Mac = "02:00:00:00:00:01", Nobody = "65534", Terminal = "terminal", Null = "/dev/null", Background = "background";
    private const int LinkMtu = 1400;
    private readonly Programs _programs;
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();
    private readonly string _home;

    /// <summary>What is run, where every user may look: the checkout may be where only root does.</summary>
    public sealed class Programs : IDisposable
    {
        private readonly Folder _folder = new();
        internal string Path { get; }
        internal string Microvm => File.Exists($"{Binary.Path}.dll") ? Binary.Path : $"{Path}/microvm";

        public Programs()
        {
            Path = _folder.File("x", "")[..^2];
            File.Copy(Binary.Path, $"{Path}/microvm");
            File.Copy(StandIn.BzImage, $"{Path}/vmlinuz");
            File.Copy(System.IO.Path.Combine(Binary.Root, "out", "guest", "initrd"), $"{Path}/initrd");
            Assert.Equal(0, Binary.Run("cp", null, "-r", System.IO.Path.Combine(StandIn.Folder, "bin"), $"{Path}/bin").Code);
            Assert.Equal(0, Binary.Run("chmod", null, "-R", "a+rX", Path).Code);
        }

        public void Dispose() => _folder.Dispose();
    }

    public ByHandTests(Programs programs)
    {
        _programs = programs;
        _home = _folder.File("x", "")[..^2];
        StandIn.Networks(_ns);
    }

    public void Dispose()
    {
        _ns.Dispose();
        // A hypervisor that was killed ends a moment later.
        Assert.True(SpinWait.SpinUntil(() => Binary.Run("rm", null, "-rf", _home).Code == 0, TimeSpan.FromSeconds(2)));
    }

    /// <summary>One run, wherever its console goes.</summary>
    private sealed class Started(PseudoTerminal? terminal, Guest? guest) : IDisposable
    {
        internal PseudoTerminal? Terminal => terminal;

        internal string Console => terminal is null ? guest!.Console : Encoding.UTF8.GetString([.. terminal.Written]).Replace("\r", "", StringComparison.Ordinal);

        internal void WaitFor(string text)
        {
            if (terminal is null)
            {
                guest!.WaitFor(text);
                return;
            }
            Assert.True(terminal.ReadUntil(_ => Console.Contains(text, StringComparison.Ordinal), TimeSpan.FromSeconds(90)), $"no '{text}' on the terminal:\n{Console}");
        }

        /// <summary>The hypervisor: the child of what was started, where a person sits at the terminal, and else what took its place.</summary>
        internal int Hypervisor => Id != terminal?.Pid ? Id : int.Parse(File.ReadAllText($"/proc/{Id}/task/{Id}/children").Trim(), CultureInfo.InvariantCulture);

        /// <summary>What was started.</summary>
        internal int Id => Regex.Match(Console, @"(?m)^in the background: (\d+)$") is { Success: true } told ? int.Parse(told.Groups[1].Value, CultureInfo.InvariantCulture)
            : terminal?.Pid ?? guest!.Id;

        internal int WaitForEnd() => terminal is null ? guest!.WaitForEnd() : terminal.WaitForExit(TimeSpan.FromSeconds(30));

        public void Dispose()
        {
            terminal?.Dispose();
            guest?.Dispose();
        }
    }

    public static TheoryData<string, string, int, string, bool> Runs()
    {
        var all = Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is { Length: > 0 };
        var data = new TheoryData<string, string, int, string, bool>();
        var ways = (from input in (string[])[Terminal, Null, Background] from root in (bool[])[true, false] select (input, root)).ToList();
        var pairs = from hypervisor in HypervisorTable.All.Select(h => h.Name).Where(n => n != "vfkit") from type in Enum.GetNames<InterfaceType>() from vcpu in (int[])[1, 4] select (hypervisor, type, vcpu);
        foreach (var (number, (hypervisor, type, vcpu)) in pairs.Index())
        {
            // Usually each pair goes one way, another than the next pair does, and QEMU's real guests with four vCPUs alone.
            foreach (var (_, (input, root)) in ways.Index().Where(w => all || (w.Index + number + number / 6) % 6 == 0 && (hypervisor != "qemu" || vcpu > 1)))
            {
                data.Add(hypervisor, type.ToLowerInvariant(), vcpu, input, root);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void Each_pair_starts_serves_shuts_down_when_asked_and_starts_again_after_a_kill(string hypervisor, string type, int vcpu, string input, bool root)
    {
        // The helper gets its right from its file, which a user without a bounding set can't gain.
        var helper = hypervisor == "qemu" && type == "bridge" && root;
        var file = Declare(hypervisor, type, vcpu, helper);
        var up = Binary.Microvm("up", "--user", root ? "root" : Nobody, "--netns", _ns.Name, file);
        Assert.True(up.Code == 0, up.Err);
        _ns.Ip("link", "set", "br0", "mtu", $"{LinkMtu}");
        if (type != "user" && !helper)
        {
            _ns.Ip("link", "set", "vm-s", "mtu", $"{LinkMtu}");
        }

        using (var killed = Start(file, input, root))
        {
            killed.WaitFor("guest: ready");
            Process.GetProcessById(killed.Id).Kill();
            if (input == Background)
            {
                killed.WaitFor("the script goes on");
            }
            Assert.NotEqual(1, killed.WaitForEnd());
        }
        // What the killed one's children hold open goes a moment later.
        Assert.True(SpinWait.SpinUntil(() => Call(root, "run", "--dry-run", file).Code == 0, TimeSpan.FromSeconds(10)), Call(root, "run", "--dry-run", file).Out);

        using var guest = Start(file, input, root);
        guest.WaitFor("guest: ready");
        var console = guest.Console;
        Assert.Contains($"guest: mac {Mac}\n", console, StringComparison.Ordinal);
        var pairs = type != "user" && !helper && hypervisor is "qemu" or "cloud-hypervisor" or "alioth" && type != "user" && !helper ? vcpu : 1;
        var queues = Enumerable.Range(0, pairs).Select(n => $"rx-{n}").Concat(Enumerable.Range(0, pairs).Select(n => $"tx-{n}"));
        Assert.Equal(string.Join(' ', queues), Regex.Match(console, "(?m)^guest: queues (.*?) *$").Groups[1].Value);
        Assert.Contains($"guest: mtu {(type != "user" && hypervisor is not ("kvmtool" or "stratovirt") ? LinkMtu : 1500)}\n", console, StringComparison.Ordinal);
        Serves(guest, hypervisor, type, helper, pairs, file);
        Ends(guest, hypervisor, input, root, file);
        if (!helper)
        {
            var down = Binary.Microvm("down", "--netns", _ns.Name, file);
            Assert.True(down.Code == 0, down.Out + down.Err);
        }
    }

    /// <summary>A shell with job control leaves standard input to what it starts in the background, and the kernel stops who sets the terminal of another job.</summary>
    [Theory]
    [InlineData("alioth")]
    [InlineData("cloud-hypervisor")]
    [InlineData("crosvm")]
    [InlineData("firecracker")]
    [InlineData("kvmtool")]
    [InlineData("qemu")]
    [InlineData("stratovirt")]
    public void A_background_job_of_an_interactive_shell_runs_and_leaves_the_terminal_to_the_shell(string hypervisor)
    {
        var file = Declare(hypervisor, "tap", 1, false);
        Assert.Equal(0, Binary.Microvm("up", "--user", "root", "--netns", _ns.Name, file).Code);
        using var guest = new Started(new(["ip", .. In(true, ["bash", "-c", "set -m; \"$@\" & echo \"in the background: $!\"; wait; echo 'the script goes on'", "sh", _programs.Microvm, "run", file])], 200, 40), null);
        guest.WaitFor("guest: ready");
        Assert.Contains("note: another job has the terminal, so nobody can type at the guest's console", guest.Console, StringComparison.Ordinal);
        Assert.Equal(guest.Terminal!.SettingsBefore, guest.Terminal.Settings());
        Serves(guest, hypervisor, "tap", false, 1, file);
        Ends(guest, hypervisor, Background, true, file);
    }

    private void Serves(Started guest, string hypervisor, string type, bool helper, int pairs, string file)
    {
        if (type == "user")
        {
            // kvmtool's own network is not in its stand-in.
            if (hypervisor != "kvmtool")
            {
                guest.WaitFor(hypervisor == "qemu" ? "guest: leased 10.0.2.15" : "guest: 10.0.2.2 answers");
            }
            return;
        }
        var from = type switch { "tap" => "vm-s", "bridge" => "br0", _ => "far0" };
        _ns.Ip("addr", "add", "10.0.9.1/24", "dev", from);
        var ping = Binary.Run("ip", null, "netns", "exec", _ns.Name, "ping", "-c", "1", "-w", "20", "10.0.9.2");
        Assert.True(ping.Code == 0, ping.Out + guest.Console);
        // The kernel saw the declared MAC on the wire, and has as many queues open.
        Assert.Contains($"lladdr {Mac}", _ns.Ip("neigh", "show", "10.0.9.2", "dev", from), StringComparison.Ordinal);
        if (helper)
        {
            return;
        }
        var status = JsonDocument.Parse(Binary.Microvm("status", "--netns", _ns.Name, "--json", file).Out).RootElement;
        var link = status.ValueKind == JsonValueKind.Array ? status[0] : status;
        Assert.Equal((guest.Hypervisor, pairs), (link.GetProperty("holders")[0].GetProperty("pid").GetInt32(), link.GetProperty("queuesInUse").GetInt32()));
        if (pairs > 1 && type != "macvtap")
        {
            var tun = JsonDocument.Parse(_ns.Ip("-d", "-j", "link", "show", "vm-s")).RootElement[0].GetProperty("linkinfo").GetProperty("info_data");
            Assert.Equal((true, pairs), (tun.GetProperty("multi_queue").GetBoolean(), tun.GetProperty("numqueues").GetInt32()));
        }
    }

    private void Ends(Started guest, string hypervisor, string input, bool root, string file)
    {
        var stopped = Call(root, "shutdown", "--timeout", hypervisor == "qemu" ? "60" : "10", file);
        if (hypervisor == "alioth")
        {
            Assert.Equal(2, stopped.Code);
            Assert.Contains("alioth has no control socket", stopped.Err, StringComparison.Ordinal);
            Assert.Equal(0, Binary.Run("kill", null, $"{guest.Id}").Code);
            guest.WaitForEnd();
            return;
        }
        Assert.True(stopped.Code == 0, stopped.Err + guest.Console);
        Assert.Equal(hypervisor == "kvmtool" ? "'s' was ended: kvmtool can't ask its guest\n" : "'s' has shut down\n", stopped.Out);
        if (input == Background)
        {
            guest.WaitFor("the script goes on");
        }
        guest.WaitForEnd();
        if (hypervisor != "kvmtool")
        {
            Assert.Contains("guest: synced", guest.Console, StringComparison.Ordinal);
        }
        Assert.Equal("'s' is not running\n", Call(root, "shutdown", file).Out);
        if (guest.Terminal is { } terminal)
        {
            Assert.Equal(terminal.SettingsBefore, terminal.Settings());
        }
    }

    private string Declare(string hypervisor, string type, int vcpu, bool helper)
    {
        var qemu = hypervisor == "qemu";
        List<string> parameters = ["seconds=600", .. qemu ? GuestClock.Parameters : []];
        parameters.AddRange(type != "user" ? ["guestip=10.0.9.2/24"] : qemu ? [] : hypervisor == "kvmtool" ? ["guestip=10.0.2.15/24"] : ["guestip=10.0.2.15/24", "ping=10.0.2.2"]);
        var more = type switch
        {
            "macvtap" => ",\"macvtap\":{\"link\":\"low0\",\"mode\":\"bridge\"}",
            "bridge" => $",\"bridge\":\"br0\"{(qemu && !helper ? ",\"bridgeHelper\":false" : "")}",
            _ => "",
        };
        var kernel = StandIn.Kernel(hypervisor) == StandIn.Elf ? StandIn.Elf : $"{_programs.Path}/vmlinuz";
        return _folder.File("vm.json", $$"""
            {"networking":{"hostName":"s"},"microvm":{"hypervisor":"{{hypervisor}}","vcpu":{{vcpu}},"mem":256,"kernel":"{{kernel}}","initrdPath":"{{_programs.Path}}/initrd",
              {{(qemu ? "" : $"\"{hypervisor}\":{{\"package\":\"{_programs.Path}\"}},")}}"kernelParams":[{{string.Join(',', parameters.Select(p => $"\"{p}\""))}}],
              "interfaces":[{"type":"{{type}}","id":"vm-s","mac":"{{Mac}}"{{more}} }] } }
            """);
    }

    /// <summary>/dev/net/tun for every user, and where qemu-bridge-helper looks for its rules a file of ours; <c>ip netns exec</c> has a mount namespace of its own.</summary>
    private const string Surroundings = """
        mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 || exit 1
        [ ! -e etc ] || { mount -t tmpfs none etc && mkdir etc/upper etc/work && mount -t overlay etc -o lowerdir=/etc,upperdir=etc/upper,workdir=etc/work /etc &&
            mkdir -p /etc/qemu && echo allow br0 > /etc/qemu/bridge.conf || exit 1; }
        exec "$@"
        """;

    private string[] In(bool root, params string[] words) => ["netns", "exec", _ns.Name, "env", "--chdir", _home, "sh", "-c", Surroundings, "sh",
        .. root ? (string[])[] : ["setpriv", "--reuid", Nobody, "--regid", Nobody, "--clear-groups", "--bounding-set=-all", "--"], .. words];

    private Binary.Outcome Call(bool root, params string[] arguments) => Binary.Run("ip", null, In(root, [_programs.Microvm, .. arguments]));

    private Started Start(string file, string input, bool root)
    {
        Directory.CreateDirectory(Path.Combine(_home, "etc"));
        // A user's files are the user's, and root's are root's: it is not asked for consent to them.
        Assert.Equal(0, Binary.Run("chown", null, "-R", root ? "0:0" : $"{Nobody}:{Nobody}", _home).Code);
        Assert.Equal(0, Binary.Run("chmod", null, "a+rX", _home, file).Code);
        string[] run = [_programs.Microvm, "run", file];
        return input switch
        {
            Null => new(null, new("ip", In(root, ["sh", "-c", "exec \"$@\" < /dev/null", "sh", .. run]))),
            Terminal => new(new(["ip", .. In(root, run)], 200, 40), null),
            _ => new(new(["ip", .. In(root, ["sh", "-c", "\"$@\" & echo \"in the background: $!\"; wait; echo 'the script goes on'", "sh", .. run])], 200, 40), null),
        };
    }
}
