using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>Every hypervisor but QEMU, by its stand-in: started by <c>microvm run</c>, asked what it sees, stopped, and started again.</summary>
public sealed class StandInTests : IDisposable
{
    private const string Mac = "02:00:00:00:00:01", Nobody = "65534";
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();
    private readonly string _home;
    private string _package = StandIn.Folder;

    public StandInTests()
    {
        _home = _folder.File("x", "")[..^2];
        StandIn.Networks(_ns);
    }

    public void Dispose()
    {
        _ns.Dispose();
        // A hypervisor that was killed ends a moment later.
        for (var n = 0; n < 20; n++)
        {
            try
            {
                _folder.Dispose();
                return;
            }
            catch (IOException)
            {
                Thread.Sleep(50);
            }
        }
    }

    private string Declare(string hypervisor, string type = "tap", int vcpu = 1, string parameters = "", string more = "", string? kernel = null) => _folder.File("vm.json", $$"""
        {"networking":{"hostName":"s"},"microvm":{"hypervisor":"{{hypervisor}}","vcpu":{{vcpu}},"mem":256,"kernel":"{{kernel ?? StandIn.Kernel(hypervisor)}}","initrdPath":"/etc/hostname",
          "{{hypervisor}}":{"package":"{{_package}}"},"kernelParams":["guestip={{(type == "user" ? "10.0.2.15" : "10.0.9.2")}}/24"{{(type == "user" && hypervisor != "kvmtool" ? ",\"ping=10.0.2.2\"" : "")}}{{parameters}}]{{more}},
          "interfaces":[{"type":"{{type}}","id":"vm-s","mac":"{{Mac}}"{{type switch
    {
        "macvtap" => ",\"macvtap\":{\"link\":\"low0\",\"mode\":\"bridge\"}",
        "bridge" => ",\"bridge\":\"br0\"",
        _ => "",
    }}}}] } }
        """);

    private string[] In(params string[] words) => ["netns", "exec", _ns.Name, "env", "--chdir", _home, .. words];

    private void Up(string file, string user = "root")
    {
        var up = Binary.Microvm("up", "--user", user, "--netns", _ns.Name, file);
        Assert.True(up.Code == 0, up.Err);
    }

    /// <summary>As a script has it: standard input is /dev/null.</summary>
    private Guest Start(string file) => new("ip", In("sh", "-c", "exec \"$@\" </dev/null", "sh", Binary.Path, "run", file));

    private Binary.Outcome Shutdown(string file, params string[] arguments) => Binary.Run("ip", null, In([Binary.Path, "shutdown", .. arguments, file]));

    private void AnswersPing(string from, string address = "10.0.9.2")
    {
        _ns.Ip("addr", "add", "10.0.9.1/24", "dev", from);
        var ping = Binary.Run("ip", null, "netns", "exec", _ns.Name, "ping", "-c", "1", "-w", "5", address);
        Assert.True(ping.Code == 0, ping.Out);
    }

    public static TheoryData<string, string, bool> Inputs()
    {
        var data = new TheoryData<string, string, bool>();
        foreach (var hypervisor in HypervisorTable.All.Select(h => h.Name).Where(n => n is not ("qemu" or "vfkit")))
        {
            foreach (var input in (string[])["closed", "null", "pipe", "terminal"])
            {
                data.Add(hypervisor, input, true);
                data.Add(hypervisor, input, false);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Inputs))]
    public void Each_hypervisor_starts_whatever_standard_input_is_as_root_and_as_a_user(string hypervisor, string input, bool root)
    {
        Assert.SkipWhen(!root && File.Exists($"{Binary.Path}.dll"), "a managed build can't be copied alone");
        var binary = Binary.Path;
        if (!root)
        {
            binary = Path.Combine(_home, "microvm");
            File.Copy(Binary.Path, binary);
            File.Copy(StandIn.BzImage, Path.Combine(_home, "vmlinuz"));
            Directory.CreateDirectory(Path.Combine(_home, "bin"));
            foreach (var program in Directory.GetFiles(Path.Combine(StandIn.Folder, "bin")))
            {
                File.Copy(program, Path.Combine(_home, "bin", Path.GetFileName(program)));
            }
            _package = _home;
        }
        var kernel = StandIn.Kernel(hypervisor) is var usual && !root && usual == StandIn.BzImage ? Path.Combine(_home, "vmlinuz") : usual;
        var file = Declare(hypervisor, vcpu: 2, parameters: ",\"seconds=2\"", kernel: kernel);
        Binary.Run("chmod", null, "-R", "a+rwX", _home);
        Up(file, root ? "root" : Nobody);
        string[] start = [.. root ? (string[])[] : ["setpriv", "--reuid", Nobody, "--regid", Nobody, "--clear-groups", "--bounding-set=-all", "--"], "env", "-u", "HOME", binary, "run", .. root ? (string[])["--trust"] : [], file];
        // What root agrees to is remembered, here for the test alone: the folder is one that others may write.
        const string WithTun = "mount -t tmpfs none /var/lib && mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec \"$@\"";
        string[] words = ["ip", .. In(["sh", "-c", WithTun + (input switch { "closed" => " <&-", "null" => " </dev/null", _ => "" }), "sh", .. start])];
        if (input == "terminal")
        {
            using var terminal = new PseudoTerminal(words, 200, 40);
            Assert.True(terminal.ReadUntil(s => s.Text.Contains("guest: ready"), TimeSpan.FromSeconds(20)), terminal.Screen.Text);
            // Firecracker stays after a power-off.
            Assert.True(hypervisor == "firecracker" || terminal.WaitForExit(TimeSpan.FromSeconds(10)) is 0 or 137, terminal.Screen.Text);
            Assert.Equal(hypervisor == "firecracker" ? terminal.Settings() : terminal.SettingsBefore, terminal.Settings());
            return;
        }
        using var guest = new Guest(words[0], words[1..]);
        guest.WaitFor("guest: ready");
        Assert.Contains($"guest: mac {Mac}", guest.Console);
    }

    /// <summary>The originals, wherever they are: what is not on the PATH is told by name, and so is a host without KVM.</summary>
    [Theory]
    [InlineData("alioth")]
    [InlineData("cloud-hypervisor")]
    [InlineData("crosvm")]
    [InlineData("firecracker")]
    [InlineData("kvmtool")]
    [InlineData("stratovirt")]
    public void The_original_starts_serves_and_stops_where_it_is_in_PATH(string hypervisor)
    {
        var program = HypervisorTable.Find(hypervisor)!.Facts.Program;
        Assert.SkipWhen(Microvm.Linux.SearchPath.Find(program) is null, $"{hypervisor} was not run: there is no {program} on the PATH");
        Assert.SkipUnless(Microvm.Host.Accelerator.KvmUsable(), $"{hypervisor} was not run: KVM can't be used here");
        // StratoVirt's guest needs a kernel with CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES, and some boot a vmlinux only.
        var kernel = Environment.GetEnvironmentVariable("MICROVM_TEST_VMLINUX") is { Length: > 0 } given && hypervisor is "cloud-hypervisor" or "firecracker" or "crosvm"
            ? Environment.GetEnvironmentVariable("MICROVM_TEST_VMLINUX")! : StandIn.BzImage;
        Assert.SkipWhen(hypervisor == "stratovirt" && Environment.GetEnvironmentVariable("MICROVM_TEST_STRATOVIRT_KERNEL") is null, "stratovirt was not run: MICROVM_TEST_STRATOVIRT_KERNEL names no kernel with CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES");
        kernel = hypervisor == "stratovirt" ? Environment.GetEnvironmentVariable("MICROVM_TEST_STRATOVIRT_KERNEL")! : kernel;
        var file = _folder.File("vm.json", $$"""
            {"networking":{"hostName":"s"},"microvm":{"hypervisor":"{{hypervisor}}","mem":256,"kernel":"{{kernel}}","initrdPath":"{{Binary.Root}}/out/guest/initrd",
              "kernelParams":["guestip=10.0.9.2/24","seconds=60"],"interfaces":[{"type":"tap","id":"vm-s","mac":"{{Mac}}"}]} }
            """);
        Up(file);
        using var guest = Start(file);
        guest.WaitFor("guest: ready");
        Assert.Contains($"guest: mac {Mac}", guest.Console);
        AnswersPing("vm-s");
        if (HypervisorTable.Find(hypervisor)!.Facts.Stop != StopWay.Signal)
        {
            Assert.Equal(0, Shutdown(file).Code);
        }
    }

    [Fact]
    public void Plan_tells_why_there_is_one_queue_pair_for_more_vCPUs()
    {
        foreach (var hypervisor in (string[])["crosvm", "stratovirt"])
        {
            Assert.Contains("'vm-s' of 's' gets one queue pair for 4 vCPUs", Binary.Microvm("plan", "--netns", _ns.Name, Declare(hypervisor, vcpu: 4)).Err);
            Assert.Contains("One queue pair, though there are 4 vCPUs", Binary.Microvm("explain", Declare(hypervisor, vcpu: 4)).Out.ReplaceLineEndings(" "));
        }
        Assert.DoesNotContain("queue pair", Binary.Microvm("plan", "--netns", _ns.Name, Declare("alioth", vcpu: 4)).Err);
    }

    [Fact]
    public void A_script_outlives_the_hypervisor_that_kills_its_process_group()
    {
        var file = Declare("crosvm", parameters: ",\"seconds=1\"");
        Up(file);
        var script = Binary.Run("ip", null, In("setsid", "--wait", "sh", "-c", "\"$0\" run \"$1\" & wait; echo survived", Binary.Path, file));
        Assert.Contains("guest: its time is over", script.Out);
        Assert.EndsWith("survived\n", script.Out);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" | cat")]
    public void A_script_in_the_foreground_of_a_terminal_outlives_it_too_and_has_its_terminal_back(string pipe)
    {
        var file = Declare("crosvm", parameters: ",\"seconds=1\"");
        Up(file);
        using var terminal = new PseudoTerminal(["ip", .. In("sh", "-c", $"\"$0\" run \"$1\"{pipe}; echo it is back; read answer; echo survived with $answer", Binary.Path, file)], 200, 40);
        Assert.True(terminal.ReadUntil(s => s.Text.Contains("guest: its time is over") && s.Text.Contains("it is back"), TimeSpan.FromSeconds(20)), terminal.Screen.Text);
        terminal.Send("its keys\n");
        Assert.True(terminal.ReadUntil(s => s.Text.Contains("survived with its keys"), TimeSpan.FromSeconds(10)), terminal.Screen.Text);
    }

    [Theory]
    [InlineData("cloud-hypervisor")]
    [InlineData("crosvm")]
    [InlineData("firecracker")]
    [InlineData("stratovirt")]
    public void A_guest_that_is_booting_is_asked_again_until_it_hears(string hypervisor)
    {
        var file = Declare(hypervisor, parameters: ",\"boots=4\"");
        Up(file);
        using var guest = Start(file);
        guest.WaitFor("guest: ready");
        var clock = Stopwatch.StartNew();
        var stopped = Shutdown(file);
        Assert.True(stopped.Code == 0, stopped.Err + guest.Console);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"{clock.Elapsed}");
        Assert.Contains("guest: missed ", guest.Console);
    }

    [Theory]
    [InlineData("gzip", "H4sI")]
    [InlineData("zstd", "KLUv/Q==")]
    [InlineData("xz", "/Td6WFoA")]
    [InlineData("lzma", "XQAAAA==")]
    [InlineData("bzip2", "Qlpo")]
    [InlineData("lz4", "AiFMGA==")]
    [InlineData("lzop", "iUxaTw==")]
    public void A_compressed_kernel_is_refused_with_the_command_that_unpacks_it(string tool, string head)
    {
        var kernel = Path.Combine(_home, "vmlinux.packed");
        File.WriteAllBytes(kernel, [.. Convert.FromBase64String(head), .. new byte[1024]]);
        var file = Declare("kvmtool", kernel: kernel);
        Up(file);
        var run = Binary.Run("ip", null, In(Binary.Path, "run", file));
        Assert.Equal(1, run.Code);
        Assert.Contains($"is compressed with {tool}, and kvmtool boots a bzImage", run.Err);
        Assert.Contains($"-dc {kernel} > vmlinux", run.Err);
    }

    [Fact]
    public void What_a_StratoVirt_was_built_without_is_left_out_and_said()
    {
        _package = Path.Combine(StandIn.Folder, "plain");
        var file = Declare("stratovirt", more: ",\"vsock\":{\"cid\":7}");
        Up(file);
        using (var guest = Start(file))
        {
            guest.WaitFor("guest: ready");
            Assert.Contains("note: this stratovirt was built without vhost_vsock, so the guest has no vsock", guest.Console);
        }
        foreach (var (folder, has) in (IEnumerable<(string, bool)>)[("plain/bin", false), ("bin", true)])
        {
            var diagnostics = new DiagnosticBag();
            var declaration = File.ReadAllText(file).Replace("\"id\":\"vm-s\"", "\"id\":\"vm-s\",\"tap\":{\"vhost\":true}", StringComparison.Ordinal);
            var vm = new DeclarationReader(diagnostics).Read(JsonFrontDoor.Read("vm.json", System.Text.Encoding.UTF8.GetBytes(declaration), diagnostics)!)!;
            var attachments = HypervisorTable.Attach(vm, out _);
            var facts = Microvm.Host.Run.HypervisorProcess.Look(vm, attachments, Path.Combine(StandIn.Folder, folder, "stratovirt"), new(true));
            var words = string.Join(' ', HypervisorTable.Find("stratovirt")!.Render(vm, attachments, facts).Words);
            Assert.Equal((has, has, has), (words.Contains("vhost=on"), words.Contains("vhost-vsock-device"), words.Contains("virtio-rng-device")));
            Assert.Equal(has ? 0 : 2, Microvm.Host.Run.HypervisorProcess.LeftOut(vm, attachments, facts).Count());
        }
    }

    [Fact]
    public void A_second_run_of_a_VM_is_refused_and_the_first_one_goes_on()
    {
        var file = Declare("cloud-hypervisor");
        Up(file);
        using var guest = Start(file);
        guest.WaitFor("guest: ready");
        var again = Binary.Run("ip", null, In(Binary.Path, "run", file));
        Assert.Equal(1, again.Code);
        Assert.Contains("the control socket s.sock is served by", again.Err);
        Assert.Equal("'s' has shut down\n", Shutdown(file).Out);
    }

    [Theory]
    [InlineData("alioth", "ELF")]
    [InlineData("kvmtool", "ELF")]
    [InlineData("stratovirt", "ELF")]
    [InlineData("firecracker", "bzImage")]
    public void A_kernel_that_the_hypervisor_does_not_boot_is_refused_with_the_way_out(string hypervisor, string format)
    {
        var file = Declare(hypervisor, kernel: format == "ELF" ? StandIn.Elf : StandIn.BzImage);
        Up(file);
        var run = Binary.Run("ip", null, In("env", "FIRECRACKER_VERSION=1.14.1", Binary.Path, "run", file));
        Assert.Equal(1, run.Code);
        Assert.Contains(format == "ELF" ? "set microvm.kernel to the bzImage of the same build" : "firecracker 1.14.1 boots a vmlinux (ELF), since 1.17 also a bzImage", run.Err);
        if (hypervisor == "firecracker")
        {
            using var newer = Start(file);
            newer.WaitFor("guest: ready");
        }
    }

    [Fact]
    public void A_kernel_whose_configuration_lacks_what_StratoVirt_needs_is_told()
    {
        File.Copy(StandIn.BzImage, Path.Combine(_home, "vmlinuz-6.1.0-test"));
        _folder.File("config-6.1.0-test", "CONFIG_VIRTIO_MMIO=m\n# CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES is not set\n");
        var file = Declare("stratovirt", kernel: Path.Combine(_home, "vmlinuz-6.1.0-test"));
        Up(file);
        var run = Binary.Run("ip", null, In(Binary.Path, "run", file));
        Assert.Equal(1, run.Code);
        Assert.Contains("built without CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES", run.Err);
        Assert.Contains("built without CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES", Binary.Microvm("doctor", file).Out.ReplaceLineEndings(" ").Replace("          ", " "));
    }

    [Fact]
    public void A_StratoVirt_that_was_built_without_virtio_rng_is_not_asked_for_it()
    {
        _package = Path.Combine(StandIn.Folder, "plain");
        var file = Declare("stratovirt");
        Assert.DoesNotContain("virtio-rng", Binary.Microvm("command", file).Out);
        Up(file);
        using (var guest = Start(file))
        {
            guest.WaitFor("guest: ready");
        }
        _package = StandIn.Folder;
        Assert.Contains("virtio-rng-device", Binary.Microvm("command", Declare("stratovirt")).Out);
    }

    [Theory]
    [InlineData("alioth", true)]
    [InlineData("cloud-hypervisor", true)]
    [InlineData("crosvm", true)]
    [InlineData("firecracker", true)]
    [InlineData("kvmtool", false)]
    [InlineData("stratovirt", false)]
    public void The_guest_learns_the_MTU_of_the_link_where_the_hypervisor_can_tell_it(string hypervisor, bool told)
    {
        var file = Declare(hypervisor);
        Up(file);
        _ns.Ip("link", "set", "vm-s", "mtu", "1400");
        using var guest = Start(file);
        guest.WaitFor("guest: ready");
        Assert.Contains($"guest: mtu {(told ? 1400 : 1500)}", guest.Console);
        Assert.Equal(!told, HypervisorTable.Find(hypervisor)!.Facts.Mtu.Contains("can't pass it"));
    }

    [Fact]
    public void An_older_Firecracker_gets_neither_what_it_does_not_know_nor_less_than_it_needs()
    {
        var file = Declare("firecracker");
        Up(file);
        _ns.Ip("link", "set", "vm-s", "mtu", "1400");
        using var guest = new Guest("ip", In("env", "FIRECRACKER_VERSION=1.12.1", Binary.Path, "run", file));
        guest.WaitFor("guest: ready");
        Assert.Contains("guest: mtu 1500", guest.Console);
        Assert.Equal("'s' has shut down\n", Shutdown(file).Out);
    }

    [Fact]
    public void Firecrackers_metadata_service_and_a_live_change_find_the_interface_by_its_declared_id()
    {
        var file = Declare("firecracker", more: ",\"socket\":\"api.sock\"");
        // Declared ids are what people write in extraConfig, as with microvm.nix; Firecracker starts only where the interface is there.
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"firecracker\":{", "\"firecracker\":{\"extraConfig\":{\"mmds-config\":{\"version\":\"V2\",\"network_interfaces\":[\"vm-s\"]} },", StringComparison.Ordinal));
        Up(file);
        using var guest = Start(file);
        guest.WaitFor("guest: ready");
        var vm = new DeclarationReader(new()).Read(JsonFrontDoor.Read(file, File.ReadAllBytes(file), new())!)!;
        var id = HypervisorTable.Find("firecracker")!.InterfaceId(vm, vm.Interfaces[0])!;
        Assert.Equal("HTTP/1.1 204 No Content", Patched(id));
        // A path takes no '-', and there is no other interface.
        Assert.Equal("HTTP/1.1 400 Bad Request", Patched("vm-s"));
        Assert.Equal("HTTP/1.1 400 Bad Request", Patched("vm_t"));
    }

    /// <summary>What Firecracker answers to a rate limit for an interface.</summary>
    private string Patched(string id)
    {
        const string Limit = """{"rx_rate_limiter":{"bandwidth":{"size":1000000,"refill_time":100} } }""";
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 10_000 };
        socket.Connect(new UnixDomainSocketEndPoint(Path.Combine(_home, "api.sock")));
        socket.Send(Encoding.ASCII.GetBytes($"PATCH /network-interfaces/{id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {Limit.Length}\r\n\r\n{Limit}"));
        using var answer = new StreamReader(new NetworkStream(socket), Encoding.ASCII);
        return answer.ReadLine()!;
    }

    [Fact]
    public void An_older_Alioth_is_told_apart_before_it_fails_at_a_macvtap()
    {
        var file = Declare("alioth", "macvtap");
        Up(file);
        var run = Binary.Run("ip", null, In("env", "ALIOTH_VERSION=0.11.0", Binary.Path, "run", file));
        Assert.Equal(1, run.Code);
        Assert.Contains("add --attachment vm-s=tap-redirect to 'microvm up' and 'microvm run'", run.Err);
    }

    [Fact]
    public void A_guest_that_does_not_listen_is_told_and_a_Firecracker_whose_guest_powers_off_stays()
    {
        var file = Declare("firecracker", parameters: ",\"halt=1\"");
        Up(file);
        using var guest = Start(file);
        guest.WaitFor("guest: ready");
        var stopped = Shutdown(file, "--timeout", "1");
        Assert.Equal(1, stopped.Code);
        Assert.Contains("still runs", stopped.Err);
        Assert.Contains("guest: asked by ctrl-alt-del, shutting down", guest.Console);
    }

    [Fact]
    public void Crosvms_reason_comes_whole_after_its_noise()
    {
        var file = Declare("crosvm");
        Up(file);
        using var guest = Start(file);
        guest.WaitFor("guest: ready");
        // A program of that name that fails as the real one does.
        Directory.CreateDirectory(Path.Combine(_home, "bin"));
        var failing = _folder.File("bin/crosvm", "#!/bin/sh\nprintf '%s\\n' 'syslog init failed: No such file or directory' one two 'failed to send: the reason' >&2\nexit 1\n");
        File.SetUnixFileMode(failing, (UnixFileMode)0b111_101_101);
        _package = _home;
        var refused = Shutdown(Declare("crosvm"));
        Assert.Equal(1, refused.Code);
        Assert.Contains("'crosvm powerbtn' failed: one; two; failed to send: the reason", refused.Err);
        Assert.DoesNotContain("syslog", refused.Err);
    }

    [Fact]
    public void Duplicates_of_one_descriptor_are_one_queue_in_status()
    {
        var file = Declare("cloud-hypervisor", vcpu: 2);
        Up(file);
        using var guest = Start(file);
        guest.WaitFor("guest: ready");
        Assert.Matches(@"\b2/2\b", Binary.Microvm("status", "--netns", _ns.Name, file).Out);
    }

    [Fact]
    public void A_service_manager_hears_that_the_hypervisor_runs()
    {
        var file = Declare("cloud-hypervisor");
        Up(file);
        var path = Path.Combine(_home, "notify");
        using var manager = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Dgram, System.Net.Sockets.ProtocolType.Unspecified);
        manager.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
        manager.ReceiveTimeout = 10_000;
        using var guest = new Guest("ip", In("env", $"NOTIFY_SOCKET={path}", Binary.Path, "run", file));
        var heard = new byte[512];
        Assert.StartsWith("READY=1\n", System.Text.Encoding.UTF8.GetString(heard, 0, manager.Receive(heard)));
        guest.WaitFor("guest: ready");
    }
}
