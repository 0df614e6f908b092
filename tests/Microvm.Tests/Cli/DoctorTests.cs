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

    /// <summary>Runs the mending command as it was printed, in the namespace.</summary>
    private void Mend(string? command)
    {
        Assert.NotNull(command);
        In("sh", "-c", command.Replace("sudo ", "", StringComparison.Ordinal));
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
    public void A_missing_bridge_is_a_problem_and_its_command_mends_it()
    {
        var (severity, _, mend) = Finding("bridges", "there is no bridge br0", Vm(Bridged));
        Assert.Equal("problem", severity);
        Assert.Equal(1, Doctor(Vm(Bridged)).Code);
        Mend(mend);
        Assert.Equal("ok", Finding("bridges", "br0", Vm(Bridged)).Severity);
    }

    [Fact]
    public void A_bridge_that_is_down_is_a_warning_and_its_command_mends_it()
    {
        _ns.Ip("link", "add", "br0", "type", "bridge");
        var (severity, _, mend) = Finding("bridges", "is down", Vm(Bridged));
        Assert.Equal("warning", severity);
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
        Assert.Equal("problem", Finding("clashes", "the host has a link vm-a1 already, not one of ours", file).Severity);
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
        Mend(Finding("lower-devices", "is down", file).Mend);
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
        Assert.Contains("""$ sudo ip link add 'b'\''r' type bridge""", outcome.Out);
        Assert.DoesNotContain("\e", outcome.Out);
    }

    [Fact]
    public void A_broken_declaration_is_exit_code_2() => Assert.Equal(2, Binary.Microvm("doctor", Vm("5")).Code);
}
