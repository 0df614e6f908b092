using System.Text.Json;

namespace Microvm.Tests;

/// <summary>Commands without a declaration, on a host whose VMs systemd runs: they know what these were started from. What one sees, no other denies.</summary>
[Collection(nameof(SystemdHost))]
public sealed class HostLookTests(SystemdHost host)
{
    private const string Tool = "/usr/local/bin/microvm";

    private void Start(string name, string binScripts, params string[] ids)
    {
        host.Write($"/root/{name}.json", $$"""
            {"networking":{"hostName":"{{name}}"},"microvm":{ {{binScripts}}
              "kernel":"{{SystemdHost.Guest}}/vmlinuz","initrdPath":"{{SystemdHost.Guest}}/initrd","kernelParams":["seconds=600","{{string.Join("\",\"", GuestClock.Parameters)}}"],
              "interfaces":[{{string.Join(',', ids.Select(i => NetworkHost.Tap(i)))}}] } }
            """);
        host.Microvm("create", name, "--file", $"/root/{name}.json");
        host.Microvm("start", name);
    }

    private void Gone(string name)
    {
        host.Microvm("stop", name);
        host.Microvm("remove", name, "--data");
    }

    private (string State, string? Reason) Status(string id) => JsonDocument.Parse(host.Microvm("status", "--json")).RootElement.EnumerateArray()
        .Where(i => i.GetProperty("id").GetString() == id).Select(i => (i.GetProperty("state").GetString()!, i.GetProperty("reason").GetString())).SingleOrDefault();

    private string? Listed(string name, string id) => JsonDocument.Parse(host.Microvm("list", "--json")).RootElement.EnumerateArray().Single(v => v.GetProperty("name").GetString() == name)
        .GetProperty("interfaces").EnumerateArray().Where(i => i.GetProperty("id").GetString() == id).Select(i => i.GetProperty("state").GetString()).SingleOrDefault();

    private List<(string Severity, string Found, string? Mend)> Doctor() => [.. JsonDocument.Parse(host.Run(Tool, "doctor", "--json").Out).RootElement.GetProperty("findings").EnumerateArray()
        .Where(f => f.GetProperty("check").GetString() == "interfaces").Select(f => (f.GetProperty("severity").GetString()!, f.GetProperty("found").GetString()!, f.GetProperty("mend").GetString()))];

    [Fact]
    public void A_VM_of_the_host_is_meant_by_its_name_where_a_file_is_expected_and_a_file_of_that_name_wins_and_says_so()
    {
        Start("named", "", "vm-n1");
        host.Until("the hypervisor", () => Status("vm-n1").State == "up");
        Binary.Outcome At(string folder, params string[] words) => host.Run(["env", "-C", folder, Tool, .. words]);
        foreach (var command in (string[])["status", "metrics", "doctor", "topology", "explain", "check", "command"])
        {
            var told = At("/", command, "named");
            Assert.True(told.Code == 0 && (command is "doctor" or "check" || told.Out.Contains("vm-n1", StringComparison.Ordinal)), $"{command}: {told.Out}{told.Err}");
        }
        Assert.Equal(0, At("/", "status", "--exit-code", "named").Code);
        Assert.Contains("nothing to do", At("/", "plan", "named").Out, StringComparison.Ordinal);
        host.Do("ip", "link", "set", "vm-n1", "down");
        Assert.Equal(3, At("/", "status", "--exit-code", "named").Code);
        Assert.Equal(3, At("/", "plan", "--exit-code", "named").Code);
        Assert.Equal(0, At("/", "up", "named").Code);
        Assert.Equal(0, At("/", "status", "--exit-code", "named").Code);
        Assert.Contains("'nobody-has-it'", At("/", "explain", "nobody-has-it").Err, StringComparison.Ordinal);

        host.Do("mkdir", "-p", "/root/files");
        host.Write("/root/files/named", """{"networking":{"hostName":"other"},"microvm":{"interfaces":[{"type":"tap","id":"vm-n9","mac":"02:00:00:00:00:09"}]}}""");
        var file = At("/root/files", "status", "named");
        Assert.Contains("vm-n9", file.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("vm-n1", file.Out, StringComparison.Ordinal);
        Assert.Contains("'named' is taken for the file in this folder", file.Err, StringComparison.Ordinal);
        Gone("named");
        Assert.NotEqual(0, At("/", "status", "named").Code);
    }

    [Fact]
    public void Drift_of_a_running_vm_is_seen_by_every_command_and_what_they_print_mends_it()
    {
        Start("seen", "", "vm-s1", "vm-s2");
        host.Until("the hypervisor", () => Status("vm-s1").State == "up" && Doctor().All(f => f.Severity == "ok"));
        Assert.Equal(0, host.Run(Tool, "status", "--exit-code").Code);
        host.Do("ip", "link", "set", "vm-s1", "down");
        Assert.Equal("down", Status("vm-s1").State);
        Assert.Equal(3, host.Run(Tool, "status", "--exit-code").Code);
        Assert.Equal(("down", "up"), (Listed("seen", "vm-s1"), Listed("seen", "vm-s2")));
        Assert.Contains("1 down, 1 up", host.Microvm("list"));
        Assert.Matches("""microvm_interface_info.*vm="seen".*|microvm_.*vm-s1.*""", host.Microvm("metrics"));
        var bad = Assert.Single(Doctor(), f => f.Severity != "ok");
        Assert.Equal(("problem", "'vm-s1' of 'seen' is down"), (bad.Severity, bad.Found));
        Assert.Contains($"$ {bad.Mend}", host.Microvm("status"));
        host.Do("sh", "-c", bad.Mend!.Replace("sudo ", "", StringComparison.Ordinal));
        Assert.Equal("up", Status("vm-s1").State);

        // A link that is gone is missing, where before nothing told of it.
        var all = host.Microvm("metrics").Split('\n').Count(l => l.Contains("vm-s2", StringComparison.Ordinal));
        host.Do("ip", "link", "delete", "vm-s2");
        Assert.Equal("missing", Status("vm-s2").State);
        Assert.Equal("missing", Listed("seen", "vm-s2"));
        Assert.Contains(Doctor(), f => f is { Severity: "problem", Found: "'vm-s2' of 'seen' is not there" });
        Assert.Contains("vm-s2", host.Microvm("metrics"));
        Assert.Contains("vm-s2", host.Microvm("top", "--once", "-n", "0.1"));

        // A changed declaration is no drift of what runs; stopped, nothing is wanted.
        host.Microvm("update", "seen");
        Gone("seen");
        Assert.Equal(default, Status("vm-s2"));
        Assert.Equal(0, host.Run(Tool, "status", "--exit-code").Code);
        Assert.True(all > 0);
    }

    [Fact]
    public void A_declaration_that_cannot_be_read_is_named_and_keeps_no_other_from_being_seen()
    {
        Start("torn", "", "vm-t1");
        Start("whole", "", "vm-t2");
        host.Do("sh", "-c", "echo '{' > /var/lib/microvms/.host/torn/booted/share/microvm/declaration.json; ip link set vm-t2 down");
        var told = host.Run(Tool, "status");
        Assert.Equal(0, told.Code);
        Assert.Contains("/var/lib/microvms/.host/torn/runners/", told.Err);
        Assert.Contains("'microvm update torn' writes it anew", told.Err);
        Assert.Equal("down", Status("vm-t2").State);
        Assert.Equal("up", Status("vm-t1").State);
        // Nor is a link followed that its hypervisor could have made.
        host.Do("sh", "-c", "cd /var/lib/microvms/torn; mkdir -p /root/evil/share/microvm; echo '{ secret' > /root/evil/share/microvm/declaration.json; ln -sfn /root/evil booted");
        Assert.DoesNotContain("secret", host.Run(Tool, "status").Err);
        Gone("whole");
        host.Microvm("stop", "torn");
        host.Microvm("remove", "torn", "--data");
        host.Run("ip", "link", "delete", "vm-t1");
    }

    /// <summary>docs/host.md: what the lines of a tap-up script may write under the units.</summary>
    [Fact]
    public void The_lines_of_tap_up_may_write_sysctls_of_links_and_a_log_beside_the_vm_and_nothing_else()
    {
        const string Lines = """
            sysctl -qw net.ipv4.conf.vm-u1.proxy_arp=1
            echo 2 > /proc/sys/net/ipv4/conf/vm-u1/rp_filter
            sysctl -qw net.ipv6.conf.vm-u1.accept_ra=0
            echo 70000 > /proc/sys/net/ipv4/neigh/vm-u1/base_reachable_time_ms
            echo made >> /var/lib/microvms/lines/tap.log
            ip addr add 10.9.77.1/32 dev vm-u1
            if echo x > /var/log/tap.log; then exit 1; fi
            if sysctl -qw net.ipv4.ip_forward=1; then exit 1; fi
            if sysctl -qw kernel.sysrq=0; then exit 1; fi
            """;
        Start("lines", $"\"binScripts\":{{\"tap-up\":{JsonSerializer.Serialize(Lines)}}},", "vm-u1");
        Assert.Equal("1", host.Do("cat", "/proc/sys/net/ipv4/conf/vm-u1/proxy_arp").Trim());
        Assert.Equal("2", host.Do("cat", "/proc/sys/net/ipv4/conf/vm-u1/rp_filter").Trim());
        Assert.Equal("0", host.Do("cat", "/proc/sys/net/ipv6/conf/vm-u1/accept_ra").Trim());
        Assert.Equal("made", host.Do("cat", "/var/lib/microvms/lines/tap.log").Trim());
        Assert.Contains("10.9.77.1", host.Do("ip", "addr", "show", "vm-u1"));
        // What is refused stands in the VM's log.
        Assert.Contains("Read-only file system", host.Run("journalctl", "--no-pager", "-o", "cat", "-u", "microvm-tap-interfaces@lines").Out);
        Gone("lines");
    }
}
