using System.Text.Json;

namespace Microvm.Tests;

/// <summary>Declared networks of VMs that run as units: their dnsmasq has a unit of its own, under a real systemd.</summary>
[Collection(nameof(SystemdHost))]
public sealed class NetworkUnitTests(SystemdHost host)
{
    private static string Vm(string name, string network, string id) => $$"""
        {"networking":{"hostName":"{{name}}"},"microvm":{
          "kernel":"{{SystemdHost.Guest}}/vmlinuz","initrdPath":"{{SystemdHost.Guest}}/initrd","kernelParams":["seconds=600","{{string.Join("\",\"", GuestClock.Parameters)}}"],
          "networks":{"{{network}}":{"domain":"{{network}}.internal"} },
          "interfaces":[{"type":"tap","id":"{{id}}","mac":"{{NetworkHost.MacOf(id)}}","network":"{{network}}"}] } }
        """;

    private const string Microvm = "/usr/local/bin/microvm";

    private void Create(string name, string network, string id)
    {
        host.Write($"/root/{name}.json", Vm(name, network, id));
        host.Microvm("create", name, "--file", $"/root/{name}.json");
    }

    private string State(string network) => host.Property($"microvm-network@{network}.service", "ActiveState");

    private int Process(string network) => int.Parse(host.Property($"microvm-network@{network}.service", "MainPID"), System.Globalization.CultureInfo.InvariantCulture);

    private string Nothing(string network)
    {
        Assert.Equal("inactive", State(network));
        Assert.Null(host.Index($"net-{network}"));
        Assert.Equal(1, host.Run("test", "-e", "/run/microvm/networks").Code);
        return host.Do("nft", "list", "ruleset");
    }

    [Fact]
    public void A_network_comes_with_a_vms_unit_and_its_dnsmasq_is_a_unit_that_is_started_again()
    {
        Create("netted", "lan", "vm-o1");
        host.Microvm("start", "netted");
        Assert.Equal("active", State("lan"));
        Assert.NotNull(host.Index("net-lan"));
        var first = Process("lan");
        Assert.DoesNotContain("Uid:\t0\t", host.Do("cat", $"/proc/{first}/status"), StringComparison.Ordinal);
        Assert.Matches("(?m)^CapPrm:\t0000000000003400$", host.Do("cat", $"/proc/{first}/status"));
        host.Until("the guest's lease", () => JsonDocument.Parse(host.Microvm("network", "leases", "--json")).RootElement.EnumerateArray().Any(l => l.GetProperty("vm").GetString() == "netted" && l.GetProperty("leased").GetBoolean()));
        Assert.Contains("dnsmasq runs: systemctl status microvm-network@lan.service", host.Microvm("network", "show", "lan"), StringComparison.Ordinal);

        host.Do("kill", "-KILL", $"{first}");
        host.Until("another dnsmasq", () => State("lan") == "active" && Process("lan") is > 0 and var next && next != first);
        // What was leased is known to the next one, and up finds it.
        Assert.Contains("dnsmasq         (network lan): it is right", host.Microvm("up", "/root/netted.json", "--user", "microvm"), StringComparison.Ordinal);

        var refused = host.Run(Microvm, "network", "down", "lan");
        Assert.Equal(1, refused.Code);
        Assert.Contains("VMs are on the network 'lan', which would lose it", refused.Err, StringComparison.Ordinal);
        Assert.Equal("active", State("lan"));
        host.Microvm("stop", "netted");
        Assert.Equal("", Nothing("lan"));
        host.Microvm("remove", "netted", "--data");
    }

    [Fact]
    public void A_second_vm_joins_and_leaves_while_the_first_keeps_the_network()
    {
        Create("first", "two", "vm-o2");
        Create("second", "two", "vm-o3");
        host.Microvm("start", "first");
        var process = Process("two");
        host.Microvm("start", "second");
        Assert.Matches("(?m)^two .*first second", host.Microvm("network", "list"));
        host.Microvm("stop", "first");
        Assert.Equal(process, Process("two"));
        Assert.DoesNotContain("first", host.Microvm("network", "list"), StringComparison.Ordinal);
        host.Microvm("stop", "second");
        Assert.Equal("", Nothing("two"));
        host.Microvm("remove", "first", "--data");
        host.Microvm("remove", "second", "--data");
    }

    [Fact]
    public void By_hand_a_network_is_made_before_its_vms_and_taken_down_after_them()
    {
        Create("hand", "hand", "vm-o4");
        Assert.Equal(2, host.Run(Microvm, "network", "up", "none").Code);
        // Declared by a VM of this host.
        host.Microvm("network", "up", "hand");
        var process = Process("hand");
        Assert.Equal("active", State("hand"));
        host.Microvm("start", "hand");
        Assert.Equal(process, Process("hand"));
        host.Microvm("stop", "hand");
        Assert.Equal("", Nothing("hand"));
        host.Microvm("network", "up", "default");
        Assert.Equal("active", State("default"));
        host.Microvm("network", "down", "default");
        Assert.Equal("", Nothing("default"));
        host.Microvm("remove", "hand", "--data");
    }

    [Fact]
    public void A_dnsmasq_that_was_started_before_the_host_had_the_unit_gives_way_to_it()
    {
        const string Template = "/usr/local/lib/systemd/system/microvm-network@.service";
        Create("old", "old", "vm-o5");
        host.Do("mv", Template, "/root/template");
        host.Microvm("network", "up", "old");
        var before = host.Do("sh", "-c", "cat /run/microvm/networks/*/old/pid").Trim();
        host.Do("mv", "/root/template", Template);
        host.Do("systemctl", "daemon-reload");
        Assert.Equal("inactive", State("old"));
        // Out of its sandbox the VM's unit can't see the other process.
        host.Microvm("start", "old");
        Assert.Equal("active", State("old"));
        Assert.Equal(1, host.Run("test", "-e", $"/proc/{before}").Code);
        host.Microvm("stop", "old");
        Assert.Equal("", Nothing("old"));
        // One that was started in that way while its VM ran already ends with the VM.
        host.Microvm("start", "old");
        host.Do("mv", Template, "/root/template");
        host.Do("systemctl", "stop", "microvm-network@old");
        host.Microvm("up", "/root/old.json", "--user", "microvm");
        before = host.Do("sh", "-c", "cat /run/microvm/networks/*/old/pid").Trim();
        host.Do("mv", "/root/template", Template);
        host.Do("systemctl", "daemon-reload");
        host.Microvm("stop", "old");
        Assert.Equal(1, host.Run("test", "-e", $"/proc/{before}").Code);
        Assert.Equal("", Nothing("old"));
        host.Microvm("remove", "old", "--data");
    }
}
