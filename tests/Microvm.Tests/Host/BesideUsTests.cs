using System.Text.Json;

namespace Microvm.Tests;

/// <summary>systemd-udevd and NetworkManager at work beside us, the real ones, in namespaces of their own (networkd has NetworkdTests).</summary>
public sealed class BesideUsTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly IllHost _host = new();
    private readonly List<string> _daemons = [];

    public BesideUsTests()
    {
        // Both believe that they are in a container where /sys is read-only, and then leave devices alone.
        _host.Do("mount -t sysfs none /sys; [ -w /sys/class/net/lo/mtu ]; mkdir -p /run/udev /run/dbus /run/NetworkManager");
    }

    public void Dispose()
    {
        _daemons.Reverse();
        _daemons.ForEach(End);
        _host.Dispose();
        _folder.Dispose();
    }

    private void End(string daemon) => _ = _host.Try("sh", "-c", $"kill $(cat /run/{daemon}.pid) && tail --pid=$(cat /run/{daemon}.pid) -s 0.05 -f /dev/null");

    private void Daemon(string name, string command, string ready)
    {
        _host.Do($"{command} > /run/{name}.log 2>&1 & echo $! > /run/{name}.pid");
        if (!_daemons.Contains(name))
        {
            _daemons.Add(name);
        }
        Settle($"{ready} || {{ cat /run/{name}.log; false; }}");
    }

    private void Udev(string under = "") => Daemon("udev", $"{under} /lib/systemd/systemd-udevd", "[ -S /run/udev/control ]");

    /// <summary>As distributions have it: links without a MAC of their own get a persistent one, and are renamed by rules.</summary>
    private const string PersistentMac = """
        mkdir -p /run/systemd/network /run/udev/rules.d
        printf '[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel\nMACAddressPolicy=persistent\n' > /run/systemd/network/50-all.link
        """;

    private const string Running = "[ \"$(nmcli -t -f RUNNING general 2>/dev/null)\" = running ]";

    private void NetworkManager()
    {
        Assert.SkipUnless(File.Exists("/usr/sbin/NetworkManager"), "NetworkManager is not installed");
        _host.Do("mount -t tmpfs none /var/lib/NetworkManager");
        Daemon("dbus", "dbus-daemon --system --nofork --nopidfile", "[ -S /run/dbus/system_bus_socket ]");
        Daemon("nm", "NetworkManager --no-daemon", Running);
    }

    /// <summary>Waits until a command succeeds.</summary>
    private void Settle(string command) => _host.Do($"n=0; until {{ {command}; }} >/run/settle.log 2>&1; do n=$((n+1)); [ $n -lt 300 ] || {{ cat /run/settle.log; exit 1; }}; sleep 0.05; done");

    /// <summary>udev has done with every event, and has written down that it knows the link.</summary>
    private void Known(params string[] links) => Array.ForEach(links, l => Settle($"udevadm settle && [ -e /run/udev/data/n$(cat /sys/class/net/{l}/ifindex) ]"));

    private string Declare(string name, params string[] interfaces) =>
        _folder.File($"{name}.json", $$"""{"networking":{"hostName":"{{name}}"},"microvm":{"interfaces":[{{string.Join(',', interfaces)}}] } }""");

    private string Microvm(string words) => _host.Do($"{Binary.Path} {words}");

    private JsonElement Link(string name) => JsonDocument.Parse(_host.Do($"ip -d -j link show {name}")).RootElement[0];

    private string On(string link) => Link(link).TryGetProperty("master", out var master) ? master.GetString()! : "";

    private string Address(string link) => Link(link).GetProperty("address").GetString()!;

    /// <summary>What was made stays: a watch has nothing to mend, `plan`, `up` and `status` find nothing to do, and the links are those of before.</summary>
    private void IsAtRest(string file, string seconds, params string[] links)
    {
        var before = links.Select(l => (Link(l).GetProperty("ifindex").GetInt32(), Address(l), On(l))).ToList();
        var log = _host.Do($"{Binary.Path} watch {file} > /run/watch.log 2>&1 & watch=$!; sleep {seconds}; kill -TERM $watch; wait $watch; cat /run/watch.log");
        Assert.Contains("stopped after 0 repairs", log);
        Microvm($"plan --exit-code {file}");
        Assert.Contains("nothing to do", Microvm($"up {file}"));
        Microvm($"status --exit-code {file}");
        Assert.Equal(before, links.Select(l => (Link(l).GetProperty("ifindex").GetInt32(), Address(l), On(l))));
    }

    [Fact]
    public void Udev_leaves_names_MACs_and_everything_else_of_our_links_and_hears_of_each()
    {
        _host.Do(PersistentMac);
        // A rule of the administrator's sets more.
        _host.Do("""
            printf 'SUBSYSTEM=="net", ACTION=="add", KERNEL=="vm-*", ATTR{tx_queue_len}="777", TAG+="seen"\n' > /run/udev/rules.d/90-vms.rules
            """);
        Udev();
        _host.Do("ip link add br0 up type bridge; ip link add eth0 up type veth peer name far0; ip link set far0 up; ip tuntap add other0 mode tap");
        Known("br0", "eth0", "other0");
        // It is at work: a tap that somebody made without a MAC (NET_ADDR_RANDOM, 1) has got one from it (NET_ADDR_SET, 3).
        Assert.Equal("3", _host.Do("cat /sys/class/net/other0/addr_assign_type").Trim());
        var file = Declare("web", NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Tap("vm-a2"), NetworkHost.Macvtap("vm-a3", "eth0", "bridge"));
        Microvm($"up {file}");
        Known("vm-a1", "vm-a2", "vm-a3");
        // udev gives taps that have a random address another one; ours have one that a program set.
        Assert.StartsWith("fe:", Address("vm-a1"));
        Assert.StartsWith("fe:", Address("vm-a2"));
        Assert.Equal(NetworkHost.MacOf("vm-a3"), Address("vm-a3"));
        Assert.Equal("br0", On("vm-a1"));
        // What the administrator's rule set is not ours, and stays also where the tap is made anew.
        Assert.Equal(777, Link("vm-a1").GetProperty("txqlen").GetInt32());
        IsAtRest(file, "1", "vm-a1", "vm-a2", "vm-a3", "br0", "other0");
        Assert.Equal(777, Link("vm-a1").GetProperty("txqlen").GetInt32());
        // The node of a macvtap is the VM's alone, whatever udev's rules make of devices.
        Assert.Equal("600", _host.Do("stat -c %a /dev/tap$(cat /sys/class/net/vm-a3/ifindex)").Trim());
        var known = _host.Do("ls /run/udev/data | grep ^n");
        Microvm("down --vm web");
        Settle("udevadm settle");
        Assert.Equal(3, known.Split('\n').Length - _host.Do("ls /run/udev/data | grep ^n").Split('\n').Length);
        _host.Do("ip link show br0; ip link show eth0; ip link show other0");
    }

    [Fact]
    public void A_udev_that_looks_early_and_acts_late_leaves_our_MACs()
    {
        _host.Do(PersistentMac);
        // It sends 300 ms after it looked whether the address is a random one; `up` sends 100 ms after it made the tap.
        Udev("strace -D -f -o /dev/null -e trace=sendto -e inject=sendto:delay_enter=300000");
        _host.Do("ip tuntap add other0 mode tap");
        Known("other0");
        Assert.Equal("3", _host.Do("cat /sys/class/net/other0/addr_assign_type").Trim());
        _host.Do($"strace -f -o /dev/null -e trace=sendto -e inject=sendto:delay_enter=100000 {Binary.Path} up {Declare("web", NetworkHost.Tap("vm-a1"))}");
        Known("vm-a1");
        Assert.StartsWith("fe:", Address("vm-a1"));
    }

    private const string Bridge = """
        [connection]
        id=lan
        uuid=11111111-1111-4111-8111-111111111111
        type=bridge
        interface-name=br0
        [bridge]
        stp=false
        [ipv4]
        method=manual
        address1=192.0.2.1/24
        [ipv6]
        method=disabled
        """;

    private const string Tap = """
        [connection]
        id=tunnel
        uuid=11111111-1111-4111-8111-111111111112
        type=tun
        interface-name=nm-tap
        master=br0
        slave-type=bridge
        [tun]
        mode=2
        """;

    private const string Theirs = "nmcli -t -f NAME,DEVICE,STATE connection show --active | grep -E '^(lan|tunnel):' | sort";

    /// <summary>NetworkManager's own bridge with our taps on it, as people have it on desktops.</summary>
    [Fact]
    public void NetworkManager_and_we_leave_each_other_alone_also_when_it_is_started_again()
    {
        _host.Do($"rm -f /etc/NetworkManager/conf.d/*; cd /etc/NetworkManager/system-connections; rm -f *; printf '%s\n' '{Bridge}' > lan.nmconnection; printf '%s\n' '{Tap}' > tunnel.nmconnection; chmod 600 *");
        Udev();
        _host.Do("ip link add eth0 up type veth peer name far0; ip link set far0 up");
        NetworkManager();
        IsTheirs();
        var (bridge, tap) = (Address("br0"), Address("nm-tap"));
        var file = Declare("web", NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Tap("vm-a2"), NetworkHost.Macvtap("vm-a3", "eth0", "bridge"));
        Microvm($"up {file}");
        IsRight(file);
        End("nm");
        Daemon("nm", "NetworkManager --no-daemon", Running);
        IsTheirs();
        IsRight(file);
        // A tap of NetworkManager's by a declared name is not ours to change.
        var taken = _host.Try(Binary.Path, "up", Declare("db", NetworkHost.Tap("nm-tap")));
        Assert.Contains("a link 'nm-tap' already exists and was not created by microvm", taken.Err);
        Microvm("down --vm web");
        Thread.Sleep(500);
        IsTheirs();
        Assert.Equal((bridge, tap), (Address("br0"), Address("nm-tap")));
    }

    private void IsTheirs()
    {
        Settle($"[ \"$({Theirs})\" = \"$(printf 'lan:br0:activated\\ntunnel:nm-tap:activated')\" ]");
        Assert.Contains("192.0.2.1/24", _host.Do("ip addr show dev br0"));
        Assert.Equal("br0", On("nm-tap"));
    }

    private void IsRight(string file)
    {
        Known("vm-a1", "vm-a2", "vm-a3");
        IsAtRest(file, "1.5", "vm-a1", "vm-a2", "vm-a3", "br0", "nm-tap");
        Assert.Equal(("br0", ""), (On("vm-a1"), On("vm-a2")));
        Assert.StartsWith("fe:", Address("vm-a1"));
        Assert.StartsWith("fe:", Address("vm-a2"));
        Assert.Equal(NetworkHost.MacOf("vm-a3"), Address("vm-a3"));
        // NetworkManager has given none of them an address.
        Assert.DoesNotContain("inet ", _host.Do("for l in vm-a1 vm-a2 vm-a3; do ip addr show dev $l; done"));
    }
}
