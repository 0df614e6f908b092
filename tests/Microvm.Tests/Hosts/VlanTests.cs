namespace Microvm.Tests;

/// <summary>VLANs of bridge ports, and masters of kinds that many a kernel lacks, on Debian's stock kernel.</summary>
[Collection(nameof(RealHost))]
public sealed class VlanTests : IDisposable
{
    private readonly RealHost _host;

    public VlanTests(RealHost host)
    {
        _host = host;
        _host.Do("ip link add br0 up type bridge vlan_filtering 1; ip link add br1 up type bridge vlan_filtering 1");
    }

    public void Dispose() =>
        // Each test's VM is 'v'; what it leaves would be in the way of the next one.
        _host.Do($"{Binary.Path} down --vm v $(ls /root/vms/v.json); for l in br0 br1 team0 bond9 vrf9; do ip link delete $l 2>/dev/null; done; [ ! -e /sys/class/net/vm-a1 ]");

    private string Declare(int vcpu, params string[] interfaces) => _host.Declare("v", $"\"vcpu\":{vcpu},\"interfaces\":[{string.Join(',', interfaces)}]");

    private string Vlans(string tap) => _host.Do($"bridge vlan show dev {tap} | tail -n +2 | sed 's/{tap}//' | tr '\\n' ' ' | tr -s ' '").Trim();

    /// <summary>A static entry of the bridge's, by which frames for a MAC go to a tap alone.</summary>
    private const string Entry = "02:00:00:00:00:aa dev vm-a1 vlan 20 master br0 static";

    private string Entries() => _host.Do("bridge fdb show br br0 | grep 00:aa || true").Trim();

    private void FirstInVlans() => _host.Do("bridge vlan add dev vm-a1 vid 20; bridge vlan add dev vm-a1 vid 10 pvid untagged; bridge vlan del dev vm-a1 vid 1");

    private void InVlans()
    {
        FirstInVlans();
        _host.Do("bridge vlan add dev vm-a2 vid 30-33");
    }

    [Fact]
    public void A_tap_that_is_replaced_is_in_the_VLANs_that_somebody_put_it_in_and_in_no_other()
    {
        string[] taps = [NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Tap("vm-a2", "br0")];
        _host.Microvm($"up {Declare(1, taps)}");
        InVlans();
        Assert.Equal("10 PVID Egress Untagged 20", Vlans("vm-a1"));
        var (vlans, index) = (Vlans("vm-a2"), _host.Do("cat /sys/class/net/vm-a1/ifindex"));
        _host.Microvm($"up {Declare(2, taps)}");
        Assert.NotEqual(index, _host.Do("cat /sys/class/net/vm-a1/ifindex"));
        Assert.Equal(("10 PVID Egress Untagged 20", vlans), (Vlans("vm-a1"), Vlans("vm-a2")));
        Assert.Contains("nothing to do", _host.Microvm("up /root/vms/v.json"));
        // Of none at all it is in none again.
        _host.Do("bridge vlan del dev vm-a2 vid 30-33; bridge vlan del dev vm-a2 vid 1");
        _host.Microvm($"up {Declare(1, taps)}");
        Assert.Equal("", Vlans("vm-a2"));
    }

    [Fact]
    public void Watch_attaches_a_tap_again_in_the_VLANs_that_it_was_in()
    {
        var file = Declare(1, NetworkHost.Tap("vm-a1", "br0"), NetworkHost.Tap("vm-a2", "br0"));
        _host.Do($"{Binary.Path} watch {file} > /root/watch.log 2>&1 & echo $! > /root/watch.pid; disown");
        try
        {
            _host.Until("the watch", "grep -q watching /root/watch.log");
            InVlans();
            _host.Do("bridge fdb add 02:00:00:00:00:aa dev vm-a1 master static vlan 20; bridge link set dev vm-a1 isolated on");
            var vlans = Vlans("vm-a2");
            // The watch looks 10 ms after what happened last.
            _host.Do("sleep 1; ip link set vm-a1 nomaster");
            _host.Until("the attachment", "grep -q 'vm-a1' /root/watch.log && [ -e /sys/class/net/vm-a1/brport ] && bridge vlan show dev vm-a1 | grep -q 20");
            Assert.Equal(("10 PVID Egress Untagged 20", vlans), (Vlans("vm-a1"), Vlans("vm-a2")));
            Assert.Contains("isolated on", _host.Do("bridge -d link show dev vm-a1"));
            _host.Until("the entry", "bridge fdb show br br0 | grep -q 00:aa");
            Assert.Equal(Entry, Entries());
            // One that is deleted is another one; it is where its network is all the same.
            _host.Do("ip link delete vm-a1");
            _host.Until("the tap", "[ -e /sys/class/net/vm-a1/brport ] && bridge vlan show dev vm-a1 | grep -q 20");
            Assert.Equal("10 PVID Egress Untagged 20", Vlans("vm-a1"));
            _host.Until("the entry", "bridge fdb show br br0 | grep -q 00:aa");
            Assert.Equal(Entry, Entries());
            // Of no VLAN at all it is in none again, and not in the bridge's default one.
            _host.Do("bridge vlan del dev vm-a2 vid 30-33; bridge vlan del dev vm-a2 vid 1; sleep 1; : > /root/watch.log; ip link set vm-a2 nomaster");
            _host.Until("the attachment", "grep -q 'vm-a2' /root/watch.log && [ -e /sys/class/net/vm-a2/brport ]");
            Assert.Equal("", Vlans("vm-a2"));
        }
        finally
        {
            _host.Do("kill $(cat /root/watch.pid); tail --pid=$(cat /root/watch.pid) -s 0.05 -f /dev/null");
        }
    }

    [Fact]
    public void A_move_to_another_bridge_that_is_undone_leaves_the_VLANs_as_they_were()
    {
        _host.Microvm($"up {Declare(1, NetworkHost.Tap("vm-a1", "br0"))}");
        FirstInVlans();
        _host.Do("bridge fdb add 02:00:00:00:00:aa dev vm-a1 master static vlan 20");
        var file = Declare(1, NetworkHost.Tap("vm-a1", "br1"), NetworkHost.Tap("vm-a3"));
        // The tap is moved, and then the kernel has no memory for the other one's last step.
        var moved = 0;
        for (var call = 1; call < 40; call++)
        {
            var (code, output) = _host.Try($"strace -f -o /root/trace -e trace=sendto -e inject=sendto:error=ENOBUFS:when={call} {Binary.Path} up {file}");
            if (code == 0)
            {
                break;
            }
            moved += _host.Do("grep -c 'IFLA_MASTER' /root/trace || true").Trim() is "0" ? 0 : 1;
            Assert.True(_host.Do("basename $(readlink /sys/class/net/vm-a1/master)").Trim() == "br0", output);
            Assert.Equal(("10 PVID Egress Untagged 20", Entry), (Vlans("vm-a1"), Entries()));
        }
        Assert.True(moved > 0);
    }

    [Fact]
    public void A_tap_that_somebody_attached_to_Open_vSwitch_is_left_alone()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/ovs-dpctl"), "Open vSwitch is not installed");
        var file = Declare(1, NetworkHost.Tap("vm-a1"));
        _host.Microvm($"up {file}");
        // The kernel's side alone: no daemon is needed to attach.
        _host.Do("modprobe openvswitch; ovs-dpctl add-dp ovs9; ovs-dpctl add-if ovs9 vm-a1");
        try
        {
            Assert.Equal("ovs9", _host.Do("basename $(readlink /sys/class/net/vm-a1/master)").Trim());
            _host.Microvm($"plan --exit-code {file}");
            Assert.Contains("nothing to do", _host.Microvm($"up {file}"));
            _host.Microvm($"status --exit-code {file}");
            Assert.Contains("port 1: vm-a1", _host.Do("ovs-dpctl show ovs9"));
        }
        finally
        {
            _host.Do("ovs-dpctl del-dp ovs9");
        }
    }

    [Theory]
    [InlineData("vrf", "ip link add vrf9 type vrf table 9; ip link set vrf9 up; ip link set vm-a1 master vrf9", "vrf9")]
    [InlineData("bond", "ip link add bond9 type bond mode active-backup; ip link set vm-a1 down; ip link set vm-a1 master bond9; ip link set bond9 up", "bond9")]
    [InlineData("team", "ip link add team0 type team; ip link set vm-a1 down; ip link set vm-a1 master team0; ip link set team0 up; ip link set vm-a1 up", "team0")]
    public void Whatever_somebody_attached_a_tap_to_is_left_alone(string kind, string attach, string master)
    {
        var file = Declare(1, NetworkHost.Tap("vm-a1"));
        _host.Microvm($"up {file}");
        _host.Do(attach);
        _host.Microvm($"plan --exit-code {file}");
        Assert.Contains("nothing to do", _host.Microvm($"up {file}"));
        _host.Microvm($"status --exit-code {file}");
        Assert.True(_host.Do("basename $(readlink /sys/class/net/vm-a1/master)").Trim() == master, kind);
    }
}
