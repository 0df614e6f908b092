using System.Net;
using System.Net.Sockets;

namespace Microvm.Tests;

/// <summary>Ports of the host that can't be forwarded are told by `plan`, `run`, `run --dry-run` and `doctor`, before QEMU would fail.</summary>
public sealed class ForwardedPortTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    private string Declare(string address, int port, string proto = "tcp") => _folder.File("vm.json", $$"""
        {"networking":{"hostName":"f"},"microvm":{"kernel":"/etc/hostname","socket":null,"interfaces":[{"type":"user","id":"u","mac":"02:00:00:00:00:01"}],
          "forwardPorts":[{"proto":"{{proto}}","host":{"address":"{{address}}","port":{{port}} },"guest":{"port":22} }] } }
        """);

    /// <summary>What QEMU says of the same port, as a user without any capability.</summary>
    private static string Qemu(string address, int port, string proto) => Binary.Run("timeout", null, "5", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all",
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-S", "-M", "none", "-netdev", $"user,id=n,hostfwd={proto}:{address}:{port}-:22").Err;

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public void A_port_that_is_taken_is_told_with_the_process(string proto)
    {
        using var taken = new Socket(AddressFamily.InterNetwork, proto == "tcp" ? SocketType.Stream : SocketType.Dgram, proto == "tcp" ? ProtocolType.Tcp : ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        if (proto == "tcp")
        {
            taken.Listen();
        }
        var port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        var file = Declare("127.0.0.1", port, proto);
        foreach (var dry in (string[][])[[], ["--dry-run"]])
        {
            var run = Binary.Microvm(["run", .. dry, file]);
            Assert.Equal(1, run.Code);
            Assert.Contains($"{proto} port {port} of the host is taken by process {Environment.ProcessId} (", run.Out + run.Err);
        }
        Assert.Contains($"{proto} port {port} of the host is taken", Binary.Microvm("doctor", file).Out);
        Assert.Contains($"'microvm run' of 'f' would be refused: {proto} port {port} of the host is taken by process {Environment.ProcessId} (", Binary.Microvm("plan", file).Err);
        Assert.Contains("Could not set up host forwarding rule", Qemu("127.0.0.1", port, proto));
        taken.Dispose();
        Assert.Equal(0, Binary.Microvm("run", "--dry-run", file).Code);
        Assert.Equal("", Binary.Microvm("plan", file).Err);
    }

    [Theory]
    [InlineData("192.0.2.1", 8022, "which is no address of this host")]
    [InlineData("127.0.0.1", 22, "takes a privilege that no hypervisor gets; forward one from 1024 on")]
    public void A_foreign_address_and_a_privileged_port_are_told(string address, int port, string said)
    {
        Assert.SkipUnless(File.ReadAllText("/proc/sys/net/ipv4/ip_unprivileged_port_start").Trim() == "1024", "this host lets everybody have port 22");
        var file = Declare(address, port);
        var dry = Binary.Microvm("run", "--dry-run", file);
        Assert.Equal(1, dry.Code);
        Assert.Contains(said, dry.Out);
        Assert.Contains($"tcp port {port} of the host", Binary.Microvm("doctor", file).Out);
        Assert.Contains(said, Binary.Microvm("plan", file).Err);
        Assert.Contains("Could not set up host forwarding rule", Qemu(address, port, "tcp"));
    }

    [Fact]
    public void Vhost_without_its_device_is_told_before_QEMU_ends()
    {
        Assert.SkipWhen(File.Exists("/dev/vhost-net"), "this host has vhost-net");
        using var host = new NetworkHost();
        var file = _folder.File("vm.json", """{"networking":{"hostName":"f"},"microvm":{"kernel":"/etc/hostname","socket":null,"interfaces":[{"type":"tap","id":"vm-f","mac":"02:00:00:00:00:01","tap":{"vhost":true} }] } }""");
        host.Done("up", file, "--user", "root");
        var run = host.Microvm("run", file);
        Assert.Equal(1, run.Code);
        Assert.Contains("'vm-f' asks for tap.vhost, and there is no /dev/vhost-net; load it with: sudo modprobe vhost_net", run.Err);
        Assert.Contains("asks for tap.vhost", host.Microvm("run", "--dry-run", file).Out);
        Assert.Contains("asks for tap.vhost", host.Microvm("plan", file).Err);
        Assert.Contains("vhost", host.Microvm("doctor", file).Out);
    }
}
