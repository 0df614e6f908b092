using Microvm.Declaration;
using Microvm.Host.Doctor;
using Microvm.Linux;
using Severity = Microvm.Host.Doctor.Severity;

namespace Microvm.Tests;

/// <summary>The doctor's decisions about hosts unlike this one: files under a root of their own.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class CheckupTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("microvm-root-").FullName;
    public void Dispose() => Directory.Delete(_root, true);

    private void Put(string path, string text = "", UnixFileMode? mode = null)
    {
        var file = _root + path;
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        if (mode is { } m)
        {
            File.SetUnixFileMode(file, m);
        }
    }

    private static MicrovmConfig Vm(string hypervisor, params string[] interfaces)
    {
        var bag = new DiagnosticBag();
        var json = $$"""{"networking":{"hostName":"web"},"microvm":{"hypervisor":"{{hypervisor}}","interfaces":[{{string.Join(',', interfaces)}}] } }""";
        var vm = new DeclarationReader(bag).Read(JsonFrontDoor.Read("vm.json", System.Text.Encoding.UTF8.GetBytes(json), bag)!);
        return vm ?? throw new InvalidOperationException(string.Join('\n', bag.All));
    }

    private static readonly Person s_alice = new("alice", 4242, [4242]);
    private HostView Host(Person? person = null, params MicrovmConfig[] vms) =>
        new(_root, vms, [.. vms.SelectMany(v => v.Interfaces.Select(i => new Attachment(v.Name, i, i.Type == InterfaceType.Bridge ? AttachmentKind.BridgeHelper : AttachmentKind.TapByName, 1)))])
        { Person = person ?? new("root", 0, []), Links = [], Firewall = Firewall.None, SearchPath = ["/usr/bin"] };

    private static readonly string s_tap = """{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}""";
    private static Finding One(ICheck check, HostView host) => Assert.Single(check.Look(host));

    [Fact]
    public void A_kernel_feature_is_built_in_loaded_loadable_or_missing()
    {
        Finding Tun() => new KernelFeatures().Look(Host(null, Vm("qemu", s_tap))).First();
        Assert.Equal(Severity.Problem, Tun().Severity);
        // modprobe could not load what is not there.
        Assert.Null(Tun().Mend);
        Put("/proc/sys/kernel/osrelease", "6.1.0\n");
        Put("/lib/modules/6.1.0/modules.dep", "kernel/drivers/net/tun.ko.xz: kernel/a.ko\n");
        Assert.Equal((Severity.Ok, "tun is a module that can be loaded"), (Tun().Severity, Tun().Found));
        Put("/lib/modules/6.1.0/modules.builtin", "kernel/drivers/net/tun.ko\n");
        Assert.Equal("the kernel has tun", Tun().Found);
    }

    [Fact]
    public void The_tun_node_must_be_there_and_open_to_the_one_who_runs_vms()
    {
        var check = new TunPermissions();
        Assert.Equal(Severity.Problem, One(check, Host(s_alice)).Severity);
        Put("/dev/net/tun", "", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var closed = One(check, Host(s_alice, Vm("qemu", s_tap)));
        Assert.Equal((Severity.Problem, "alice may not open /dev/net/tun (mode 0600)"), (closed.Severity, closed.Found));
        Assert.Equal(Severity.Note, One(check, Host()).Severity);
        Put("/dev/net/tun", "", (UnixFileMode)0x1b6);
        Assert.Equal(Severity.Ok, One(check, Host(s_alice)).Severity);
    }

    [Fact]
    public void Kvm_is_judged_by_node_permissions_and_processor()
    {
        var check = new KvmAccess();
        Put("/proc/cpuinfo", "flags\t\t: fpu svm\n");
        Assert.Null(One(check, Host()).Mend);
        Put("/proc/sys/kernel/osrelease", "6.1.0\n");
        Put("/lib/modules/6.1.0/modules.dep", "kernel/arch/x86/kvm/kvm-amd.ko.xz: kernel/a.ko\n");
        Assert.Equal("sudo modprobe kvm_amd", One(check, Host()).Mend);
        Assert.Equal(Severity.Problem, One(check, Host(null, Vm("firecracker", s_tap))).Severity);
        Put("/dev/kvm", "", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite);
        Assert.StartsWith("sudo chgrp kvm /dev/kvm; sudo chmod 0660 /dev/kvm; sudo usermod -aG kvm alice", One(check, Host(s_alice)).Mend);
        Assert.Equal(Severity.Ok, One(check, Host(s_alice with { Groups = [0] })).Severity);
        Put("/proc/cpuinfo", "flags\t\t: fpu\n");
        Directory.CreateDirectory(_root + "/sys/module/kvm_pvm");
        Assert.Contains("kvm_pvm", One(check, Host()).Found);
    }

    /// <summary>Of an aarch64 server: no line of flags, and features without any for virtualization.</summary>
    private const string ArmProcessor = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n";

    [Fact]
    public void On_aarch64_the_node_of_KVM_is_enough_and_QEMU_is_that_of_aarch64()
    {
        var check = new KvmAccess();
        Put("/proc/cpuinfo", ArmProcessor);
        var without = One(check, Host());
        Assert.Equal("/dev/kvm is not there: the kernel was not started at EL2, or has no KVM", without.Found);
        Assert.DoesNotContain("vmx", $"{without.Found}{without.Why}", StringComparison.Ordinal);
        Put("/dev/kvm", "", (UnixFileMode)0x1b6);
        Assert.Equal((Severity.Ok, "KVM can be used"), (One(check, Host()).Severity, One(check, Host()).Found));

        Assert.True(Microvm.Host.Accelerator.IsBacked(ArmProcessor.Split('\n')));
        Assert.True(Microvm.Host.Accelerator.IsBacked(["flags\t\t: fpu svm npt"]));
        Assert.False(Microvm.Host.Accelerator.IsBacked(["vendor_id\t: GenuineIntel", "flags\t\t: fpu vmxoff"]));

        HostView arm = new(_root, [Vm("qemu", s_tap)], []) { Person = new("root", 0, []), Links = [], Firewall = Firewall.None, SearchPath = ["/usr/bin"], Architecture = System.Runtime.InteropServices.Architecture.Arm64 };
        var missing = Assert.Single(new Programs().Look(arm), f => f.Found.Contains("qemu-system", StringComparison.Ordinal));
        Assert.Equal(("there is no qemu-system-aarch64 on the PATH", "sudo apt install qemu-system-arm"), (missing.Found, missing.Mend));
        Put("/usr/bin/qemu-system-aarch64", "", (UnixFileMode)0x1ed);
        Assert.Contains(new Programs().Look(arm), f => f.Found == "qemu is /usr/bin/qemu-system-aarch64");
    }

    [Fact]
    public void The_bridge_helper_must_be_privileged_and_allowed_the_bridge()
    {
        var vm = Vm("qemu", """{"type":"bridge","id":"vm-a1","mac":"02:00:00:00:00:01","bridge":"br0"}""");
        var check = new BridgeHelper();
        Assert.Equal(Severity.Problem, One(check, Host(s_alice, vm)).Severity);
        Put("/usr/lib/qemu/qemu-bridge-helper", "", (UnixFileMode)0x1ed);
        Assert.Equal([Severity.Problem, Severity.Problem], check.Look(Host(s_alice, vm)).Select(f => f.Severity));
        Put("/etc/qemu/bridge.conf", "# allow br0\nallow br1\n");
        Assert.Equal(Severity.Problem, check.Look(Host(s_alice, vm)).Last().Severity);
        Put("/etc/qemu/bridge.conf", "allow\tbr0\n");
        File.SetUnixFileMode(_root + "/usr/lib/qemu/qemu-bridge-helper", (UnixFileMode)0x9ed);
        Assert.Equal([Severity.Ok, Severity.Ok], check.Look(Host(s_alice, vm)).Select(f => f.Severity));
        Put("/etc/qemu/bridge.conf", "allow all\ndeny br0\n");
        Assert.Equal((Severity.Problem, "/etc/qemu/bridge.conf denies br0"), (check.Look(Host(s_alice, vm)).Last().Severity, check.Look(Host(s_alice, vm)).Last().Found));
        Put("/etc/qemu/bridge.conf", "include /etc/qemu/mine.conf\n");
        Assert.Equal(Severity.Problem, check.Look(Host(s_alice, vm)).Last().Severity);
        Put("/etc/qemu/mine.conf", "allow br0\n");
        Assert.Equal(Severity.Ok, check.Look(Host(s_alice, vm)).Last().Severity);
        Put("/etc/qemu/bridge.conf", "allow br0\nallow\n");
        Assert.Equal((Severity.Problem, "/etc/qemu/bridge.conf:2 is no rule"), (check.Look(Host(s_alice, vm)).Last().Severity, check.Look(Host(s_alice, vm)).Last().Found));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("[keyfile]\nunmanaged-devices=interface-name:eth0;interface-name:vm-*\n", false)]
    [InlineData("[keyfile]\nunmanaged-devices=interface-name:tap*\n", true)]
    [InlineData("[keyfile]\nunmanaged-devices=*\n", false)]
    public void NetworkManager_is_told_of_unless_it_leaves_our_links_alone(string configuration, bool told)
    {
        Directory.CreateDirectory(_root + "/run/NetworkManager");
        Put("/etc/NetworkManager/conf.d/10.conf", configuration);
        Assert.Equal(told ? Severity.Warning : Severity.Ok, One(new NetworkManagers(), Host(null, Vm("qemu", s_tap))).Severity);
    }

    [Theory]
    [InlineData("[Match]\nName=en* vm-*\n\n[Network]\nDHCP=yes\n", true)]
    [InlineData("[Match]\nName=vm-*\n\n[Link]\nUnmanaged=yes\n", false)]
    [InlineData("[Match]\nName=vm-*\n\n[Network]\nBridge=br0\n", false)]
    [InlineData("[Match]\nName=en*\n", false)]
    public void Networkd_is_told_of_where_a_file_of_it_takes_our_link(string network, bool told)
    {
        Directory.CreateDirectory(_root + "/run/systemd/netif");
        Put("/etc/systemd/network/20.network", network);
        Assert.Equal(told ? Severity.Warning : Severity.Ok, One(new NetworkManagers(), Host(null, Vm("qemu", s_tap))).Severity);
    }

    [Fact]
    public void Docker_is_named_where_it_set_the_forward_policy()
    {
        Put("/run/docker.pid", "1");
        FirewallRule jump = new(FirewallChain.Ip, "filter", "FORWARD", 1, [new Decide(new(VerdictKind.Jump, "DOCKER-USER"))]);
        Put("/usr/bin/iptables");
        var host = new HostView(_root, [Vm("qemu", s_tap)], [])
        { Links = [], SearchPath = ["/usr/bin"], Firewall = Firewall.None with { Rules = [jump], Chains = [new FirewallChain(FirewallChain.Ip, "filter", "FORWARD", FirewallChain.Forward, true)] } };
        var finding = new ForwardPolicy().Look(host).First();
        Assert.Contains("Docker", finding.Found);
        Assert.StartsWith("sudo iptables -I DOCKER-USER -i vm-a1 -j ACCEPT", finding.Mend);
    }

    [Fact]
    public void A_wireless_lower_device_is_a_problem()
    {
        Directory.CreateDirectory(_root + "/sys/class/net/wlan0/phy80211");
        var vm = Vm("qemu", """{"type":"macvtap","id":"m","mac":"02:00:00:00:00:01","macvtap":{"link":"wlan0","mode":"bridge"}}""");
        var host = new HostView(_root, [vm], []) { Firewall = Firewall.None, Links = [new Link(3, "wlan0", true, null, null, 0, null, 1500, null, null)] };
        Assert.Equal(Severity.Problem, One(new LowerDevices(), host).Severity);
    }

    [Fact]
    public void A_missing_program_is_a_problem_only_where_it_is_needed()
    {
        Put("/usr/bin/nix-instantiate");
        var findings = new Programs().Look(Host(null, Vm("qemu", s_tap))).ToList();
        Assert.Equal([Severity.Ok, Severity.Note, Severity.Problem, Severity.Ok, Severity.Ok], findings.Select(f => f.Severity));
        Assert.Equal("sudo apt install qemu-system-x86", findings[2].Mend);
    }

    [Fact]
    public void Every_check_has_its_own_name_and_every_finding_bears_it()
    {
        Assert.Equal(Checkup.All.Count, Checkup.All.Select(c => c.Name).Distinct().Count());
        foreach (var check in Checkup.All)
        {
            Assert.All(check.Look(Host(s_alice, Vm("qemu", s_tap))), f => Assert.Equal(check.Name, f.Check));
        }
    }
}
