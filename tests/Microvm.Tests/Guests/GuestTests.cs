using System.Net;
using System.Net.Sockets;

namespace Microvm.Tests;

/// <summary>Real guests, started by <c>microvm run</c>.</summary>
public sealed class GuestTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();
    private Guest? _guest;

    public void Dispose()
    {
        _guest?.Dispose();
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Vm(string type, string parameters, string more = "") => _folder.File("vm.json", $$"""
        {"networking":{"hostName":"g"},"microvm":{
          {{Guest.Boot(parameters)}},{{more}}
          "interfaces":[{"type":"{{type}}","id":"vm-g","mac":"02:00:00:00:00:07"}] } }
        """);

    private void Start(params string[] arguments) => _guest = Guest.Run(arguments);

    private string Console => _guest!.Console;

    private void WaitFor(string text) => _guest!.WaitFor(text);

    [Theory]
    [InlineData("microvm", 1, "")]
    [InlineData("microvm", 2, "")]
    [InlineData("microvm", 2, """ "shares":[{"tag":"t","source":"/usr/share","mountPoint":"/mnt"}], """)] // A share needs PCI: pcie=on.
    [InlineData("q35", 1, "")]
    [InlineData("q35", 2, "")]
    public void A_guest_answers_over_its_tap(string machine, int vcpu, string more)
    {
        var file = Vm("tap", "guestip=10.0.9.2/24", $$"""  "vcpu":{{vcpu}},{{more}}"qemu":{"machine":"{{machine}}"},""");
        Assert.Equal(more.Length > 0, Binary.Microvm("command", file).Out.Contains("pcie=on"));
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, file).Code);
        _ns.Ip("addr", "add", "10.0.9.1/24", "dev", "vm-g");
        Start("--netns", _ns.Name, file);
        WaitFor("guest: ready");
        Assert.Contains("guest: mac 02:00:00:00:00:07", Console);
        Assert.Contains(vcpu == 2 ? "guest: queues rx-0 rx-1 tx-0 tx-1" : "guest: queues rx-0 tx-0", Console);
        var ping = Binary.Run("ip", null, "netns", "exec", _ns.Name, "ping", "-c", "3", "-i", "0.2", "-W", "5", "10.0.9.2");
        Assert.True(ping.Code == 0, ping.Out);
    }

    [Fact]
    public async Task A_user_interface_reaches_the_host_and_a_forwarded_port_the_guest()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var token = TestContext.Current.CancellationToken;
        var answer = Task.Run(async () =>
        {
            using var client = await server.AcceptTcpClientAsync(token);
            var stream = client.GetStream();
            _ = await stream.ReadAsync(new byte[4096], token);
            await stream.WriteAsync("HTTP/1.0 200 OK\r\n\r\nhello from the host"u8.ToArray(), token);
        }, token);
        int forwarded;
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            forwarded = ((IPEndPoint)free.LocalEndpoint).Port;
        }
        Start(Vm("user", $"fetch=http://10.0.2.2:{((IPEndPoint)server.LocalEndpoint).Port}/ serve=80",
            $$"""  "forwardPorts":[{"host":{"address":"127.0.0.1","port":{{forwarded}} },"guest":{"port":80} }],"""));
        WaitFor("guest: ready");
        await answer;
        Assert.Contains("guest: leased 10.0.2.15", Console);
        Assert.Contains("guest: fetched hello from the host", Console);
        using var http = new HttpClient();
        Assert.Equal("hello from the guest\n", await http.GetStringAsync(new Uri($"http://127.0.0.1:{forwarded}/"), token));
    }

    [Fact]
    public void Run_names_the_command_that_mends_a_missing_or_wrong_tap()
    {
        var missing = Binary.Microvm("run", "--netns", _ns.Name, Vm("tap", "x"));
        Assert.Equal(1, missing.Code);
        Assert.Contains("the tap 'vm-g' is not there; make it with: sudo microvm up", missing.Err);
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, Vm("tap", "x")).Code);
        var single = Binary.Microvm("run", "--netns", _ns.Name, Vm("tap", "x", "\"vcpu\":2,"));
        Assert.Equal(1, single.Code);
        Assert.Contains("lacks multi_queue and the VM has more than one queue pair", single.Err);
    }
}
