using System.Text.RegularExpressions;

namespace Microvm.Tests;

/// <summary>Every type of interface under the hardened units: a real guest behind it, in a real systemd.</summary>
[Collection(nameof(SystemdHost))]
public sealed class HardenedVmTests(SystemdHost host)
{
    private string Console(string name) => host.Run("journalctl", "--no-pager", "-o", "cat", "-u", $"microvm@{name}").Out;

    private void Start(string name, string declared, string parameters = "")
    {
        host.Write($"/root/{name}.json", $$"""
            {"networking":{"hostName":"{{name}}"},"microvm":{ "kernel":"{{SystemdHost.Guest}}/vmlinuz","initrdPath":"{{SystemdHost.Guest}}/initrd",
              "kernelParams":["seconds=600",{{string.Join(',', GuestClock.Parameters.Select(p => $"\"{p}\""))}}{{parameters}}],{{declared}} } }
            """);
        host.Microvm("create", name, "--file", $"/root/{name}.json");
        host.Microvm("start", name);
        host.Until("the guest", () => Console(name).Contains("guest: ready", StringComparison.Ordinal));
    }

    /// <summary>The guest is asked over the hypervisor's own socket, by nothing but systemctl.</summary>
    private void StopsByItself(string name)
    {
        host.Do("systemctl", "stop", $"microvm@{name}");
        host.Until("the guest's last words", () => Console(name).Contains("guest: synced", StringComparison.Ordinal));
        Assert.Contains("guest: asked by the power button, shutting down", Console(name), StringComparison.Ordinal);
        Assert.Equal("success", host.Property($"microvm@{name}.service", "Result"));
        host.Microvm("remove", name, "--data");
    }

    private void Answers(string address) => host.Until(address, () => host.Run("ping", "-c", "1", "-W", "1", address).Code == 0);

    private double Exposure(string name) => double.Parse(Regex.Match(host.Run("systemd-analyze", "security", "--no-pager", $"microvm@{name}").Out, @"exposure level for \S+: (\d+\.\d+)").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);

    private void IsInTheDocs(string row, string name) =>
        Assert.Contains($"| {row} | {Exposure(name).ToString("0.0", System.Globalization.CultureInfo.InvariantCulture)} |", File.ReadAllText(Path.Combine(Binary.Root, "docs", "host.md")), StringComparison.Ordinal);

    private void Bridge()
    {
        host.Run("ip", "link", "add", "br0", "type", "bridge");
        host.Run("ip", "addr", "add", "10.0.9.1/24", "dev", "br0");
        host.Do("ip", "link", "set", "br0", "up");
    }

    [Fact]
    public void A_tap_on_a_bridge_carries_packets_and_the_guest_syncs_and_powers_off_when_systemd_stops_it()
    {
        Bridge();
        Start("onbridge", """ "interfaces":[{"type":"tap","id":"vm-hb1","mac":"02:00:00:00:b0:01","bridge":"br0"}]""", ",\"guestip=10.0.9.21/24\"");
        Answers("10.0.9.21");
        StopsByItself("onbridge");
        Assert.Null(host.Index("vm-hb1"));
    }

    [Fact]
    public void A_bridge_helper_gets_its_capability_by_a_drop_in()
    {
        Bridge();
        host.Do("setcap", "cap_net_admin+ep", "/usr/lib/qemu/qemu-bridge-helper");
        Start("helped", """ "interfaces":[{"type":"bridge","id":"vm-hh1","mac":"02:00:00:00:b0:02","bridge":"br0"}]""", ",\"guestip=10.0.9.22/24\"");
        Assert.Equal(0, host.Run("grep", "-q", "allow br0", "/etc/qemu/bridge.conf").Code);
        Answers("10.0.9.22");
        IsInTheDocs("with an interface of type `bridge`", "helped");
        StopsByItself("helped");
        Assert.Equal(1, host.Run("test", "-e", "/etc/systemd/system/microvm@helped.service.d").Code);
    }

    [Fact]
    public void A_macvtap_is_made_without_IPv6_and_carries_packets()
    {
        // Another test of this host may have left its own.
        host.Run("ip", "link", "delete", "card");
        host.Do("ip", "link", "add", "card", "type", "veth", "peer", "name", "world");
        host.Do("ip", "link", "set", "card", "up");
        host.Do("ip", "link", "set", "world", "up");
        host.Do("ip", "addr", "add", "10.0.8.1/24", "dev", "world");
        Start("onmacvtap", """ "interfaces":[{"type":"macvtap","id":"vm-hm1","mac":"02:00:00:00:b0:03","macvtap":{"link":"card","mode":"bridge"}}]""", ",\"guestip=10.0.8.2/24\"");
        Answers("10.0.8.2");
        Assert.Equal("1", host.Do("cat", "/proc/sys/net/ipv6/conf/vm-hm1/disable_ipv6").Trim());
        StopsByItself("onmacvtap");
        Assert.Null(host.Index("vm-hm1"));
        host.Do("ip", "link", "delete", "card");
    }

    /// <summary>No hypervisor without user networking of its own is here: QEMU stands for one, with its tap in a namespace.</summary>
    [Fact]
    public void User_networking_in_namespaces_of_its_own_gets_them_by_a_drop_in()
    {
        const string Runner = "/var/lib/microvms/inspace/current/share/microvm/declaration.json";
        Start("inspace", $$"""
            "hypervisor":"cloud-hypervisor","interfaces":[{"type":"user","id":"vm-hu1","mac":"02:00:00:00:b0:04"}],
            "binScripts":{"microvm-run":{"replaces":true,"parts":["sed s/cloud-hypervisor/qemu/ {{Runner}} > qemu.json\nexec /usr/local/bin/microvm run --attachment vm-hu1=user-namespace qemu.json"]},
              "microvm-shutdown":{"replaces":true,"parts":["exec /usr/local/bin/microvm shutdown qemu.json"]} }
            """);
        Assert.Contains("guest: leased 10.0.2.15", Console("inspace"), StringComparison.Ordinal);
        IsInTheDocs("with an interface of type `user`, served by slirp4netns", "inspace");
        StopsByItself("inspace");
    }

    /// <summary>The other hypervisors' stand-ins are in <see cref="HypervisorUnitTests"/>.</summary>
    [Theory]
    [InlineData("tap", ",\"bridge\":\"br0\"", 4)]
    [InlineData("macvtap", ",\"macvtap\":{\"link\":\"card4\",\"mode\":\"bridge\"}", 4)]
    [InlineData("bridge", ",\"bridge\":\"br0\"", 1)]
    [InlineData("user", "", 1)]
    public void QEMU_with_four_vCPUs_has_its_MAC_and_queues_and_starts_again_after_a_kill(string type, string more, int pairs)
    {
        Bridge();
        host.Do("setcap", "cap_net_admin+ep", "/usr/lib/qemu/qemu-bridge-helper");
        var (name, address) = ($"four{type}", type == "macvtap" ? "10.0.7.26" : "10.0.9.26");
        if (type == "macvtap")
        {
            host.Do("ip", "link", "add", "card4", "up", "type", "veth", "peer", "name", "world4");
            host.Do("ip", "link", "set", "world4", "up");
            host.Do("ip", "addr", "add", "10.0.7.1/24", "dev", "world4");
        }
        void Serves()
        {
            if (type != "user")
            {
                Answers(address);
            }
        }
        Start(name, $$"""
            "vcpu":4,"interfaces":[{"type":"{{type}}","id":"vm-hf1","mac":"02:00:00:00:b0:06"{{more}}}]
            """, type == "user" ? "" : $",\"guestip={address}/24\"");
        Assert.Contains("guest: mac 02:00:00:00:b0:06", Console(name), StringComparison.Ordinal);
        Assert.Contains($"guest: queues {string.Join(' ', Enumerable.Range(0, pairs).Select(n => $"rx-{n}").Concat(Enumerable.Range(0, pairs).Select(n => $"tx-{n}")))}", Console(name), StringComparison.Ordinal);
        Assert.DoesNotContain($"rx-{pairs}", Console(name), StringComparison.Ordinal);
        Serves();
        var unit = $"microvm@{name}.service";
        var pid = host.Property(unit, "MainPID");
        host.Do("kill", "-KILL", pid);
        host.Until("the guest again", () => Regex.Count(Console(name), "guest: ready") == 2);
        Assert.NotEqual(pid, host.Property(unit, "MainPID"));
        Serves();
        Assert.Equal(type == "user" ? 2 : 0, Regex.Count(Console(name), Regex.Escape("guest: leased 10.0.2.15")));
        StopsByItself(name);
        Assert.Null(host.Index("vm-hf1"));
        if (type == "macvtap")
        {
            host.Do("ip", "link", "delete", "card4");
        }
    }

    [Fact]
    public void User_networking_of_QEMUs_own_needs_no_exception()
    {
        Start("plainuser", """ "interfaces":[{"type":"user","id":"vm-hu2","mac":"02:00:00:00:b0:05"}]""");
        Assert.Contains("guest: leased 10.0.2.15", Console("plainuser"), StringComparison.Ordinal);
        Assert.Equal(1, host.Run("test", "-e", "/etc/systemd/system/microvm@plainuser.service.d").Code);
        IsInTheDocs("with any other interface", "plainuser");
        StopsByItself("plainuser");
    }

    [Fact]
    public void Shares_are_served_by_a_unit_beside_the_vm_that_starts_before_it_and_ends_with_it()
    {
        host.Do("mkdir", "-p", "/srv/shared");
        host.Write("/srv/shared/hello", "hello from the host\n");
        Start("sharing", """ "shares":[{"proto":"virtiofs","tag":"data","source":"/srv/shared","mountPoint":"/share"}],"interfaces":[]""", ",\"share=data\"");
        Assert.Contains("guest: shared hello from the host", Console("sharing"), StringComparison.Ordinal);
        Assert.Equal("written by the guest\n", host.Do("cat", "/srv/shared/answer"));
        Assert.Equal("active", host.Property("microvm-virtiofsd@sharing.service", "ActiveState"));
        StopsByItself("sharing");
        Assert.Equal("inactive", host.Property("microvm-virtiofsd@sharing.service", "ActiveState"));
    }

    [Fact]
    public void Balloon_by_name_takes_memory_from_a_guest_that_runs()
    {
        Start("balloon", """ "balloon":true,"interfaces":[]""");
        host.Until("the balloon", () => host.Run("/usr/local/bin/microvm", "balloon", "balloon", "256").Out == "256\n");
        StopsByItself("balloon");
    }
}
