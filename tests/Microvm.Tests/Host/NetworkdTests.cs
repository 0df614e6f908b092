using System.Diagnostics;
using Microvm.Host.Doctor;

namespace Microvm.Tests;

/// <summary>What systemd-networkd takes for its own, asked of a real one.</summary>
public sealed class NetworkdTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly IllHost _host = new();

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    /// <summary>Which file a networkd that is started now has for a link; null where it leaves the link alone.</summary>
    private string? TakenBy(string link, string state = "") => _host.Do($$"""
        mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp; chown -R systemd-network /run/systemd/netif; rm -f /run/systemd/netif/links/*
        grep -q ' /sys sysfs ro' /proc/mounts || mount -t sysfs -o ro none /sys
        /lib/systemd/systemd-networkd 2>/dev/null & daemon=$!
        at=/run/systemd/netif/links/$(ip -o link show {{link}} | cut -d: -f1)
        n=0; until grep -q 'ADMIN_STATE=[^p]' $at 2>/dev/null && grep -q 'ADMIN_STATE={{state}}' $at 2>/dev/null && ! grep -q ADMIN_STATE=initialized $at || [ $n -ge 600 ]; do sleep 0.05; n=$((n+1)); done
        sed -n 's/^NETWORK_FILE=//p' $at; grep -q ADMIN_STATE=unmanaged $at && echo unmanaged
        kill $daemon; wait $daemon || true
        """).Split('\n', StringSplitOptions.RemoveEmptyEntries) is [var file, ..] && file != "unmanaged" ? file : null;

    [Theory]
    [InlineData("[Match]\nName=vm-*\n", true)]
    [InlineData("[Match]\nName=en* vm-a?\n", true)]
    [InlineData("[Match]\nName=!en*\n", true)]
    [InlineData("[Match]\nName=!vm-*\n", false)]
    [InlineData("[Match]\nName=en*\nName=vm-*\n", true)]
    [InlineData("[Match]\nName=vm-*\nName=\nName=en*\n", false)]
    [InlineData("[Match]\nType=ether\n", true)]
    [InlineData("[Match]\nType=wlan\n", false)]
    [InlineData("[Match]\nKind=tun\n", true)]
    [InlineData("[Match]\nKind=!*\nType=ether\n", false)]
    [InlineData("[Match]\nDriver=tun\nName=en*\n", false)]
    [InlineData("[Match]\n# Name=vm-*\n", false)]
    [InlineData("[Match]\nName=vm-*\n[Link]\nUnmanaged=yes\n", false)]
    public void We_read_a_file_as_networkd_itself_does(string text, bool takes)
    {
        _host.Do("ip tuntap add vm-a1 mode tap; mkdir -p /run/systemd/network; cat > /run/systemd/network/20.network <<'END'\n" + text + "[Network]\nLinkLocalAddressing=no\nEND");
        Assert.Equal(takes ? "/run/systemd/network/20.network" : null, TakenBy("vm-a1"));
        var file = new NetworkFile(text);
        Assert.Equal(takes, file.Matches(new("vm-a1", "tun")) && !file.Unmanaged);
    }

    [Fact]
    public void Links_that_networkd_takes_are_told_and_the_command_makes_it_leave_them_alone()
    {
        var file = _folder.File("web.json", $$"""{"networking":{"hostName":"web"},"microvm":{"interfaces":[{{NetworkHost.Tap("vm-a1")}},{{NetworkHost.Tap("vm-a2")}}] } }""");
        _host.Stub("networkctl");
        _host.Do($"{Binary.Path} up {file}; mkdir -p /run/systemd/network; printf '[Match]\\nType=ether\\n[Network]\\nDHCP=yes\\n' > /run/systemd/network/20.network");
        Assert.Equal("/run/systemd/network/20.network", TakenBy("vm-a1"));
        _host.IsMended("network-managers", "warning", "systemd-networkd would configure vm-a1, vm-a2 by /run/systemd/network/20.network", file);
        Assert.Null(TakenBy("vm-a1"));
        Assert.Null(TakenBy("vm-a2"));
        // Another VM later does not undo it.
        var db = _folder.File("db.json", $$"""{"networking":{"hostName":"db"},"microvm":{"interfaces":[{{NetworkHost.Tap("vm-b1")}}] } }""");
        _host.IsMended("network-managers", "warning", "systemd-networkd would configure vm-b1", db);
        Assert.Null(TakenBy("vm-a1"));
    }

    /// <summary>What a link is attached to, once a networkd that is started now has done with it.</summary>
    private string MasterAfterNetworkd(string link)
    {
        Assert.NotNull(TakenBy(link, "configured"));
        return _host.Do($"ip -j link show {link} | sed -n 's/.*\"master\":\"\\([^\"]*\\)\".*/\\1/p'").Trim();
    }

    private const string Tap = """{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"BRIDGE}""";

    [Theory]
    // The set-up of microvm.nix's handbook: nothing is wrong with it.
    [InlineData("Bridge=br0", "", "br0", null, null)]
    [InlineData("Bridge=br0", "br0", "br0", null, null)]
    [InlineData("KeepMaster=yes", "br0", "br0", null, null)]
    [InlineData("LLDP=no", "", "", null, null)]
    [InlineData("Bridge=br1", "br0", "br1", "problem", "systemd-networkd would attach vm-a1 to br1 by /run/systemd/network/20.network, and its declaration attaches it to br0")]
    [InlineData("LLDP=no", "br0", "", "problem", "systemd-networkd would detach vm-a1 by /run/systemd/network/20.network, and its declaration attaches it to br0")]
    public void Networkd_may_attach_a_tap_unless_its_declaration_names_another_bridge(string network, string declared, string master, string? severity, string? says)
    {
        var file = _folder.File("web.json", $$"""{"networking":{"hostName":"web"},"microvm":{"interfaces":[{{Tap.Replace("BRIDGE", declared.Length == 0 ? "" : $",\"bridge\":\"{declared}\"", StringComparison.Ordinal)}}] } }""");
        _host.Stub("networkctl");
        _host.Do($"ip link add br0 up type bridge; ip link add br1 up type bridge; {Binary.Path} up {file}; mkdir -p /run/systemd/network; printf '[Match]\nName=vm-*\n[Network]\nLinkLocalAddressing=no\n{network}\n' > /run/systemd/network/20.network; for b in br0 br1; do printf \"[NetDev]\\nName=$b\\nKind=bridge\\n\" > /run/systemd/network/$b.netdev; done");
        var found = _host.Doctor("network-managers", file);
        if (severity is null)
        {
            Assert.All(found, f => Assert.True(f.Severity == "ok" && f.Mend is null, f.Says));
            Assert.Equal(master, MasterAfterNetworkd("vm-a1"));
            return;
        }
        // What the doctor says of it is what networkd does.
        Assert.Equal(master, MasterAfterNetworkd("vm-a1"));
        _host.IsMended("network-managers", severity, says!, file);
        Assert.Null(TakenBy("vm-a1"));
        _host.Do($"{Binary.Path} up {file}");
        Assert.Null(TakenBy("vm-a1"));
        Assert.Contains($"master {declared}", _host.Do("ip link show vm-a1"));
    }

    /// <summary>As microvm.nix's handbook has it: taps without a bridge, and networkd attaches them.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(",\"bridge\":\"br0\"")]
    public void Taps_that_networkd_attaches_are_left_to_it_by_up_watch_status_plan_and_doctor(string declared)
    {
        string File(int vcpu) => _folder.File($"web{vcpu}.json", $$"""
            {"networking":{"hostName":"web"},"microvm":{"vcpu":{{vcpu}},"interfaces":[{{string.Join(',', Enumerable.Range(1, 4).Select(n =>
                $$"""{"type":"tap","id":"vm-a{{n}}","mac":"02:00:00:00:00:{{n:x2}}"{{declared}}}"""))}}] } }
            """);
        const string attached = "n=0; until [ $(ip -o link show master br0 | wc -l) = 4 ] || [ $n -ge 400 ]; do sleep 0.05; n=$((n+1)); done; ip -o link show master br0 | wc -l";
        _host.Do("""
            ip link add br0 type bridge; ip link set br0 up; mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
            printf '[NetDev]\nName=br0\nKind=bridge\n' > /run/systemd/network/10-br0.netdev
            printf '[Match]\nName=vm-*\n[Network]\nBridge=br0\nLinkLocalAddressing=no\n' > /run/systemd/network/20.network
            chown -R systemd-network /run/systemd/netif; grep -q ' /sys sysfs ro' /proc/mounts || mount -t sysfs -o ro none /sys
            /lib/systemd/systemd-networkd >/dev/null 2>&1 & echo $! > /run/networkd.pid
            """);
        try
        {
            _host.Do($"{Binary.Path} up {File(1)}");
            Assert.Equal("4", _host.Do(attached).Trim());
            var index = _host.Do("ip -o link show vm-a1 | cut -d: -f1");
            // The watch sees what networkd does to a bridge's port, and has nothing to do.
            var log = _host.Do($"{Binary.Path} watch {File(1)} > /run/watch.log 2>&1 & watch=$!; sleep 1; ip link set vm-a2 down; sleep 1.5; kill -TERM $watch; wait $watch; cat /run/watch.log");
            Assert.Contains("stopped after 1 repair;", log);
            Assert.Contains("it is down", log);
            _host.Do($"{Binary.Path} plan --exit-code {File(1)}");
            Assert.Contains("nothing to do", _host.Do($"{Binary.Path} up {File(1)}"));
            Assert.DoesNotContain("microvm up", _host.Do($"{Binary.Path} status --exit-code {File(1)}"));
            Assert.All(_host.Doctor("network-managers", File(1)), f => Assert.True(f.Severity == "ok", f.Says));
            Assert.Equal(("4", index), (_host.Do(attached).Trim(), _host.Do("ip -o link show vm-a1 | cut -d: -f1")));
            // Ten times in a row, since networkd answers within milliseconds.
            for (var n = 0; n < 10; n++)
            {
                Assert.Contains("4 replace", _host.Do($"{Binary.Path} up {File(1 + (n + 1) % 2)}"));
                Assert.Equal("4", _host.Do(attached).Trim());
            }
            Assert.Contains("nothing to do", _host.Do($"{Binary.Path} up {File(1)}"));
        }
        finally
        {
            _host.Do("kill $(cat /run/networkd.pid)");
        }
    }
}
