using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Microvm.Tests;

/// <summary>Every hypervisor with every type of interface as a unit of <c>host install</c>: the stand-ins, which demand what their
/// originals do. QEMU itself is in <see cref="HardenedVmTests"/>.</summary>
[Collection(nameof(SystemdHost))]
public sealed class HypervisorUnitTests(SystemdHost host)
{
    private static readonly string[] s_hypervisors = ["cloud-hypervisor", "kvmtool", "crosvm", "firecracker", "stratovirt", "alioth"], s_types = ["tap", "macvtap", "bridge", "user"];

    private sealed record Vm(string Hypervisor, string Type, int Number, int Vcpu)
    {
        internal string Name => $"u{Number}-{Hypervisor}-{Type}";
        internal string Unit => $"microvm@{Name}.service";
        internal string Mac => $"02:00:00:00:e0:{Number:x2}";
        internal string? Address => Type switch { "macvtap" => $"10.0.8.{Number + 100}", "user" => null, _ => $"10.0.9.{Number + 100}" };

        internal string Declaration
        {
            get
            {
                var more = Type switch { "macvtap" => ",\"macvtap\":{\"link\":\"card\",\"mode\":\"bridge\"}", "user" => "", _ => ",\"bridge\":\"br0\"" };
                var address = Address is { } a ? $"\"guestip={a}/24\"" : "\"guestip=10.0.2.15/24\",\"ping=10.0.2.2\"";
                return $$"""
                    {"microvm":{"hypervisor":"{{Hypervisor}}","{{Hypervisor}}":{"package":"{{SystemdHost.StandIns}}"},"vcpu":{{Vcpu}},"kernel":"{{(StandIn.Kernel(Hypervisor) == StandIn.Elf ? StandIn.Elf : $"{SystemdHost.Guest}/vmlinuz")}}","initrdPath":"{{SystemdHost.Guest}}/initrd",
                      "kernelParams":[{{address}},"seconds=600"],"interfaces":[{"type":"{{Type}}","id":"vu{{Number}}","mac":"{{Mac}}"{{more}}}] } }
                    """;
            }
        }
    }

    private string Console(Vm vm) => host.Run("journalctl", "--no-pager", "-o", "cat", "-u", vm.Unit).Out;

    /// <summary>Whichever hierarchy of cgroups this machine has.</summary>
    private string[] Processes(Vm vm) =>
        host.Do("sh", "-c", $"for d in '' /systemd /unified; do cat \"/sys/fs/cgroup$d{host.Property(vm.Unit, "ControlGroup")}/cgroup.procs\" 2>/dev/null; done | sort -u").Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static int Times(string text, string what) => Regex.Count(text, Regex.Escape(what));

    private void Networks()
    {
        host.Run("ip", "link", "add", "br0", "type", "bridge");
        host.Run("ip", "addr", "add", "10.0.9.1/24", "dev", "br0");
        host.Do("ip", "link", "set", "br0", "up");
        if (host.Index("card") is null)
        {
            host.Do("ip", "link", "add", "card", "type", "veth", "peer", "name", "world");
        }
        host.Run("ip", "addr", "add", "10.0.8.1/24", "dev", "world");
        host.Do("ip", "link", "set", "card", "up");
        host.Do("ip", "link", "set", "world", "up");
    }

    private void Serves(Vm vm, int time)
    {
        host.Until($"{vm.Name} to be ready for the {time}. time\n", () => Times(Console(vm), "guest: ready") >= time);
        var console = Console(vm);
        if (vm.Type == "user" && vm.Hypervisor == "kvmtool")
        {
            // Its own user network; the stand-in has none.
            return;
        }
        Assert.Contains($"guest: mac {vm.Mac}", console, StringComparison.Ordinal);
        Assert.DoesNotContain("probe failed", console, StringComparison.Ordinal);
        var pairs = vm.Type != "user" && vm.Hypervisor is "cloud-hypervisor" or "alioth" && vm.Type != "user" ? vm.Vcpu : 1;
        Assert.True(Times(console, $"guest: queues {string.Join(' ', Enumerable.Range(0, pairs).Select(n => $"rx-{n}").Concat(Enumerable.Range(0, pairs).Select(n => $"tx-{n}")))}\n") >= time, console);
        if (vm.Address is { } address)
        {
            host.Until($"{vm.Name} at {address}\n{console}", () => host.Run("ping", "-c", "1", "-W", "1", address).Code == 0);
        }
        else
        {
            host.Until($"{vm.Name}'s router", () => Times(Console(vm), "guest: 10.0.2.2 answers") >= time);
        }
    }

    [Fact]
    public void Each_pair_starts_serves_starts_again_after_SIGKILL_and_ends_at_once_when_asked()
    {
        Networks();
        // Usually a third of the pairs, with each hypervisor and each type among them.
        var all = Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is { Length: > 0 };
        var vms = s_hypervisors.SelectMany((h, a) => s_types.Where((_, b) => all || (a + b) % 3 == 0).Select(t => (h, t))).Select((p, n) => new Vm(p.h, p.t, n + 1, 4)).ToList();
        vms.AddRange(vms.Where(_ => all).Select(v => v with { Number = v.Number + 30, Vcpu = 1 }).ToList());
        host.Write("/root/pairs.json", $$"""{"microvm":{"vms":{ {{string.Join(",\n", vms.Select(v => $"\"{v.Name}\":{{\"autostart\":false,\"config\":{v.Declaration}}}"))}} } } }""");
        var up = host.Run("/usr/local/bin/microvm", "fleet", "up", "/root/pairs.json");
        Assert.True(up.Code == 0, up.Out + up.Err);
        vms.ForEach(v => Serves(v, 1));

        // Which can be asked is told before somebody stops one.
        var list = JsonDocument.Parse(host.Microvm("list", "--json")).RootElement.EnumerateArray().ToDictionary(v => v.GetProperty("name").GetString()!);
        var stops = host.Microvm("list");
        foreach (var vm in vms)
        {
            Assert.Equal((vm.Name, AsksGuest(vm)), (vm.Name, list[vm.Name].GetProperty("asksGuest").GetBoolean()));
            Assert.Matches($@"(?m)^{vm.Name} .* {(AsksGuest(vm) ? "by asking" : "at once")} ", stops);
        }

        // Most leave their control socket behind then, and crosvm and Firecracker would never start again beside it.
        var pids = vms.ToDictionary(v => v, v => host.Property(v.Unit, "MainPID"));
        host.Do(["kill", "-KILL", .. pids.Values]);
        vms.ForEach(v => Serves(v, 2));
        Assert.All(vms, v => Assert.NotEqual(pids[v], host.Property(v.Unit, "MainPID")));

        // One of each ends within a few seconds by itself; together the others take what the slowest takes.
        foreach (var vm in vms.DistinctBy(v => v.Hypervisor))
        {
            var alone = Stopwatch.StartNew();
            host.Microvm("stop", vm.Name);
            Assert.True(alone.Elapsed < TimeSpan.FromSeconds(10), $"{vm.Name}: {alone.Elapsed}\n{Console(vm)}");
        }
        var clock = Stopwatch.StartNew();
        host.Microvm("fleet", "down", "/root/pairs.json");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(40), $"{clock.Elapsed}\n{host.Run("journalctl", "--no-pager", "-n", "100").Out}");
        foreach (var vm in vms)
        {
            Assert.Equal("success", host.Property(vm.Unit, "Result"));
            var asked = Console(vm).Contains("shutting down", StringComparison.Ordinal);
            Assert.Equal((vm.Name, AsksGuest(vm)), (vm.Name, asked));
            Assert.True(host.Index($"vu{vm.Number}") is null, $"{vm.Name}'s interface is left");
            // What a hypervisor leaves in the VM's directory is no data.
            host.Microvm("remove", vm.Name);
        }
        Assert.Empty(host.Run("sh", "-c", "ls -d /etc/systemd/system/microvm@u*.service.d").Out);
        host.Do("ip", "link", "delete", "card");
    }

    /// <summary>kvmtool has nothing to ask its guest with, and Alioth nothing to be asked by.</summary>
    private static bool AsksGuest(Vm vm) => vm.Hypervisor is not ("kvmtool" or "alioth");

    private static Vm Single(string hypervisor, string type, int number) => new(hypervisor, type, number, 1);

    private void Create(Vm vm)
    {
        host.Write($"/root/{vm.Name}.json", vm.Declaration);
        host.Microvm("create", vm.Name, "--file", $"/root/{vm.Name}.json");
    }

    private void Gone(Vm vm)
    {
        host.Microvm("stop", vm.Name);
        host.Microvm("remove", vm.Name, "--data");
    }

    [Fact]
    public void Crosvm_keeps_its_own_sandbox_by_a_drop_in_of_its_VMs()
    {
        Networks();
        var vm = Single("crosvm", "tap", 61);
        host.Do("mkdir", "-p", "/var/empty");
        host.Write($"/root/{vm.Name}.json", vm.Declaration.Replace("\"package\"", "\"pivotRoot\":\"/var/empty\",\"package\"", StringComparison.Ordinal));
        host.Microvm("create", vm.Name, "--file", $"/root/{vm.Name}.json");
        host.Microvm("start", vm.Name);
        Serves(vm, 1);
        var exposure = Regex.Match(host.Run("systemd-analyze", "security", "--no-pager", vm.Unit).Out, @"exposure level for \S+: (\d+\.\d+)").Groups[1].Value;
        Assert.Contains($"| of crosvm | {exposure} |", File.ReadAllText(Path.Combine(Binary.Root, "docs", "host.md")), StringComparison.Ordinal);
        // Its jailed child is in a PID namespace of its own.
        Assert.Contains(Processes(vm), p => host.Run("readlink", $"/proc/{p}/ns/pid").Out != host.Run("readlink", "/proc/1/ns/pid").Out);
        Gone(vm);
        Assert.Equal(1, host.Run("test", "-e", $"/etc/systemd/system/{vm.Unit}.d").Code);
    }

    [Fact]
    public void A_VM_whose_control_socket_was_deleted_is_told_of_and_ends_at_once()
    {
        Networks();
        var vm = Single("cloud-hypervisor", "tap", 62);
        Create(vm);
        host.Microvm("start", vm.Name);
        Serves(vm, 1);
        host.Do("sh", "-c", $"rm /var/lib/microvms/{vm.Name}/*.sock");
        var shutdown = host.Run("sh", "-c", $"cd /var/lib/microvms/{vm.Name} && sed 's/\"microvm\"/\"networking\":{{\"hostName\":\"{vm.Name}\"}},\"microvm\"/' /root/{vm.Name}.json > /root/named.json && microvm shutdown /root/named.json");
        Assert.Equal(1, shutdown.Code);
        Assert.Contains($"'{vm.Name}' runs as {vm.Unit}", shutdown.Err, StringComparison.Ordinal);
        Assert.Contains($"sudo microvm stop {vm.Name}", shutdown.Err, StringComparison.Ordinal);
        var clock = Stopwatch.StartNew();
        host.Microvm("stop", vm.Name);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"{clock.Elapsed}");
        Assert.Contains("nobody answers at its control socket", Console(vm), StringComparison.Ordinal);
        host.Microvm("remove", vm.Name, "--data");
    }

    [Fact]
    public void A_VM_that_is_stopped_before_its_control_socket_is_there_is_asked_once_it_is()
    {
        Networks();
        var vm = Single("cloud-hypervisor", "tap", 68);
        host.Write($"/root/{vm.Name}.json", vm.Declaration.Replace("\"seconds=600\"", "\"seconds=600\",\"late=4\"", StringComparison.Ordinal));
        host.Microvm("create", vm.Name, "--file", $"/root/{vm.Name}.json");
        host.Microvm("start", vm.Name);
        host.Microvm("stop", vm.Name);
        Assert.Contains("guest: asked by the power button, shutting down", Console(vm), StringComparison.Ordinal);
        Assert.DoesNotContain("nobody answers at its control socket", Console(vm), StringComparison.Ordinal);
        host.Microvm("remove", vm.Name, "--data");
    }

    [Fact]
    public void Shutdown_by_name_asks_a_running_VM_and_tells_that_its_unit_starts_it_again()
    {
        Networks();
        var vm = Single("stratovirt", "tap", 67);
        Create(vm);
        Assert.Equal($"'{vm.Name}' is not running\n", host.Microvm("shutdown", vm.Name));
        host.Microvm("start", vm.Name);
        Serves(vm, 1);
        var shutdown = host.Run("/usr/local/bin/microvm", "shutdown", vm.Name);
        Assert.Equal((0, $"'{vm.Name}' has shut down\n"), (shutdown.Code, shutdown.Out));
        Assert.Contains($"starts '{vm.Name}' again once it has shut down; to keep it down: sudo microvm stop {vm.Name}", shutdown.Err, StringComparison.Ordinal);
        Serves(vm, 2);
        // Once is no failure.
        Assert.Equal((1, "running"), (Listed(vm).GetProperty("restarts").GetInt32(), Listed(vm).GetProperty("state").GetString()));
        Assert.DoesNotContain("without success", host.Microvm("list"), StringComparison.Ordinal);
        Gone(vm);
    }

    [Fact]
    public void A_guest_whose_user_network_ends_is_started_again_with_it()
    {
        var vm = Single("cloud-hypervisor", "user", 63);
        Create(vm);
        host.Microvm("start", vm.Name);
        Serves(vm, 1);
        var pid = host.Property(vm.Unit, "MainPID");
        host.Do("kill", "-KILL", Processes(vm).Single(p => host.Run("cat", $"/proc/{p}/comm").Out.Trim() == "slirp4netns"));
        Serves(vm, 2);
        Assert.NotEqual(pid, host.Property(vm.Unit, "MainPID"));
        Assert.Contains("slirp4netns was ended by signal 9, and the guest's network with it", Console(vm), StringComparison.Ordinal);
        Gone(vm);
    }

    private JsonElement Listed(Vm vm) => JsonDocument.Parse(host.Microvm("list", "--json")).RootElement.EnumerateArray().Single(v => v.GetProperty("name").GetString() == vm.Name);

    [Fact]
    public void A_bridge_that_comes_late_finds_its_VM_waiting_and_until_then_everybody_says_why()
    {
        var vm = Single("cloud-hypervisor", "tap", 64);
        host.Write($"/root/{vm.Name}.json", vm.Declaration.Replace("br0", "brlate", StringComparison.Ordinal));
        host.Microvm("create", vm.Name, "--file", $"/root/{vm.Name}.json");
        var start = host.Run("/usr/local/bin/microvm", "start", vm.Name);
        Assert.Equal(1, start.Code);
        Assert.Contains("brlate", start.Err, StringComparison.Ordinal);
        Assert.DoesNotContain("journalctl", start.Err, StringComparison.Ordinal);
        var listed = Listed(vm);
        Assert.Equal("restarting", listed.GetProperty("state").GetString());
        Assert.Contains("brlate", listed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains("brlate", host.Microvm("list"), StringComparison.Ordinal);
        host.Do("ip", "link", "add", "brlate", "type", "bridge");
        host.Do("ip", "addr", "add", "10.0.9.1/24", "dev", "brlate");
        host.Do("ip", "link", "set", "brlate", "up");
        host.Until("the VM", () => Console(vm).Contains("guest: ready", StringComparison.Ordinal));
        Assert.NotNull(host.Index("vu64"));
        Gone(vm);
        Assert.Null(host.Index("vu64"));
        foreach (var part in (string[])["interfaces", "tap-interfaces", "set-booted", "pause"])
        {
            Assert.NotEqual("active", host.Property($"microvm-{part}@{vm.Name}.service", "ActiveState"));
        }
        host.Do("ip", "link", "delete", "brlate");
    }

    [Fact]
    public void A_missing_kernel_is_the_reason_that_start_and_list_give_and_stop_cleans_up()
    {
        var vm = Single("cloud-hypervisor", "tap", 65);
        Networks();
        host.Write($"/root/{vm.Name}.json", vm.Declaration.Replace(StandIn.Elf, "/nonexistent/vmlinux", StringComparison.Ordinal));
        Assert.Contains("there is no '/nonexistent/vmlinux'", host.Run("/usr/local/bin/microvm", "check", $"/root/{vm.Name}.json").Out, StringComparison.Ordinal);
        host.Microvm("create", vm.Name, "--file", $"/root/{vm.Name}.json");
        var start = host.Run("/usr/local/bin/microvm", "start", vm.Name);
        Assert.Equal(1, start.Code);
        Assert.Contains($"'{vm.Name}' did not start: there is no '/nonexistent/vmlinux'", start.Err, StringComparison.Ordinal);
        Assert.Contains("there is no '/nonexistent/vmlinux'", Listed(vm).GetProperty("reason").GetString(), StringComparison.Ordinal);
        host.Microvm("stop", vm.Name);
        Assert.Equal("stopped", Listed(vm).GetProperty("state").GetString());
        Assert.Null(host.Index("vu65"));
        host.Microvm("remove", vm.Name, "--data");
    }

    [Fact]
    public void A_VM_that_crashes_again_and_again_is_not_called_running()
    {
        Networks();
        var vm = Single("cloud-hypervisor", "tap", 66);
        host.Write($"/root/{vm.Name}.json", vm.Declaration.Replace("seconds=600", "die=1", StringComparison.Ordinal));
        host.Microvm("create", vm.Name, "--file", $"/root/{vm.Name}.json");
        _ = host.Run("/usr/local/bin/microvm", "start", vm.Name);
        host.Until("a second try", () => int.Parse(host.Property(vm.Unit, "NRestarts")) >= 2);
        // Whatever it does at the moment.
        for (var n = 0; n < 8; n++)
        {
            Assert.Equal("restarting", Listed(vm).GetProperty("state").GetString());
            Thread.Sleep(300);
        }
        Assert.Contains("without success", host.Microvm("list"), StringComparison.Ordinal);
        Gone(vm);
    }
}
