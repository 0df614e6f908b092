using System.Text;

namespace Microvm.Tests;

public sealed class CheckTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    private static string Vm(string interfaces, string more = "", string name = "a") =>
        $$"""{"networking":{"hostName":"{{name}}"},"microvm":{ {{more}} "interfaces":[{{interfaces}}] } }""";

    [Theory]
    [InlineData("""{"type":"tun","id":"a","mac":"02:00:00:00:00:01"}""", "'tun' is not an interface type")]
    [InlineData("""{"type":"tap","id":"a/b","mac":"02:00:00:00:00:01"}""", "it has a '/'")]
    [InlineData("""{"type":"tap","id":"a","mac":"03:00:00:00:00:01"}""", "multicast")]
    [InlineData("""{"type":"tap","id":"a"}""", "'mac' is missing")]
    [InlineData("""{"type":"macvtap","id":"a","mac":"02:00:00:00:00:01"}""", "needs its lower device")]
    [InlineData("""{"type":"macvtap","id":"a","mac":"02:00:00:00:00:01","macvtap":{"link":"eth0","mode":"no"}}""", "not a macvtap mode")]
    [InlineData("""{"type":"tap","id":"a","mac":"02:00:00:00:00:01","macvtap":{"link":"eth0","mode":"bridge"}}""", "goes with type macvtap")]
    [InlineData("""{"type":"bridge","id":"a","mac":"02:00:00:00:00:01"}""", "needs the bridge's name")]
    [InlineData("""{"type":"user","id":"a","mac":"02:00:00:00:00:01","bridge":"br0"}""", "'bridge' goes with")]
    [InlineData("""{"type":"user","id":"a","mac":"02:00:00:00:00:01","tap":{"vhost":true}}""", "tap.vhost goes with type tap")]
    [InlineData("""{"type":"tap","id":"a","mac":"02:00:00:00:00:01","brigde":"br0"}""", "did you mean 'bridge'?")]
    [InlineData("""{"type":"tap","id":"a","mac":"02:00:00:00:00:01"},{"type":"tap","id":"a","mac":"02:00:00:00:00:02"}""", "id 'a' is already used")]
    [InlineData("""{"type":"tap","id":"a","mac":"02:00:00:00:00:01"},{"type":"tap","id":"b","mac":"02:00:00:00:00:01"}""", "MAC 02:00:00:00:00:01 is already used")]
    [InlineData("""{"type":"tap","id":"a","mac":"02:00:00:00:00:01","bridge":"a"}""", "the bridge 'a' is the interface itself")]
    [InlineData("""{"type":"macvtap","id":"a","mac":"02:00:00:00:00:01","macvtap":{"link":"a","mode":"bridge"}}""", "the lower device 'a' is the interface itself")]
    [InlineData("""{"type":"tap","id":"a","mac":"02:00:00:00:00:01","bridge":"b"},{"type":"tap","id":"b","mac":"02:00:00:00:00:02"}""", "needs the bridge 'b', but that is the id of an interface")]
    [InlineData("""{"type":"macvtap","id":"a","mac":"02:00:00:00:00:01","macvtap":{"link":"eth0","mode":"passthru"}},{"type":"macvtap","id":"b","mac":"02:00:00:00:00:02","macvtap":{"link":"eth0","mode":"passthru"}}""", "'b' and 'a' are both on 'eth0'")]
    [InlineData("""{"type":"macvtap","id":"a","mac":"02:00:00:00:00:01","macvtap":{"link":"eth0","mode":"bridge"}},{"type":"macvtap","id":"b","mac":"02:00:00:00:00:02","macvtap":{"link":"eth0","mode":"passthru"}}""", "which one in mode passthru has to itself")]
    public void A_broken_rule_is_an_error_at_its_place(string interfaces, string says)
    {
        var file = _folder.File("vm.json", Vm(interfaces));
        var outcome = Binary.Microvm("check", file);
        Assert.Equal(2, outcome.Code);
        Assert.Contains(says, outcome.Out);
        Assert.Contains($"{file}:1:", outcome.Out);
    }

    [Fact]
    public void Findings_come_in_the_order_of_the_files_lines_whatever_finds_them()
    {
        var file = _folder.File("vm.json", """
            {"microvm":{
              "storeDisk":1,
              "vcpus":2,
              "interfaces":[
                {"type":"tap","id":"a/b","mac":"02:00:00:00:00:01"},
                {"type":"tun","id":"c","mac":"03:00:00:00:00:01"}],
              "hypervisor":"vbox",
              "mem":5
            }}
            """);
        var lines = Binary.Microvm("check", file).Out.Split('\n').Where(l => l.StartsWith($"{file}:", StringComparison.Ordinal))
            .Select(l => int.Parse(l[(file.Length + 1)..].Split(':')[0], System.Globalization.CultureInfo.InvariantCulture)).ToList();
        Assert.True(lines.Count >= 5);
        Assert.Equal(lines.Order(), lines);
    }

    [Theory]
    [InlineData("\"vcpu\":0,", "'vcpu' must be")]
    [InlineData("\"mem\":-5,", "'mem' must be")]
    [InlineData("\"mem\":1.5,", "'mem' must be")]
    [InlineData("\"hypervisor\":\"vbox\",", "not a known hypervisor")]
    [InlineData("\"user\":\"root\",", "it can't be root")]
    [InlineData("\"forwardPorts\":[{\"host\":{\"port\":80},\"guest\":{\"port\":80}}],", "needs an interface of type \"user\"")]
    [InlineData("\"vcpus\":1,", "did you mean 'vcpu'?")]
    [InlineData("\"vsock\":{\"ssh\":{\"enable\":true}},", "vsock.ssh.enable needs an address for the guest: set vsock.cid")]
    // These have no extraArgs, as in microvm.nix, so that no option of theirs can be given twice.
    [InlineData("\"hypervisor\":\"alioth\",\"alioth\":{\"extraArgs\":[\"--memory\",\"size=1G\"]},", "'microvm.alioth' has no option 'extraArgs'")]
    [InlineData("\"hypervisor\":\"stratovirt\",\"stratovirt\":{\"extraArgs\":[\"-m\",\"300\"]},", "'microvm.stratovirt' has no option 'extraArgs'")]
    [InlineData("\"hypervisor\":\"kvmtool\",\"kvmtool\":{\"extraArgs\":[\"--mem\",\"300\"]},", "'microvm.kvmtool' has no option 'extraArgs'")]
    public void Options_of_the_vm_have_rules_too(string more, string says)
    {
        var outcome = Binary.Microvm("check", _folder.File("vm.json", Vm("""{"type":"tap","id":"a","mac":"02:00:00:00:00:01"}""", more)));
        Assert.Equal(2, outcome.Code);
        Assert.Contains(says, outcome.Out);
    }

    [Fact]
    public void Two_vms_have_two_control_sockets_and_a_forwarded_port_below_1024_is_warned_of()
    {
        string File(string name, string socket) => _folder.File($"{name}.json", Vm($$"""{"type":"user","id":"{{name}}","mac":"02:00:00:00:00:0{{name}}"}""",
            $$""" "socket":"{{socket}}","forwardPorts":[{"host":{"port":{{(name == "1" ? 443 : 1024)}} },"guest":{"port":443} }],""", $"vm{name}"));
        var relative = Binary.Microvm("check", File("1", "x.sock"), File("2", "x.sock"));
        Assert.Equal(0, relative.Code);
        Assert.Contains("warning: tcp port 443 of the host takes a privilege that no hypervisor gets", relative.Out);
        Assert.DoesNotContain("port 1024 ", relative.Out);
        var same = Binary.Microvm("check", File("1", "/run/x.sock"), File("2", "/run/x.sock"));
        Assert.Equal(2, same.Code);
        Assert.Contains("the control socket /run/x.sock is 'vm1''s already", same.Out);
    }

    [Fact]
    public void Ids_and_macs_are_unique_across_files_and_all_errors_come_at_once()
    {
        const string tap = """{"type":"tap","id":"a","mac":"02:00:00:00:00:01"}""";
        var outcome = Binary.Microvm("check", _folder.File("1.json", Vm(tap)), _folder.File("2.json", Vm(tap, name: "b")));
        Assert.Equal(2, outcome.Code);
        Assert.Contains("id 'a'", outcome.Out);
        Assert.Contains("MAC 02", outcome.Out);
    }

    [Fact]
    public void A_mac_that_is_not_locally_administered_is_a_warning()
    {
        var outcome = Binary.Microvm("check", _folder.File("vm.json", Vm("""{"type":"tap","id":"a","mac":"00:16:3e:00:00:01"}""")));
        Assert.Equal(0, outcome.Code);
        Assert.Contains("warning: 00:16:3e:00:00:01 isn't locally administered", outcome.Out);
    }

    [Fact]
    public void The_specifications_first_snippet_passes_letter_for_letter()
    {
        var outcome = Binary.Microvm("check", _folder.File("vm.nix", NixFrontDoorTests.SpecificationTap));
        Assert.Equal((0, "1 VM, 1 interface: all right\n"), (outcome.Code, outcome.Out));
    }

    [Fact]
    public void A_module_with_imports_conditions_and_priorities_evaluates()
    {
        _folder.File("more.nix", """{ lib, ... }: { networking.hostName = lib.mkDefault "low"; microvm.vcpu = lib.mkForce 2; systemd.network.enable = true; }""");
        var file = _folder.File("vm.nix", """
            { lib, pkgs, config, ... }:
            {
              imports = [ ./more.nix ];
              networking.hostName = "high";
              microvm = lib.mkMerge [
                { vcpu = 9; }
                {
                  binScripts.tap-up = lib.mkAfter ''
                    ${lib.getExe' pkgs.iproute2 "ip"} link set dev 'vm-ixp-as11201p' master 'ixp-peering'
                  '';
                }
                (lib.mkIf (config.networking.hostName == "high") {
                  interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ];
                })
              ];
            }
            """);
        var outcome = Binary.Microvm("check", "--json", file);
        Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
        Assert.Contains("\"high\"", outcome.Out);
    }

    [Fact]
    public void A_nix_error_names_its_line()
    {
        var file = _folder.File("vm.nix", "{\n  microvm.interfaces = [ {\n    type = \"tap\";\n    id = \"way-too-long-for-linux\";\n    mac = \"02:00:00:00:00:01\";\n  } ];\n}\n");
        var outcome = Binary.Microvm("check", file);
        Assert.Equal(2, outcome.Code);
        Assert.Contains($"{file}:4:5: error: id 'way-too-long-for-linux'", outcome.Out);
    }

    [Theory]
    [InlineData("vm.nix", "{ microvm = ")]
    [InlineData("vm.nix", "let x = x; in x")]
    [InlineData("vm.nix", "let f = n: 1 + f (n + 1); in { microvm.vcpu = f 1; }")]
    [InlineData("vm.nix", "5")]
    [InlineData("vm.nix", "{ microvm = 5; }")]
    [InlineData("vm.json", "")]
    [InlineData("vm.json", "{")]
    [InlineData("vm.json", "null")]
    [InlineData("vm.json", "[]")]
    [InlineData("vm.json", "{\"microvm\":[]}")]
    [InlineData("vm.json", "{\"microvm\":{},\"microvm\":{}}")]
    [InlineData("vm.json", "{\"microvm\":{\"interfaces\":[{\"type\":\"tap\",\"id\":\"\\ud800\",\"mac\":1}]}}")]
    public void Broken_files_get_a_diagnostic_and_exit_code_2(string name, string text) => Broken(_folder.File(name, text));

    [Fact]
    public void Every_truncation_of_a_declaration_gets_a_diagnostic()
    {
        var whole = Vm("""{"type":"tap","id":"a","mac":"02:00:00:00:00:01"}""");
        for (var length = 0; length < whole.Length; length++)
        {
            Broken(_folder.File("cut.json", whole[..length]));
        }
    }

    [Fact]
    public void Ten_megabytes_of_brackets_are_refused() => Broken(_folder.File("deep.json", new string('[', 10_000_000)));

    [Fact]
    public void A_file_that_is_not_there_is_refused() => Broken("/nonexistent/vm.json");

    [Fact]
    public void Json_comes_from_standard_input_too()
    {
        var outcome = Binary.Run(Binary.Path, Vm("""{"type":"tap","id":"a","mac":"02:00:00:00:00:01"}"""), "check", "-");
        Assert.Equal(0, outcome.Code);
    }

    private static void Broken(string file)
    {
        var outcome = Binary.Microvm("check", file);
        Assert.True(outcome.Code == 2, $"exit code {outcome.Code}: {outcome.Out}{outcome.Err}");
        Assert.Contains("error: ", outcome.Out);
        Assert.DoesNotContain("   at ", outcome.Out + outcome.Err);
        Assert.DoesNotContain("Unhandled", outcome.Out + outcome.Err);
    }

    [Fact]
    public void A_source_mode_macvtap_without_sources_is_an_error()
    {
        var outcome = Binary.Run(Binary.Path, """{"microvm":{"interfaces":[{"type":"macvtap","id":"m","mac":"02:00:00:00:00:01","macvtap":{"link":"eth0","mode":"source"}}]}}""", "check", "-");
        Assert.Equal(2, outcome.Code);
        Assert.Contains("it would drop every frame", outcome.Out);
    }
}
