namespace Microvm.Tests;

/// <summary><c>microvm ssh</c> with a real ssh, and a real sshd behind the Unix socket that declarations lead to; on a kernel with AF_VSOCK.</summary>
[Collection(nameof(RealHost))]
public sealed class SshTests
{
    private readonly RealHost _host;

    private const string Root = "/root/ssh/root", Key = "/root/ssh/key";

    public SshTests(RealHost host)
    {
        _host = host;
        // ssh takes a key only from a file that is its caller's.
        _host.Do($"[ -e /root/ssh ] || {{ cp -r {Binary.Root}/out/host/ssh /root/ssh; mknod -m 666 {Root}/dev/null c 1 3; chmod 600 /root/ssh/key {Root}/etc/key; modprobe vhost_vsock; modprobe kvm-amd || true; mkdir -p {Root}/run/sshd; ip link set lo up; }}");
    }

    private (int Code, string Out) Ssh(string arguments) => _host.Try($"cd /root/vms && timeout 60 {Binary.Path} ssh -i {Key} {arguments}");

    /// <summary>sshd of the guest's files, on the host: as a hypervisor's socket or a forwarded port leads to it.</summary>
    private string Listening(string at) => $"chroot {Root} /bin/listen {at} /usr/sbin/sshd -i -f /etc/sshd_config";

    [Fact]
    public void Over_the_kernels_vsock_a_guest_that_is_not_there_is_told()
    {
        var file = _host.Declare("quiet", "\"vsock\":{\"cid\":42,\"ssh\":{\"enable\":true}}");
        var (code, told) = Ssh($"{file} true");
        Assert.True(code == 255 && told.Contains("no VM with vsock cid 42 runs on this host", StringComparison.Ordinal), told);
    }

    /// <summary>A guest within the host, both of them emulated: some minutes, so with all tests only.</summary>
    [Fact]
    public void Over_the_kernels_vsock_a_guest_is_entered()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is { Length: > 0 }, "it takes some minutes: ./test.sh --all");
        var file = _host.Declare("inside", "\"vsock\":{\"cid\":44}");
        // QEMU by itself: its KVM within an emulated host does not come to an end.
        _host.Do($"{{ timeout 1500 qemu-system-x86_64 -M microvm,pit=off,pic=on,rtc=on -accel tcg -cpu max -m 256 -nodefaults -no-user-config -display none -no-reboot -serial file:/root/inside.console -kernel {Binary.Root}/out/guest/vmlinuz -initrd {Binary.Root}/out/host/ssh/initrd "
            + $"-append 'console=ttyS0 quiet panic=-1 no_timer_check {string.Join(' ', GuestClock.Parameters)}' -device vhost-vsock-device,guest-cid=44 & echo $! > /root/inside.pid; disown; }} > /dev/null 2>&1");
        try
        {
            for (var n = 0; n < 10 && _host.Try("for n in $(seq 60); do grep -q 'guest: listens' /root/inside.console && exit; sleep 2; done; exit 1").Code != 0; n++)
            {
            }
            var (code, told) = _host.Try($"cd /root/vms && timeout 160 {Binary.Path} ssh -i {Key} {file} hostname");
            Assert.True((code, told) == (0, "inside\n"), told + _host.Do("cat /root/inside.console"));
        }
        finally
        {
            _host.Do("kill $(cat /root/inside.pid) || true");
        }
    }

    [Theory]
    [InlineData("cloud-hypervisor")]
    [InlineData("firecracker")]
    public void Where_the_hypervisor_itself_connects_its_socket_is_asked(string hypervisor)
    {
        var file = _host.Declare("asked", $"\"hypervisor\":\"{hypervisor}\",\"vsock\":{{\"cid\":43}}");
        var (code, told) = Ssh($"{file} true");
        Assert.True(code == 255 && told.Contains("/root/vms/notify.vsock, so the VM does not run", StringComparison.Ordinal), told);
        _host.Do($"{{ {Listening("unix /run/notify.vsock 22")} & echo $! > /root/listen.pid; disown; }} > /dev/null 2>&1; for n in $(seq 50); do [ -S {Root}/run/notify.vsock ] && break; sleep 0.1; done; ln {Root}/run/notify.vsock /root/vms/notify.vsock; chown nobody /root/vms/notify.vsock; chmod 755 /root");
        try
        {
            Assert.Equal((0, "root\n"), Ssh($"{file} id -un"));
            Assert.Equal((7, "-l and more\n"), Ssh($"{file} echo -l and more \\; exit 7"));
            (code, told) = Ssh($"-p 23 {file} true");
            Assert.True(code == 255 && told.Contains("nothing listens at vsock port 23 of the guest", StringComparison.Ordinal), told);
        }
        finally
        {
            _host.Do($"kill $(cat /root/listen.pid) || true; rm -f {Root}/run/notify.vsock /root/vms/notify.vsock; chmod 700 /root");
        }
    }

    [Fact]
    public void Without_vsock_a_forwarded_port_leads_to_the_guest_and_without_that_it_is_said_what_to_set()
    {
        var user = """{"type":"user","id":"net","mac":"02:00:00:00:00:01"}""";
        var file = _host.Declare("port", $"\"interfaces\":[{user}],\"forwardPorts\":[{{\"host\":{{\"port\":8080}},\"guest\":{{\"port\":80}} }},{{\"host\":{{\"port\":2022}},\"guest\":{{\"port\":22}} }}]");
        // Nobody is there: ssh tells where it asked.
        var (code, told) = Ssh($"{file} true");
        Assert.True(code == 255 && told.Contains("127.0.0.1 port 2022: Connection refused", StringComparison.Ordinal), told);
        (code, told) = Ssh($"{_host.Declare("none", "\"vcpu\":1")} true");
        Assert.True(code == 2 && told.Contains("'none' has no vsock, and forwards no port to port 22 of its guest: set microvm.vsock.cid", StringComparison.Ordinal), told);
    }
}
