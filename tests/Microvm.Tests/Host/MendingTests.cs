namespace Microvm.Tests;

/// <summary>Hosts that were really made ill; the doctor's own command mends them, and then it has nothing more to say.</summary>
public sealed class MendingTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly IllHost _host = new();

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    private string Vm(string name, params string[] interfaces) => _folder.File($"{name}.json", $$"""{"networking":{"hostName":"{{name}}"},"microvm":{"interfaces":[{{string.Join(',', interfaces)}}] } }""");
    private static string Bridged(string bridge) => $$"""{"type":"bridge","id":"vm-b1","mac":"02:00:00:00:00:01","bridge":"{{bridge}}"}""";

    [Theory]
    [InlineData("mknod -m 0600 /dev/net/tun c 10 200", "alice may not open /dev/net/tun (mode 0600)")]
    [InlineData("mknod -m 0640 /dev/net/tun c 10 200; chgrp 4242 /dev/net/tun", "alice may not open /dev/net/tun (mode 0640)")]
    [InlineData("true", "/dev/net/tun is not there")]
    public void The_tun_device(string makes, string says)
    {
        Alice();
        _host.Stub("modprobe");
        _host.Do($"mount -t tmpfs none /dev/net; {makes}");
        _host.IsMended("tun-permissions", "problem", says, Vm("web", NetworkHost.Tap("vm-a1")));
    }

    [Theory]
    [InlineData("chgrp virt /dev/kvm; chmod 0660 /dev/kvm", "alice may not open /dev/kvm, which is for the group virt")]
    [InlineData("chown root:root /dev/kvm; chmod 0600 /dev/kvm", "alice may not open /dev/kvm, which is for no group")]
    [InlineData("chown root:root /dev/kvm; chmod 0660 /dev/kvm", "alice may not open /dev/kvm, which is for no group")]
    public void The_group_of_kvm(string makes, string says)
    {
        Alice();
        _host.Do($"mknod -m 0600 /run/kvm c 10 232; touch /dev/kvm; mount --bind /run/kvm /dev/kvm; getent group kvm > /dev/null || echo kvm:x:4300: >> /etc/group; echo virt:x:4301: >> /etc/group; {makes}");
        var bad = Assert.Single(_host.Doctor("kvm"));
        Assert.Equal((says, "warning"), (bad.Says, bad.Severity));
        _host.Do(bad.Mend!);
        // This processor may have no virtualization, which is another finding and nobody's fault.
        Assert.DoesNotContain("may not open", Assert.Single(_host.Doctor("kvm")).Says);
        Assert.Contains("alice", _host.Do("getent group virt kvm"));
    }

    [Theory]
    [InlineData("true")]
    [InlineData("setcap cap_net_raw+ep \"$helper\"")]
    public void The_privileges_of_the_bridge_helper(string makes)
    {
        Alice();
        _host.Do($"helper=/usr/lib/qemu/qemu-bridge-helper; chmod u-s $helper; setcap -r $helper 2>/dev/null || true; {makes}; mkdir -p /etc/qemu; echo allow br0 > /etc/qemu/bridge.conf");
        _host.IsMended("bridge-helper", "problem", "neither set-user-ID root nor has it CAP_NET_ADMIN", Vm("web", Bridged("br0")));
    }

    [Theory]
    [InlineData("rm -rf /etc/qemu")]
    [InlineData("mkdir -p /etc/qemu; echo 'allow br1' > /etc/qemu/bridge.conf")]
    [InlineData("mkdir -p /etc/qemu; printf 'include /etc/qemu/none.conf\\n' > /etc/qemu/bridge.conf")]
    public void A_bridge_that_bridge_conf_does_not_allow(string makes)
    {
        _host.Do(makes);
        _host.IsMended("bridge-helper", "problem", "/etc/qemu/bridge.conf does not allow br0", Vm("web", Bridged("br0")));
        Assert.Equal("allow br0", _host.Do("cat /etc/qemu/bridge.conf").TrimEnd('\n').Split('\n')[^1]);
    }

    [Fact]
    public void A_bridge_conf_that_denies_says_where_to_look_and_one_that_is_not_ours_to_read_is_no_problem()
    {
        var file = Vm("web", Bridged("br0"));
        Binary.Run("chmod", null, "-R", "a+rX", Path.GetDirectoryName(file)!);
        _host.Do("mkdir -p /etc/qemu; echo 'allow all' > /etc/qemu/bridge.conf; echo 'include /etc/qemu/no.conf' >> /etc/qemu/bridge.conf; echo 'deny br0' > /etc/qemu/no.conf");
        var denied = Assert.Single(_host.Doctor("bridge-helper", file), f => f.Severity != "ok");
        Assert.Equal(("problem", "/etc/qemu/bridge.conf denies br0", "sudoedit /etc/qemu/bridge.conf"), (denied.Severity, denied.Says, denied.Mend));
        _host.Do("chmod 0600 /etc/qemu/bridge.conf");
        var program = Path.Combine(Path.GetDirectoryName(file)!, "microvm");
        if (!File.Exists(Binary.Path + ".dll"))
        {
            File.Copy(Binary.Path, program);
        }
        var seen = _host.Try("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--", File.Exists(program) ? program : Binary.Path, "doctor", file);
        Assert.Contains("note     /etc/qemu/bridge.conf can't be read (permission denied), so it may or may not allow br0\n", seen.Out);
        Assert.Contains("$ sudo microvm doctor\n", seen.Out);
    }

    [Fact]
    public void NetworkManager_is_told_to_leave_every_vm_alone_and_what_it_left_alone_before_stays()
    {
        _host.Stub("nmcli");
        _host.Do("mkdir -p /run/NetworkManager /etc/NetworkManager/conf.d; printf '[keyfile]\\nunmanaged-devices=interface-name:tun0\\n' > /etc/NetworkManager/conf.d/10-mine.conf");
        var (web, db) = (Vm("web", NetworkHost.Tap("vm-a1"), NetworkHost.Tap("vm-a2")), Vm("db", NetworkHost.Tap("vm-b1")));
        _host.IsMended("network-managers", "warning", "NetworkManager runs and would manage vm-a1, vm-a2", web);
        _host.IsMended("network-managers", "warning", "NetworkManager runs and would manage vm-b1", db);
        Assert.All(_host.Doctor("network-managers", web, db), f => Assert.Equal("ok", f.Severity));
        Assert.Equal("[keyfile]\nunmanaged-devices+=interface-name:vm-a1;interface-name:vm-a2;interface-name:vm-b1\n", _host.Do("cat /etc/NetworkManager/conf.d/90-microvm.conf"));
    }

    [Fact]
    public void The_hosts_own_link_of_a_declared_id_can_be_cleared_away()
    {
        _host.Do("ip link add vm-a1 type bridge");
        _host.IsMended("clashes", "problem", "the host has a link vm-a1 already, not created by microvm", Vm("web", NetworkHost.Tap("vm-a1")));
        _host.Do("ip link add mv-vm-f1 type bridge; ip link add eth0 type veth peer name far0");
        var fire = _folder.File("fire.json", $$"""{"networking":{"hostName":"fire"},"microvm":{"hypervisor":"firecracker","interfaces":[{{NetworkHost.Macvtap("vm-f1", "eth0", "bridge")}}] } }""");
        _host.IsMended("clashes", "problem", "the host has a link mv-vm-f1 already, not created by microvm", fire);
        // The two that 'up' makes for it are no clash.
        _host.Do($"{Binary.Path} up {fire}");
        Assert.All(_host.Doctor("clashes", fire), f => Assert.Equal("ok", f.Severity));
    }

    [Theory]
    [InlineData("net.ipv4.conf.vm-a1.rp_filter=1 net.ipv4.conf.vm-a2.rp_filter=1", "warning", "for vm-a1, vm-a2")]
    [InlineData("net.ipv4.conf.all.rp_filter=1", "warning", "for vm-a1, vm-a2")]
    [InlineData("net.ipv4.conf.default.rp_filter=1", "note", "links that don't exist yet")]
    public void Strict_reverse_paths(string settings, string severity, string says)
    {
        var file = Vm("web", NetworkHost.Tap("vm-a1"), NetworkHost.Tap("vm-a2"));
        _host.Do($"sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0; {Binary.Path} up {file}; sysctl -qw {settings}");
        _host.IsMended("rp-filter", severity, says, file);
    }

    private void Alice()
    {
        _host.Do("echo alice:x:4242:4242::/:/bin/sh >> /etc/passwd; echo alice:x:4242: >> /etc/group");
        _host.Person = 4242;
    }
}
