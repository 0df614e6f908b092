using System.Text.Json;
using CsCheck;
using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Tests;

/// <summary>What each hypervisor is given, without starting one.</summary>
[Trait("needs", "nothing")]
public sealed class HypervisorTests
{
    private static readonly HostFacts s_host = new(Kvm: true);

    private static MicrovmConfig Read(string microvm)
    {
        var diagnostics = new DiagnosticBag();
        var node = JsonFrontDoor.Read("vm.json", System.Text.Encoding.UTF8.GetBytes($$"""{"networking":{"hostName":"a"},"microvm":{{microvm}} }"""), diagnostics);
        var vm = new DeclarationReader(diagnostics).Read(node!);
        Assert.True(vm is not null, string.Join('\n', diagnostics.All));
        return vm;
    }

    private static List<Diagnostic> Findings(string microvm)
    {
        var diagnostics = new DiagnosticBag();
        HypervisorTable.Check(Read(microvm), diagnostics);
        return [.. diagnostics.All];
    }

    private static Invocation Render(MicrovmConfig vm)
    {
        var attachments = HypervisorTable.Attach(vm, out var refusal);
        Assert.Null(refusal);
        return HypervisorTable.Find(vm.Hypervisor)!.Render(vm, attachments, s_host);
    }

    [Fact]
    public void Every_Linux_hypervisor_serves_every_type() =>
        Assert.Equal(28, HypervisorTable.All.Where(h => h.Name != "vfkit").Sum(h => Enum.GetValues<InterfaceType>().Count(t => h.Accepts(t).Count > 0)));

    [Fact]
    public void Vfkit_serves_user_only()
    {
        var tap = Assert.Single(Findings("""{"hypervisor":"vfkit","interfaces":[{"type":"tap","id":"t","mac":"02:00:00:00:00:01"}]}"""));
        Assert.Equal((Severity.Error, "vfkit can't serve 't' of type tap; it serves user"), (tap.Severity, tap.Message));
    }

    [Theory]
    [InlineData("qemu", """ "hotplugMem":256 """, "no virtio-mem", 50)]
    [InlineData("qemu", """ "balloon":true,"initialBalloonMem":8 """, "starts empty", 65)]
    [InlineData("cloud-hypervisor", """ "credentialFiles":{"a":"/b"} """, "no way to hand credentials", 62)]
    [InlineData("firecracker", """ "vcpu":3 """, "even number", 57)]
    [InlineData("firecracker", """ "shares":[{"tag":"a","source":"/b"}] """, "neither 9p nor virtiofs", 57)]
    [InlineData("firecracker", """ "socket":null """, "API socket", 57)]
    [InlineData("crosvm", """ "hotplugMem":256 """, "can't plug memory", 52)]
    [InlineData("crosvm", """ "devices":[{"bus":"usb","path":"hostbus=1"}] """, "USB", 63)]
    [InlineData("kvmtool", """ "shares":[{"tag":"a","source":"/b,c"}] """, "splits its arguments", 63)]
    [InlineData("kvmtool", """ "volumes":[{"image":"a=b","autoCreate":false}] """, "splits its arguments", 64)]
    [InlineData("stratovirt", """ "devices":[{"bus":"pci","path":"0000:01:00.0"}] """, "no PCI", 56)]
    [InlineData("kvmtool", """ "interfaces":[{"type":"tap","id":"t","mac":"02:00:00:00:00:01","tap":{"vhost":true}}] """, "loses the declared MAC", 117)]
    [InlineData("crosvm", """ "crosvm":{"extraArgs":["--vsock","cid=9"]},"vsock":{"cid":4} """, "made from microvm.vsock.cid", 62)]
    [InlineData("firecracker", """ "firecracker":{"extraArgs":["--api-sock=/x"]} """, "made from microvm.socket", 72)]
    [InlineData("cloud-hypervisor", """ "cloud-hypervisor":{"extraArgs":["--cpus","boot=3"]} """, "made from microvm.vcpu", 82)]
    [InlineData("cloud-hypervisor", """ "cloud-hypervisor":{"extraArgs":["--platform","oem_strings=[a]"]} """, "platformOEMStrings", 82)]
    [InlineData("cloud-hypervisor", """ "cloud-hypervisor":{"extraArgs":["--vsock","cid=3"]},"vsock":{"cid":4} """, "leave one of the two out", 82)]
    [InlineData("cloud-hypervisor", """ "cloud-hypervisor":{"extraArgs":["--memory","size=1G"]} """, "made from microvm.mem", 82)]
    [InlineData("alioth", """ "balloon":true """, "no control socket", 52)]
    [InlineData("vfkit", """ "kernelParams":["a\"b"] """, "double quotes", 51)]
    [InlineData("cloud-hypervisor", """ "interfaces":[{"type":"tap","id":"t","mac":"02:00:00:00:00:01"},{"type":"user","id":"u","mac":"02:00:00:00:00:02"}] """, "can have no other interface", 129)]
    [InlineData("firecracker", """ "interfaces":[{"type":"user","id":"t","mac":"02:00:00:00:00:01"},{"type":"user","id":"u","mac":"02:00:00:00:00:02"}] """, "can have no other interface", 71)]
    [InlineData("alioth", """ "interfaces":[{"type":"user","id":"t","mac":"02:00:00:00:00:01"}],"forwardPorts":[{"from":"guest","host":{"address":"127.0.0.1","port":80},"guest":{"address":"10.0.2.10","port":80}}] """, "forwards from the host only", 137)]
    public void What_it_cant_do_is_refused_where_it_stands(string hypervisor, string option, string why, int column)
    {
        var refusal = Findings($$"""{"hypervisor":"{{hypervisor}}",{{option}} }""").First(d => d.Severity == Severity.Error);
        Assert.Contains(why, refusal.Message);
        Assert.Equal(1, refusal.At.Line);
        // After the hypervisor, at the option or inside it, not at the start of the declaration.
        Assert.True(refusal.At.Column >= column, $"column {refusal.At.Column}");
    }

    [Theory]
    [InlineData("cloud-hypervisor", true)]
    [InlineData("firecracker", true)]
    [InlineData("alioth", true)]
    [InlineData("qemu", false)]
    [InlineData("crosvm", false)]
    [InlineData("stratovirt", false)]
    public void Vhost_is_refused_where_there_is_none(string hypervisor, bool refused)
    {
        var declared = $$"""{"hypervisor":"{{hypervisor}}","interfaces":[{"type":"tap","id":"t","mac":"02:00:00:00:00:01","tap":{"vhost":true} }]}""";
        Assert.Equal(refused, Findings(declared).Any(d => d.Message.Contains("has no vhost-net")));
        if (!refused)
        {
            Assert.Contains(Render(Read(declared.Replace("\"hypervisor\"", "\"kernel\":\"/k\",\"hypervisor\""))).Words, w => w.Contains("vhost"));
        }
    }

    [Fact]
    public void The_sandbox_denies_all_unless_the_helper_makes_the_tap()
    {
        const string bridge = """{"kernel":"/k","interfaces":[{"type":"bridge","id":"t","bridge":"br0","mac":"02:00:00:00:00:01"HELPER}]}""";
        var helper = Render(Read(bridge.Replace("HELPER", ""))).Words;
        Assert.DoesNotContain("-sandbox", helper);
        Assert.Contains("bridge,id=t,br=br0,helper=/usr/lib/qemu/qemu-bridge-helper", helper);
        var made = Render(Read(bridge.Replace("HELPER", ",\"bridgeHelper\":false"))).Words;
        Assert.Contains("on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", made);
        Assert.Contains("tap,id=t,ifname=t,script=no,downscript=no", made);
    }

    [Fact]
    public void Only_QEMU_starts_the_helper() => Assert.Contains(
        Findings("""{"hypervisor":"crosvm","interfaces":[{"type":"bridge","id":"t","bridge":"br0","bridgeHelper":true,"mac":"02:00:00:00:00:01"}]}"""),
        d => d.Message.Contains("only QEMU starts qemu-bridge-helper"));

    [Fact]
    public void Inherited_queues_are_numbered_from_3_in_order()
    {
        var invocation = Render(Read("""
            {"kernel":"/k","vcpu":2,"interfaces":[
              {"type":"macvtap","id":"m1","mac":"02:00:00:00:00:01","macvtap":{"link":"eth0","mode":"bridge"}},
              {"type":"tap","id":"t","mac":"02:00:00:00:00:02"},
              {"type":"macvtap","id":"m2","mac":"02:00:00:00:00:03","macvtap":{"link":"eth0","mode":"bridge"}}]}
            """));
        Assert.Contains("tap,id=m1,fds=3:4", invocation.Words);
        Assert.Contains("tap,id=m2,fds=5:6", invocation.Words);
        Assert.Equal(["m1 0", "m1 1", "m2 0", "m2 1"], invocation.Queues.Select(q => $"{q.Attachment.Interface.Id} {q.Index}"));
    }

    /// <summary>Options that cloud-hypervisor takes once, in what people added to them (seen in published declarations).</summary>
    [Fact]
    public void What_cloud_hypervisors_extraArgs_say_of_an_option_joins_what_the_declaration_says()
    {
        var invocation = Render(Read("""
            {"kernel":"/k","initrdPath":"/i","hypervisor":"cloud-hypervisor","vcpu":2,"vsock":{"cid":7},"volumes":[{"image":"v.img","autoCreate":false}],
             "cloud-hypervisor":{"platformOEMStrings":["a","b"],"extraArgs":["--platform","serial_number=x","--cpus","affinity=[0@[1],1@[2]]",
               "--vsock=socket=my.vsock","--watchdog","--seccomp","log","--disk","path=more.img","-v","--landlock"]},
             "interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}]}
            """));
        var words = invocation.Words.ToList();
        string After(string option) => words[words.IndexOf(option) + 1];
        Assert.Equal("boot=2,affinity=[0@[1],1@[2]]", After("--cpus"));
        Assert.Equal("oem_strings=[a,b],serial_number=x", After("--platform"));
        Assert.Equal("cid=7,socket=my.vsock", After("--vsock"));
        Assert.Equal("log", After("--seccomp"));
        Assert.Equal("path=more.img", words[words.IndexOf("--disk") + 2]);
        Assert.Equal(["-v", "--landlock"], words[^2..]);
        Assert.Equal(["a.sock", "my.vsock"], invocation.Sockets);
        Assert.Equal("tap=vm-a1,mac=02:00:00:00:00:01,num_queues=4,id=vm-a1", After("--net"));
        var options = words.Where(w => w.StartsWith('-')).ToList();
        Assert.Equal(options.Distinct(), options);
    }

    [Fact]
    public void An_interface_is_known_by_its_declared_id_as_far_as_the_hypervisor_takes_it()
    {
        const string three = """{"kernel":"/k","hypervisor":"NAME","interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"},{"type":"tap","id":"1net","mac":"02:00:00:00:00:02"},{"type":"tap","id":"vm_a1","mac":"02:00:00:00:00:03"}]MORE}""";
        string?[] Ids(string hypervisor, string more = "")
        {
            var vm = Read(three.Replace("NAME", hypervisor).Replace("MORE", more));
            return [.. vm.Interfaces.Select(i => HypervisorTable.Find(hypervisor)!.InterfaceId(vm, i))];
        }
        Assert.Equal(["vm-a1", "net1", "vm_a1"], Ids("qemu"));
        Assert.Equal(["vm-a1", "1net", "vm_a1"], Ids("cloud-hypervisor"));
        Assert.Equal(["vm-a1", "1net", "vm_a1"], Ids("stratovirt"));
        Assert.Equal(["vm_a1_1", "1net", "vm_a1"], Ids("firecracker"));
        Assert.Equal([null, null, null], Ids("crosvm"));
        Assert.Contains("tap,id=vm-a1,ifname=vm-a1,script=no,downscript=no", Render(Read(three.Replace("NAME", "qemu").Replace("MORE", ""))).Words);
    }

    /// <summary>Both what microvm.nix's users write and what the API takes in a path.</summary>
    [Fact]
    public void Firecrackers_metadata_service_is_told_its_interfaces_by_their_declared_ids()
    {
        var vm = Read("""
            {"kernel":"/k","hypervisor":"firecracker","firecracker":{"extraConfig":{"mmds-config":{"version":"V2","network_interfaces":["vm-a1","other"]} } },
             "interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}]}
            """);
        using var config = JsonDocument.Parse(Assert.Single(Render(vm).Files).Content);
        var id = config.RootElement.GetProperty("network-interfaces")[0].GetProperty("iface_id").GetString()!;
        Assert.Matches("^[A-Za-z0-9_]+$", id);
        Assert.Equal([id, "other"], config.RootElement.GetProperty("mmds-config").GetProperty("network_interfaces").EnumerateArray().Select(n => n.GetString()!));
    }

    [Fact]
    public void Firecracker_gets_PCI_and_the_MTU_from_the_versions_that_have_them()
    {
        var vm = Read("""{"kernel":"/k","hypervisor":"firecracker","interfaces":[{"type":"tap","id":"a","mac":"02:00:00:00:00:01"}]}""");
        var attachments = HypervisorTable.Attach(vm, out _);
        foreach (var (version, pci, mtu) in ((string?, bool, bool)[])[(null, false, false), ("1.12.1", false, false), ("1.13.0", true, false), ("1.16.0", true, true)])
        {
            var host = s_host with { Version = version is null ? null : Version.Parse(version), Mtus = new Dictionary<string, uint> { ["a"] = 9000 } };
            var invocation = HypervisorTable.Find("firecracker")!.Render(vm, attachments, host);
            Assert.Equal(pci, invocation.Words.Contains("--enable-pci"));
            Assert.Equal(mtu, invocation.Files[0].Content.Contains("\"mtu\": 9000"));
        }
    }

    [Fact]
    public void The_runners_tap_flags_are_those_of_the_taps()
    {
        const string tap = """{"kernel":"/k","vcpu":2,"hypervisor":"NAME","interfaces":[{"type":"tap","id":"a","mac":"02:00:00:00:00:01"}]}""";
        foreach (var hypervisor in HypervisorTable.All.Where(h => h.Name != "vfkit"))
        {
            var vm = Read(tap.Replace("NAME", hypervisor.Name));
            var many = HypervisorTable.Attach(vm, out _)[0].MultiQueue;
            Assert.Equal(many ? "vnet_hdr\nmulti_queue\n" : "vnet_hdr\n", Microvm.Host.RunnerFacts.Of(vm).First(f => f.Name == "tap-flags").Content);
            Assert.Equal(hypervisor.Name is "qemu" or "cloud-hypervisor" or "alioth", many);
        }
    }

    [Fact]
    public void A_guest_that_can_not_be_asked_to_shut_down_is_told_by_check() =>
        Assert.Equal(["kvmtool", "alioth"], HypervisorTable.All.Select(h => h.Name).Where(n => Findings($$"""{"hypervisor":"{{n}}"}""").Any(d => d.Severity == Severity.Warning && d.Message.Contains("can't ask its guest"))));

    [Fact]
    public void Pit_and_pic_go_only_under_KVM()
    {
        var vm = Read("""{"kernel":"/k"}""");
        Assert.Contains(Render(vm).Words, w => w.StartsWith("microvm,accel=kvm", StringComparison.Ordinal) && w.Contains("pit=off,pic=off"));
        var tcg = new Qemu().Render(vm, [], new(Kvm: false)).Words;
        Assert.Contains(tcg, w => w.StartsWith("microvm,accel=tcg", StringComparison.Ordinal) && !w.Contains("pit=") && !w.Contains("pic="));
    }

    [Fact]
    public void On_aarch64_QEMU_is_a_virt_machine_with_its_own_console()
    {
        var words = new Qemu().Render(Read("""{"kernel":"/nix/store/abc-linux-6"}"""), [], new(Kvm: true, System.Runtime.InteropServices.Architecture.Arm64)).Words;
        Assert.Equal("qemu-system-aarch64", words[0]);
        Assert.Contains("virt,accel=kvm,gic-version=max", words);
        Assert.Contains("/nix/store/abc-linux-6/Image", words);
        Assert.Contains(words, w => w.StartsWith("console=ttyAMA0", StringComparison.Ordinal));
    }

    /// <summary>The console of each on aarch64, by its own documentation or sources: a PL011, or a 16550 as on x86_64.</summary>
    [Theory]
    [InlineData("cloud-hypervisor", "ttyAMA0")]
    [InlineData("firecracker", "ttyS0")]
    [InlineData("crosvm", "ttyS0")]
    [InlineData("kvmtool", "ttyS0")]
    [InlineData("stratovirt", "ttyAMA0")]
    [InlineData("alioth", "ttyAMA0")]
    public void On_aarch64_each_hypervisor_has_its_console_and_the_uncompressed_kernel_of_a_package(string hypervisor, string console)
    {
        var vm = Read($$"""{"hypervisor":"{{hypervisor}}","initrdPath":"/i","kernel":"/nix/store/00000000000000000000000000000000-linux"}""");
        var arm = HypervisorTable.Find(hypervisor)!.Render(vm, [], new(Kvm: true, System.Runtime.InteropServices.Architecture.Arm64));
        var all = string.Join(' ', [.. arm.Words, .. arm.Files.Select(f => f.Content)]);
        Assert.Contains($"console={console}", all);
        Assert.Contains("-linux/Image", all);
    }

    [Fact]
    public void StratoVirts_memory_is_shared_with_virtiofsd_on_its_light_machine()
    {
        var vm = Read("""{"hypervisor":"stratovirt","kernel":"/k","shares":[{"proto":"virtiofs","tag":"a","source":"/b"}]}""");
        foreach (var architecture in (System.Runtime.InteropServices.Architecture[])[System.Runtime.InteropServices.Architecture.X64, System.Runtime.InteropServices.Architecture.Arm64])
        {
            var words = HypervisorTable.Find("stratovirt")!.Render(vm, [], new(Kvm: true, architecture)).Words;
            Assert.Equal("microvm,mem-share=on", words[words.ToList().IndexOf("-machine") + 1]);
        }
    }

    [Fact]
    public void Exactly_2048_MiB_on_QEMU_is_warned_about() =>
        Assert.Contains(Findings("""{"mem":2048}"""), d => d.Severity == Severity.Warning && d.Message.Contains("2048"));

    [Fact]
    public void The_static_address_of_kvmtools_user_network_is_told_and_passed_on_request()
    {
        const string user = """{"kernel":"/k","hypervisor":"kvmtool","interfaces":[{"type":"user","id":"u","mac":"02:00:00:00:00:01","user":{"kernelIp":IP}}]}""";
        Assert.Contains(Findings(user.Replace("IP", "false")), d => d.Message.Contains("192.168.33.15/24, gateway 192.168.33.1"));
        Assert.Contains(Render(Read(user.Replace("IP", "true"))).Words, w => w.Contains("ip=192.168.33.15::192.168.33.1:255.255.255.0:a:eth0:off"));
    }

    /// <summary>Hostile text in every field: QEMU's own parser, and models of the others', take back what was put in.</summary>
    [Fact]
    public void No_value_breaks_out_of_its_argument() => Gen.String[Gen.OneOf(Gen.Char[' ', '~'], Gen.Char["é,=\"'\\:;[]"]), 1, 12].Where(t => t[0] != '-').Sample(text =>
    {
        Assert.Equal(text, Model.Qemu($"a=1,file={Syntax.Qemu(text)},b=2")["file"]);
        Assert.Equal(text.Trim(), Model.CloudHypervisor($"a=1,path={Syntax.CloudHypervisor(text)},b=2")["path"].Trim());
        Assert.Equal(text, Model.Crosvm($"a=1,path={Syntax.Crosvm(text)},b=2")["path"]);
        var json = JsonSerializer.Serialize(text);
        foreach (var hypervisor in HypervisorTable.All)
        {
            // Either refused, or as many words as with a harmless name, with no word of the value's own.
            var declared = $$"""{"kernel":"/k","hypervisor":"{{hypervisor.Name}}","volumes":[{"image":IMAGE,"autoCreate":false}]}""";
            var vm = Read(declared.Replace("IMAGE", json));
            var diagnostics = new DiagnosticBag();
            HypervisorTable.Check(vm, diagnostics);
            if (!diagnostics.HasErrors)
            {
                var hostile = Render(vm);
                var harmless = Render(Read(declared.Replace("IMAGE", "\"x\"")));
                Assert.Equal(harmless.Words.Count, hostile.Words.Count);
                Assert.Equal(harmless.Words.Zip(hostile.Words).Count(p => p.First != p.Second), hypervisor.Name == "firecracker" ? 0 : text == "x" ? 0 : 1);
                Assert.All(hostile.Files, f => JsonDocument.Parse(f.Content).Dispose());
            }
        }
    }, iter: 300);

    /// <summary>How the three parsers that can quote split an argument: written from their documentation, not from ours.</summary>
    private static class Model
    {
        internal static Dictionary<string, string> Qemu(string argument)
        {
            var parts = new List<string> { "" };
            for (var i = 0; i < argument.Length; i++)
            {
                if (argument[i] == ',' && i + 1 < argument.Length && argument[i + 1] == ',')
                {
                    parts[^1] += ',';
                    i++;
                }
                else if (argument[i] == ',')
                {
                    parts.Add("");
                }
                else
                {
                    parts[^1] += argument[i];
                }
            }
            return Pairs(parts);
        }

        internal static Dictionary<string, string> CloudHypervisor(string argument)
        {
            var parts = new List<string> { "" };
            var (quoted, brackets) = (false, 0);
            foreach (var c in argument)
            {
                quoted ^= c == '"';
                brackets += quoted ? 0 : c == '[' ? 1 : c == ']' ? -1 : 0;
                Assert.True(brackets >= 0);
                if (c == ',' && !quoted && brackets == 0)
                {
                    parts.Add("");
                }
                else
                {
                    parts[^1] += c;
                }
            }
            Assert.True(!quoted && brackets == 0);
            return Pairs(parts.Select(Dequote));
        }

        // A quote right after a closing one opens again, and is one itself.
        private static string Dequote(string part)
        {
            var (text, quoted, before) = ("", false, '\0');
            foreach (var c in part)
            {
                if (c != '"')
                {
                    text += c;
                }
                else
                {
                    text += before == '"' && !quoted ? "\"" : "";
                    quoted = !quoted;
                }
                before = c;
            }
            return text;
        }

        internal static Dictionary<string, string> Crosvm(string argument)
        {
            var parts = new List<string> { "" };
            var quoted = false;
            for (var i = 0; i < argument.Length; i++)
            {
                if (quoted && argument[i] == '\\')
                {
                    parts[^1] += argument[++i];
                }
                else if (argument[i] == '"')
                {
                    quoted = !quoted;
                }
                else if (argument[i] == ',' && !quoted)
                {
                    parts.Add("");
                }
                else
                {
                    parts[^1] += argument[i];
                }
            }
            Assert.False(quoted);
            return Pairs(parts);
        }

        private static Dictionary<string, string> Pairs(IEnumerable<string> parts) => parts.Select(p => p.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);
    }
}
