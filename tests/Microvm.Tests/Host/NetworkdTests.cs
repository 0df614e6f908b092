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
    private string? TakenBy(string link) => _host.Do($$"""
        mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp; chown -R systemd-network /run/systemd/netif; rm -f /run/systemd/netif/links/*
        grep -q ' /sys sysfs ro' /proc/mounts || mount -t sysfs -o ro none /sys
        /lib/systemd/systemd-networkd 2>/dev/null & daemon=$!
        at=/run/systemd/netif/links/$(ip -o link show {{link}} | cut -d: -f1)
        n=0; until grep -q 'ADMIN_STATE=[^p]' $at 2>/dev/null && ! grep -q ADMIN_STATE=initialized $at || [ $n -ge 600 ]; do sleep 0.05; n=$((n+1)); done
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
}
