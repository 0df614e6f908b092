using System.Text.Json;

namespace Microvm.Tests;

/// <summary>What the doctor finds in namespaces that were really made ill.</summary>
public sealed class DoctorTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();
    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Vm(string interfaces) => _folder.File("vm.json", $$"""{"networking":{"hostName":"web"},"microvm":{"interfaces":[{{interfaces}}] } }""");
    private const string Tap = """{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}""";
    private const string Bridged = """{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01","bridge":"br0"}""";

    private void In(params string[] command)
    {
        var outcome = Binary.Run("ip", null, ["netns", "exec", _ns.Name, .. command]);
        Assert.True(outcome.Code == 0, outcome.Err);
    }

    private (int Code, List<(string Check, string Severity, string Found, string? Mend)> Findings) Doctor(params string[] files)
    {
        var outcome = Binary.Microvm(["doctor", "--json", "--netns", _ns.Name, .. files]);
        Assert.True(outcome.Err.Length == 0, outcome.Err);
        var json = JsonDocument.Parse(outcome.Out).RootElement;
        Assert.Equal(outcome.Code == 0, json.GetProperty("ok").GetBoolean());
        return (outcome.Code, [.. json.GetProperty("findings").EnumerateArray().Select(f => (f.GetProperty("check").GetString()!,
            f.GetProperty("severity").GetString()!, f.GetProperty("found").GetString()!, f.GetProperty("mend").GetString()))]);
    }

    private (string Severity, string Found, string? Mend) Finding(string check, string says, params string[] files) =>
        Assert.Single(Doctor(files).Findings, f => f.Check == check && f.Found.Contains(says)) is var f ? (f.Severity, f.Found, f.Mend) : default;

    /// <summary>Runs the mending command as it was printed, outside of the namespace: it says itself where it is to be run.</summary>
    private void Mend(string? command)
    {
        Assert.NotNull(command);
        Assert.Contains(_ns.Name, command);
        var words = command.Replace("sudo microvm ", $"{Binary.Path} ", StringComparison.Ordinal).Replace("sudo ", "", StringComparison.Ordinal);
        var outcome = Binary.Run("sh", null, "-c", words);
        Assert.True(outcome.Code == 0, words + outcome.Err);
    }

    [Fact]
    public void Without_problems_the_exit_code_is_0_and_nothing_was_changed()
    {
        var before = _ns.Links();
        var (code, findings) = Doctor();
        Assert.Equal(0, code);
        Assert.Contains(findings, f => f is { Check: "kernel", Severity: "ok" });
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void A_hypervisor_is_looked_for_where_its_package_is_and_else_on_the_PATH()
    {
        string Of(string more) => _folder.File("vm.json", $$"""{"networking":{"hostName":"web"},"microvm":{"hypervisor":"crosvm"{{more}} } }""");
        Assert.Equal("problem", Finding("programs", "there is no crosvm on the PATH", Of("")).Severity);
        Assert.Equal("ok", Finding("programs", $"crosvm of 'web' is {StandIn.Folder}/bin/crosvm", Of($",\"crosvm\":{{\"package\":\"{StandIn.Folder}\"}}")).Severity);
        Assert.Equal("problem", Finding("programs", "there is no /nonexistent/bin/crosvm, which microvm.crosvm.package names", Of(",\"crosvm\":{\"package\":\"/nonexistent\"}")).Severity);
    }

    [Fact]
    public void A_missing_bridge_is_a_problem_and_its_command_mends_it()
    {
        var (severity, _, mend) = Finding("bridges", "there is no bridge br0", Vm(Bridged));
        Assert.Equal("problem", severity);
        Assert.Equal(1, Doctor(Vm(Bridged)).Code);
        Mend(mend);
        Assert.Equal("ok", Finding("bridges", "br0", Vm(Bridged)).Severity);
    }

    [Fact]
    public void A_bridge_that_is_down_is_a_problem_and_its_command_mends_it()
    {
        _ns.Ip("link", "add", "br0", "type", "bridge");
        var (severity, _, mend) = Finding("bridges", "is down", Vm(Bridged));
        Assert.Equal("problem", severity);
        Mend(mend);
        Assert.Equal("ok", Finding("bridges", "br0", Vm(Bridged)).Severity);
    }

    [Fact]
    public void A_foreign_link_of_the_declared_id_is_a_clash_and_our_own_is_none()
    {
        var file = Vm(Tap);
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, file).Code);
        Assert.Equal("ok", Finding("clashes", "", file).Severity);
        Assert.Equal(0, Binary.Microvm("down", "--netns", _ns.Name, file).Code);
        _ns.Ip("link", "add", "vm-a1", "type", "bridge");
        Assert.Equal("problem", Finding("clashes", "the host has a link vm-a1 already, not created by microvm", file).Severity);
    }

    [Fact]
    public void A_mac_of_the_hosts_own_is_a_clash_and_the_offered_one_is_not()
    {
        _ns.Ip("link", "add", "veth0", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "veth1");
        var (severity, _, mend) = Finding("clashes", "the MAC 02:00:00:00:00:01 of 'vm-a1' is veth0's too", Vm(Tap));
        Assert.Equal("problem", severity);
        Assert.StartsWith("microvm mac web/vm-a1", mend);
        var mac = Binary.Microvm("mac", "web/vm-a1").Out.Trim();
        Assert.Equal("ok", Finding("clashes", "", Vm(Tap.Replace("02:00:00:00:00:01", mac, StringComparison.Ordinal))).Severity);
    }

    [Fact]
    public void A_lower_device_that_is_missing_attached_or_down_is_told()
    {
        var file = Vm("""{"type":"macvtap","id":"vm-a1","mac":"02:00:00:00:00:01","macvtap":{"link":"veth0","mode":"bridge"}}""");
        Assert.Equal("problem", Finding("lower-devices", "there is no link veth0", file).Severity);
        _ns.Ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1");
        Assert.Equal("problem", Finding("lower-devices", "is down", file).Severity);
        Mend(Finding("lower-devices", "is down", file).Mend);
        Assert.Equal("problem", Finding("lower-devices", "veth0 is up and has no carrier", file).Severity);
        _ns.Ip("link", "set", "veth1", "up");
        Assert.Equal("ok", Finding("lower-devices", "veth0", file).Severity);
        _ns.Ip("link", "add", "br0", "type", "bridge");
        _ns.Ip("link", "set", "veth0", "master", "br0");
        var (severity, _, mend) = Finding("lower-devices", "attached to br0", file);
        Assert.Equal("problem", severity);
        Mend(mend);
        Assert.Equal("ok", Finding("lower-devices", "veth0", file).Severity);
    }

    [Fact]
    public void Bridged_frames_that_go_through_a_dropping_firewall_are_a_problem_and_its_command_mends_it()
    {
        Assert.SkipUnless(File.Exists("/proc/sys/net/bridge/bridge-nf-call-iptables"), "this kernel has no br_netfilter");
        _ns.Ip("link", "add", "br0", "type", "bridge");
        In("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1");
        // The setting alone harms nobody.
        Assert.Equal("ok", Finding("br-netfilter", "", Vm(Bridged)).Severity);
        // What Docker does, in nftables' words.
        In("nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }");
        var (severity, found, mend) = Finding("br-netfilter", "", Vm(Bridged));
        Assert.Equal("problem", severity);
        Assert.Contains("filter/FORWARD drops", found);
        Mend(mend);
        Assert.Equal("ok", Finding("br-netfilter", "", Vm(Bridged)).Severity);
    }

    [Fact]
    public void A_dropping_forward_policy_is_told_for_a_routed_tap()
    {
        In("nft", "add table inet fw; add chain inet fw through { type filter hook forward priority 0; policy drop; }; add chain inet fw other { type filter hook input priority 0; policy drop; }");
        var (severity, found, mend) = Finding("forwarding", "drops what is forwarded", Vm(Tap));
        Assert.Equal("warning", severity);
        Assert.Contains("fw/through", found);
        Mend(mend);
        Assert.Contains("iifname \"vm-a1\" accept", Binary.Run("ip", null, "netns", "exec", _ns.Name, "nft", "list", "chain", "inet", "fw", "through").Out);
    }

    [Fact]
    public void Forwarding_and_strict_reverse_paths_are_read_from_the_namespace()
    {
        In("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0");
        Mend(Finding("forwarding", "does not forward", Vm(Tap)).Mend);
        Assert.Equal("ok", Finding("forwarding", "", Vm(Tap)).Severity);
        Assert.Equal("ok", Finding("rp-filter", "", Vm(Tap)).Severity);
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, Vm(Tap)).Code);
        In("sysctl", "-qw", "net.ipv4.conf.vm-a1.rp_filter=1");
        var (severity, _, mend) = Finding("rp-filter", "strict reverse-path filtering is on for vm-a1", Vm(Tap));
        Assert.Equal("warning", severity);
        Mend(mend);
        Assert.Equal("ok", Finding("rp-filter", "", Vm(Tap)).Severity);
    }

    [Fact]
    public void A_person_sees_findings_with_why_and_how_and_hostile_names_stay_harmless()
    {
        _ns.Ip("link", "add", "br0", "type", "veth", "peer", "name", "x");
        var outcome = Binary.Microvm("doctor", "--netns", _ns.Name, Vm("""{"type":"tap","id":"a;$(id)","mac":"02:00:00:00:00:01","bridge":"b'r"}"""));
        Assert.Equal(1, outcome.Code);
        Assert.Contains("problem  there is no bridge b'r\n", outcome.Out);
        Assert.Contains($"""$ sudo ip netns exec {_ns.Name} ip link add 'b'\''r' type bridge""", outcome.Out);
        Assert.DoesNotContain("\e", outcome.Out);
    }

    /// <summary>What <c>status</c> sees is a problem to the doctor too, and what it prints mends it.</summary>
    [Theory]
    [InlineData("link set vm-a1 down", "down", "'vm-a1' of 'web' is down")]
    [InlineData("link set vm-a1 nomaster", "drifted", "'vm-a1' of 'web' is not as declared: it is not attached to br0")]
    [InlineData("link set vm-a1 name other", "drifted", "'vm-a1' of 'web' is not as declared: it was renamed to 'other'")]
    [InlineData("link del vm-a1", "missing", "'vm-a1' of 'web' is not there")]
    public void What_status_sees_doctor_does_not_deny(string blow, string state, string says)
    {
        _ns.Ip("link", "add", "br0", "up", "type", "bridge");
        var file = Vm(Bridged + ",{\"type\":\"tap\",\"id\":\"vm-a2\",\"mac\":\"02:00:00:00:00:02\"}");
        var before = Finding("interfaces", "vm-a1, vm-a2 of 'web' are not there yet", file);
        Assert.Equal("note", before.Severity);
        Mend(before.Mend);
        Assert.Equal("ok", Finding("interfaces", "2 interfaces are up and as declared", file).Severity);
        _ns.Ip(blow.Split(' '));
        Assert.Equal(state, JsonDocument.Parse(Binary.Microvm("status", "--netns", _ns.Name, "--json", file).Out).RootElement[0].GetProperty("state").GetString());
        var (severity, _, mend) = Finding("interfaces", says, file);
        Assert.Equal("problem", severity);
        Assert.Equal(1, Doctor(file).Code);
        Mend(mend);
        Assert.Equal("ok", Finding("interfaces", "2 interfaces are up and as declared", file).Severity);
    }

    [Fact]
    public void A_tap_of_another_user_is_a_problem()
    {
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, "--user", "65534", Vm(Tap)).Code);
        Assert.Equal("problem", Finding("interfaces", "'vm-a1' of 'web' is not as declared", Vm(Tap)).Severity);
        Assert.Equal("ok", Finding("interfaces", "as declared", Vm(Tap), "--user", "65534").Severity);
    }

    [Fact]
    public void A_running_guest_with_another_mac_or_without_a_declared_interface_is_a_problem()
    {
        var file = Vm(Tap + ",{\"type\":\"tap\",\"id\":\"vm-a2\",\"mac\":\"02:00:00:00:00:02\"}");
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, file).Code);
        // A guest that stands still, with the one interface, under another MAC.
        using var qemu = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("ip", ["netns", "exec", _ns.Name, "qemu-system-x86_64", "-M", "q35,accel=tcg", "-m", "64", "-S", "-nodefaults", "-display", "none",
            "-netdev", "tap,id=net0,ifname=vm-a1,script=no,downscript=no", "-device", "virtio-net-pci,netdev=net0,mac=02:00:00:00:00:77"])
        { RedirectStandardError = true })!;
        try
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            while (Doctor(file).Findings.All(f => !f.Found.Contains("the running VM", StringComparison.Ordinal)))
            {
                Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20) && !qemu.HasExited, "QEMU does not open the tap");
            }
            Assert.Equal("problem", Finding("interfaces", "'vm-a1' of 'web' is declared, and the running VM has the MAC 02:00:00:00:00:77, not 02:00:00:00:00:01", file).Severity);
            Assert.Equal("problem", Finding("interfaces", "'vm-a2' of 'web' is declared, and the running VM does not have it", file).Severity);
            // What the doctor sees, nothing that looks denies.
            var status = Binary.Microvm("status", "--exit-code", "--netns", _ns.Name, file);
            Assert.Equal(3, status.Code);
            Assert.Contains("vm-a1 of web: the running VM has the MAC 02:00:00:00:00:77, not 02:00:00:00:00:01", status.Out.ReplaceLineEndings(" "), StringComparison.Ordinal);
            Assert.Contains("vm-a2 of web: the running VM does not have it", status.Out, StringComparison.Ordinal);
            Assert.Contains("'vm-a1' of 'web' is declared, and the running VM has the MAC", Binary.Microvm("plan", "--netns", _ns.Name, file).Err, StringComparison.Ordinal);
            Assert.Contains("interface=\"vm-a2\"} 1\n", Binary.Microvm("metrics", "--netns", _ns.Name, file).Out.Split("microvm_interface_drift gauge")[1], StringComparison.Ordinal);
            Assert.Contains("vm-a2 (tap, 02:00:00:00:00:02, not in the running VM)", Binary.Microvm("topology", "--netns", _ns.Name, file).Out, StringComparison.Ordinal);
            Assert.Contains("tap vm-a1 [another MAC in the running VM] ->", Binary.Microvm("explain", "--netns", _ns.Name, file).Out.ReplaceLineEndings(" ").Replace("      ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        }
        finally
        {
            qemu.Kill();
            qemu.WaitForExit();
        }
    }

    [Fact]
    public void A_broken_declaration_is_exit_code_2() => Assert.Equal(2, Binary.Microvm("doctor", Vm("5")).Code);
}
