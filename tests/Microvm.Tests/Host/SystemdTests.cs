using System.Text.Json;

namespace Microvm.Tests;

/// <summary>VMs under a real systemd, with QEMU and the guest of guest/.</summary>
[Collection(nameof(SystemdHost))]
public sealed class SystemdTests(SystemdHost host)
{
    private static string Vm(string name, int vcpu, params string[] ids) => $$"""
        {"networking":{"hostName":"{{name}}"},"microvm":{ "vcpu":{{vcpu}},
          "kernel":"{{SystemdHost.Guest}}/vmlinuz","initrdPath":"{{SystemdHost.Guest}}/initrd","kernelParams":["seconds=600","{{string.Join("\",\"", GuestClock.Parameters)}}","guestip=10.0.9.2/24"],
          "interfaces":[{{string.Join(',', ids.Select((id, i) => $$"""{"type":"tap","id":"{{id}}","mac":"02:00:00:00:{{Math.Abs(name.Sum(c => c)) % 90 + 10}}:0{{i}}"}"""))}}] } }
        """;

    private void Create(string name, params string[] ids)
    {
        host.Write($"/root/{name}.json", Vm(name, 1, ids));
        host.Microvm("create", name, "--file", $"/root/{name}.json");
    }

    private string Listed(string name, string field) =>
        JsonDocument.Parse(host.Microvm("list", "--json")).RootElement.EnumerateArray().Single(v => v.GetProperty("name").GetString() == name).GetProperty(field).ToString();

    private void Gone(string name)
    {
        host.Microvm("stop", name);
        host.Microvm("remove", name, "--data");
    }

    [Fact]
    public void Units_are_clean_and_little_exposed()
    {
        // verify wants the programs of an instance to be there.
        host.Write("/root/clean.json", Vm("clean", 1, "vm-v1").Replace("\"interfaces\":[", "\"interfaces\":[{\"type\":\"macvtap\",\"id\":\"vm-v2\",\"mac\":\"02:00:00:00:99:01\",\"macvtap\":{\"link\":\"eth0\",\"mode\":\"bridge\"}},", StringComparison.Ordinal)
            .Replace("\"vcpu\"", "\"binScripts\":{\"pci-setup\":\"true\",\"virtiofsd-run\":\"true\"},\"vcpu\"", StringComparison.Ordinal));
        host.Microvm("create", "clean", "--file", "/root/clean.json");
        foreach (var (unit, limit) in (IEnumerable<(string, double)>)[("microvm-tap-interfaces@", 2.5), ("microvm-macvtap-interfaces@", 2.5), ("microvm-interfaces@", 2.5), ("microvm-set-booted@", 2.5), ("microvm-pause@", 2.5), ("microvm-pci-devices@", 3), ("microvm-network@", 3),
            ("microvm-virtiofsd@", 5), ("microvm@", 2.5), ("microvm-watch@", 2.5), ("microvm-metrics", 2.5)])
        {
            var verify = host.Run("systemd-analyze", "verify", "--man=no", unit.EndsWith('@') ? $"{unit}clean.service" : $"{unit}.service");
            Assert.True(verify.Code == 0 && !verify.Err.Contains("microvm", StringComparison.Ordinal), verify.Out + verify.Err);
            var exposure = host.Do("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=100", $"/usr/local/lib/systemd/system/{unit}.service");
            var figure = double.Parse(System.Text.RegularExpressions.Regex.Match(exposure, @"exposure level for \S+: (\d+\.\d+)").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
            Assert.True(figure < limit, $"{unit} has an exposure of {figure}:\n{exposure}");
            Assert.Contains($"| `{unit}` | {figure.ToString("0.0", System.Globalization.CultureInfo.InvariantCulture)} |", File.ReadAllText(Path.Combine(Binary.Root, "docs", "host.md")));
        }
    }

    [Theory]
    [InlineData("../up")]
    [InlineData("a/b")]
    [InlineData(".")]
    [InlineData("-x")]
    [InlineData("a b")]
    [InlineData("x@y")]
    [InlineData("")]
    public void A_name_never_leads_out_of_the_state_directory(string name)
    {
        using var folder = new Folder();
        foreach (var verb in (string[])["create", "update", "start", "stop", "remove", "logs"])
        {
            string[] words = [verb, "--state-dir", Path.GetDirectoryName(folder.File("x", ""))!, .. verb == "create" ? new[] { "--file", folder.File("vm.json", Vm("x", 1, "vm-x")) } : [], "--", name];
            Assert.Equal(2, Binary.Microvm(words).Code);
        }
    }

    private string Steers(string vm, string name) => host.Do("readlink", $"/var/lib/microvms/.host/{vm}/{name}").Trim();

    private static void Says(string words) => Assert.Contains(words, string.Join(' ', File.ReadAllText(Path.Combine(Binary.Root, "docs/host.md")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));

    [Fact]
    public void Interfaces_are_made_before_the_vm_and_removed_after_it()
    {
        Create("life", "vm-l1", "vm-l2");
        Assert.Equal("not booted", Listed("life", "runner"));
        host.Microvm("start", "life");
        Assert.NotNull(host.Index("vm-l1"));
        Assert.NotNull(host.Index("vm-l2"));
        Assert.Equal("active", host.Property("microvm@life.service", "ActiveState"));
        Assert.True(ulong.Parse(host.Property("microvm-tap-interfaces@life.service", "ActiveEnterTimestampMonotonic")) <= ulong.Parse(host.Property("microvm@life.service", "ExecMainStartTimestampMonotonic")));
        host.Until("the guest's console in the journal", () => host.Run("/usr/local/bin/microvm", "logs", "life").Out.Contains("Linux version", StringComparison.Ordinal));
        Assert.Equal(("running", "current"), (Listed("life", "state"), Listed("life", "runner")));
        Assert.Equal(Steers("life", "current"), Steers("life", "booted"));
        Assert.Equal(1, host.Run("/usr/local/bin/microvm", "remove", "life").Code);
        host.Microvm("stop", "life");
        Assert.Null(host.Index("vm-l1"));
        Assert.Null(host.Index("vm-l2"));
        Assert.Equal(("stopped", "not booted"), (Listed("life", "state"), Listed("life", "runner")));
        Says("It is removed when the VM has been stopped and its interfaces deleted");
        Assert.Equal(1, host.Run("test", "-L", "/var/lib/microvms/.host/life/booted").Code);
        Gone("life");
        Assert.Equal(1, host.Run("test", "-e", "/var/lib/microvms/life").Code);
    }

    [Fact]
    public void A_vm_that_runs_in_an_earlier_versions_layout_is_moved_and_goes_on_running()
    {
        Create("moved", "vm-m1");
        host.Microvm("start", "moved");
        var (index, pid) = (host.Index("vm-m1"), host.Property("microvm@moved.service", "MainPID"));
        Assert.Matches("^runners/[0-9a-f]{32}$", host.Do("readlink", "/var/lib/microvms/.host/moved/current").Trim());
        Assert.Equal("755 root", host.Do("stat", "-c", "%a %U", "/var/lib/microvms/.host/moved").Trim());
        host.Do("sh", "-ec", "cd /var/lib/microvms; rm moved/current moved/booted; mv .host/moved/current .host/moved/booted .host/moved/file .host/moved/runners moved/; rm -r .host/moved");
        host.Microvm("host", "install");
        Assert.Equal((pid, index), (host.Property("microvm@moved.service", "MainPID"), host.Index("vm-m1")));
        Assert.Equal(("running", "current"), (Listed("moved", "state"), Listed("moved", "runner")));
        Assert.Contains("moved is current", host.Microvm("update", "moved"));
        Assert.Equal(1, host.Run("test", "-e", "/var/lib/microvms/moved/runners").Code);
        host.Microvm("restart", "moved");
        Assert.Equal(index, host.Index("vm-m1"));
        host.Microvm("stop", "moved");
        Assert.Null(host.Index("vm-m1"));
        Gone("moved");
    }

    private void CreateRegistered(string name, string id)
    {
        host.Write($"/root/{name}.json", Vm(name, 1, id).Replace("\"vcpu\"", "\"registerWithMachined\":true,\"vcpu\"", StringComparison.Ordinal));
        host.Microvm("create", name, "--file", $"/root/{name}.json");
    }

    private string Machine(string name, string property) => host.Do("machinectl", "show", name, $"--property={property}", "--value").Trim();

    private string Journal(string vm) => host.Run("/usr/local/bin/microvm", "logs", vm).Out;

    [Fact]
    public void A_vm_that_asks_for_it_is_known_to_machined_from_each_start_to_its_end()
    {
        CreateRegistered("known", "vm-n1");
        host.Microvm("start", "known");
        var pid = host.Property("microvm@known.service", "MainPID");
        Assert.Equal((pid, "microvm@known.service", "vm", "microvm"), (Machine("known", "Leader"), Machine("known", "Unit"), Machine("known", "Class"), Machine("known", "Service")));
        Assert.Equal($"ai 1 {host.Index("vm-n1")}", host.Do("busctl", "get-property", "org.freedesktop.machine1", "/org/freedesktop/machine1/machine/known", "org.freedesktop.machine1.Machine", "NetworkInterfaces").Trim());
        // The UUID that QEMU gives the guest.
        Assert.Contains(Machine("known", "Id").Replace("-", "", StringComparison.Ordinal), host.Do("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null || true").Replace("-", "", StringComparison.Ordinal), StringComparison.Ordinal);
        host.Do("kill", "-KILL", pid);
        host.Until("the next hypervisor in machined", () => host.Property("microvm@known.service", "MainPID") is var now && now != pid && now != "0"
            && host.Run("machinectl", "show", "known", "--property=Leader", "--value").Out.Trim() == now);
        Assert.Contains("known", host.Do("machinectl", "list"), StringComparison.Ordinal);
        host.Microvm("stop", "known");
        Assert.NotEqual(0, host.Run("machinectl", "show", "known").Code);
        Assert.DoesNotContain("not registered", Journal("known"), StringComparison.Ordinal);
        Gone("known");
    }

    [Fact]
    public void A_foreign_machine_of_a_vms_name_stays_what_it_is()
    {
        host.Do("systemd-run", "--unit=other", "sleep", "1000");
        host.Do("busctl", "call", "org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager", "RegisterMachine", "sayssus", "taken", "0", "other", "container",
            host.Property("other.service", "MainPID"), "");
        CreateRegistered("taken", "vm-n2");
        host.Microvm("start", "taken");
        Assert.Equal("active", host.Property("microvm@taken.service", "ActiveState"));
        host.Until("the reason", () => Journal("taken").Contains("'taken' is not registered with systemd-machined, and runs without that: ", StringComparison.Ordinal));
        host.Microvm("stop", "taken");
        Assert.Equal(("other.service", "active"), (Machine("taken", "Unit"), host.Property("other.service", "ActiveState")));
        host.Do("systemctl", "stop", "other");
        Gone("taken");
    }

    [Fact]
    public void Where_there_is_no_machined_a_vm_runs_and_its_log_tells_what_to_install()
    {
        const string Activated = "/usr/share/dbus-1/system-services/org.freedesktop.machine1.service";
        host.Do("systemctl", "start", "dbus");
        host.Run("systemctl", "stop", "systemd-machined");
        host.Do("mv", Activated, "/root/machine1");
        try
        {
            host.Do("systemctl", "reload", "dbus");
            CreateRegistered("unknown", "vm-n3");
            host.Microvm("start", "unknown");
            Assert.Equal("active", host.Property("microvm@unknown.service", "ActiveState"));
            host.Until("what to install", () => Journal("unknown").Contains("this host has none; install it (Debian: apt install systemd-container), or leave microvm.registerWithMachined out", StringComparison.Ordinal));
            Gone("unknown");
        }
        finally
        {
            host.Do("mv", "/root/machine1", Activated);
            host.Do("systemctl", "reload", "dbus");
        }
    }

    [Fact]
    public void A_killed_hypervisor_is_started_again_and_its_interfaces_are_not_touched()
    {
        Create("crash", "vm-c1");
        host.Microvm("start", "crash");
        var (index, pid) = (host.Index("vm-c1"), host.Property("microvm@crash.service", "MainPID"));
        Assert.NotNull(index);
        var first = Steers("crash", "booted");
        host.Write("/root/crash.json", Vm("crash", 1, "vm-c1", "vm-c2"));
        host.Microvm("update", "crash");
        Assert.Equal("stale", Listed("crash", "runner"));
        Assert.Equal(first, Steers("crash", "booted"));
        host.Do("kill", "-KILL", pid);
        host.Until("another hypervisor", () => host.Property("microvm@crash.service", "MainPID") is var now && now != pid && now != "0" && host.Property("microvm@crash.service", "SubState") == "running");
        Assert.Equal(index, host.Index("vm-c1"));
        Says("the runner that was started last, recorded at each start, including a restart after a crash");
        Says("is restarted from `current`, so after an `update` a crash applies the new declaration too");
        Assert.NotEqual(first, Steers("crash", "booted"));
        Assert.Equal(Steers("crash", "current"), Steers("crash", "booted"));
        Assert.NotNull(host.Index("vm-c2"));
        Gone("crash");
    }

    [Fact]
    public void A_watch_beside_a_vm_mends_its_links_while_it_runs_and_follows_each_start()
    {
        host.Do("ip", "link", "add", "br7", "up", "type", "bridge");
        string Bridged(params string[] ids) => Vm("looked", 1, ids).Replace("\"type\":\"tap\"", "\"type\":\"tap\",\"bridge\":\"br7\"", StringComparison.Ordinal);
        string? Master(string link) => host.Run("readlink", $"/sys/class/net/{link}/master").Out.Trim() is { Length: > 0 } path ? Path.GetFileName(path) : null;
        bool Watches() => host.Property("microvm-watch@looked.service", "SubState") == "running";
        host.Write("/root/looked.json", Bridged("vm-w1"));
        host.Microvm("create", "looked", "--file", "/root/looked.json");
        host.Do("systemctl", "enable", "microvm-watch@looked");
        host.Do("systemctl", "start", "microvm-watch@looked");
        Assert.False(Watches());
        host.Microvm("start", "looked");
        host.Until("the watch", Watches);
        var (link, pid) = (host.Index("vm-w1"), host.Property("microvm@looked.service", "MainPID"));
        host.Do("ip", "link", "del", "br7");
        host.Do("ip", "link", "add", "br7", "up", "type", "bridge");
        host.Until("the tap at the new bridge", () => Master("vm-w1") == "br7");
        Assert.Equal((link, pid), (host.Index("vm-w1"), host.Property("microvm@looked.service", "MainPID")));

        host.Write("/root/looked.json", Bridged("vm-w1", "vm-w2"));
        host.Microvm("update", "looked");
        host.Do("kill", "-KILL", pid);
        host.Until("the next run", () => host.Index("vm-w2") is not null && host.Property("microvm@looked.service", "SubState") == "running" && Watches());
        host.Do("ip", "link", "set", "vm-w2", "nomaster");
        host.Until("the new tap back at its bridge", () => Master("vm-w2") == "br7");

        Gone("looked");
        Assert.Null(host.Index("vm-w1"));
        Assert.Null(host.Index("vm-w2"));
        Assert.False(Watches());
        host.Do("systemctl", "disable", "microvm-watch@looked");
        host.Do("ip", "link", "del", "br7");
    }

    [Fact]
    public void One_command_creates_and_starts_and_one_stops_and_removes()
    {
        host.Write("/root/brief.json", Vm("brief", 1, "vm-b9"));
        host.Microvm("create", "brief", "--file", "/root/brief.json", "--autostart", "--start");
        Assert.Equal("running", Listed("brief", "state"));
        host.Do("touch", "/var/lib/microvms/brief/disk.img");
        var refused = host.Run("/usr/local/bin/microvm", "remove", "brief", "--stop");
        Assert.True(refused.Code == 1 && refused.Err.Contains("disk.img", StringComparison.Ordinal), refused.Err);
        Assert.Equal("running", Listed("brief", "state"));
        host.Microvm("remove", "brief", "--stop", "--data");
        Assert.Null(host.Index("vm-b9"));
        Assert.NotEqual(0, host.Run("test", "-e", "/var/lib/microvms/brief").Code);
    }

    [Fact]
    public void The_timer_of_the_metrics_writes_the_page_that_node_exporter_reads()
    {
        Create("count", "vm-n1");
        host.Microvm("start", "count");
        host.Do("mkdir", "-p", "/var/lib/prometheus/node-exporter");
        host.Do("systemctl", "start", "microvm-metrics.timer");
        host.Do("systemctl", "start", "microvm-metrics.service");
        Assert.Contains("microvm_interface_up{vm=\"count\",interface=\"vm-n1\"}", host.Do("cat", "/var/lib/prometheus/node-exporter/microvm.prom"), StringComparison.Ordinal);
        host.Do("rm", "/var/lib/prometheus/node-exporter/microvm.prom");
        host.Until("the timer's next page", () => host.Run("test", "-s", "/var/lib/prometheus/node-exporter/microvm.prom").Code == 0);
        host.Do("systemctl", "stop", "microvm-metrics.timer");
        Gone("count");
    }

    [Fact]
    public void A_changed_declaration_applies_on_the_next_start_by_plan()
    {
        Create("change", "vm-d1", "vm-d2");
        host.Microvm("start", "change");
        var kept = host.Index("vm-d1");
        host.Write("/root/change.json", Vm("change", 1, "vm-d1", "vm-d3"));
        Assert.Contains("microvm restart change", host.Microvm("update", "change"));
        Assert.Equal("stale", Listed("change", "runner"));
        Assert.Null(host.Index("vm-d3"));
        host.Microvm("restart", "change");
        Assert.Equal(kept, host.Index("vm-d1"));
        Assert.NotNull(host.Index("vm-d3"));
        Assert.Equal("current", Listed("change", "runner"));
        Gone("change");
    }

    [Fact]
    public void A_vm_starts_with_the_host_where_it_was_told_to()
    {
        Create("late", "vm-e1");
        Create("early", "vm-f1");
        host.Microvm("update", "early", "--autostart", "true");
        host.Reboot();
        host.Until("the VM", () => host.Property("microvm@early.service", "SubState") == "running");
        Assert.NotNull(host.Index("vm-f1"));
        Assert.Equal("stopped", Listed("late", "state"));
        Assert.Null(host.Index("vm-e1"));
        Gone("early");
        Gone("late");
    }

    [Fact]
    public void A_change_restarts_the_vms_of_a_fleet_that_say_so_and_no_other()
    {
        static string Fleet(int mem) => $$"""
            {"microvm":{"vms":{"quick":{"restartIfChanged":true,"config":{{Vm("quick", 1, "vm-q1").Replace("\"vcpu\"", $"\"mem\":{mem},\"vcpu\"", StringComparison.Ordinal)}}},
              "still":{"restartIfChanged":false,"config":{{Vm("still", 1, "vm-q2").Replace("\"vcpu\"", $"\"mem\":{mem},\"vcpu\"", StringComparison.Ordinal)}}} } } }
            """;
        host.Write("/root/two.json", Fleet(256));
        host.Microvm("fleet", "up", "/root/two.json");
        var (quick, still, link) = (host.Property("microvm@quick.service", "MainPID"), host.Property("microvm@still.service", "MainPID"), host.Index("vm-q1"));
        host.Write("/root/two.json", Fleet(264));
        Assert.Contains("still runs from an older declaration; apply it with: microvm restart still", host.Microvm("fleet", "up", "/root/two.json"), StringComparison.Ordinal);
        Assert.Equal(still, host.Property("microvm@still.service", "MainPID"));
        Assert.NotEqual(quick, host.Property("microvm@quick.service", "MainPID"));
        Assert.Equal(("current", "stale", link), (Listed("quick", "runner"), Listed("still", "runner"), host.Index("vm-q1")));
        Gone("quick");
        Gone("still");
    }

    [Fact]
    public void A_fleet_comes_up_in_one_go()
    {
        static string Config(string name, string id) => $"\"config\":{Vm(name, 1, id)}";
        host.Write("/root/fleet.json", $$"""{"microvm":{"vms":{"one":{{{Config("one", "vm-g1")}}},"two":{{{Config("two", "vm-g2")}},"autostart":false} } } }""");
        Assert.Contains("created two", host.Microvm("fleet", "up", "/root/fleet.json"));
        foreach (var (name, id) in (IEnumerable<(string, string)>)[("one", "vm-g1"), ("two", "vm-g2")])
        {
            Assert.Equal("running", Listed(name, "state"));
            Assert.NotNull(host.Index(id));
        }
        Assert.Equal(("True", "False"), (Listed("one", "autostart"), Listed("two", "autostart")));
        Assert.Contains("two is current", host.Microvm("fleet", "up", "/root/fleet.json"));
        Assert.Contains("one is current", host.Microvm("update", "one"));
        host.Microvm("fleet", "down", "/root/fleet.json");
        Assert.Equal(("stopped", "stopped"), (Listed("one", "state"), Listed("two", "state")));
        Gone("one");
        Gone("two");
    }
}
