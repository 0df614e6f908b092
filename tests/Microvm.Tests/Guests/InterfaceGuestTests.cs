using System.Net;
using System.Net.Sockets;

namespace Microvm.Tests;

/// <summary>Each type of interface with a real guest behind it. The host is a namespace, the world beyond its card another one.</summary>
public sealed class InterfaceGuestTests : IDisposable
{
    private const string WorldMac = "02:00:00:00:01:01";
    private readonly Folder _folder = new();
    private readonly Namespace _host = new();
    private readonly Namespace _world = new();

    public InterfaceGuestTests()
    {
        _host.Ip("link", "add", "low0", "type", "veth", "peer", "name", "card", "netns", _world.Name);
        _world.Ip("link", "set", "card", "address", WorldMac);
        _world.Ip("addr", "add", "10.0.9.1/24", "dev", "card");
        _world.Ip("link", "set", "card", "up");
        _host.Ip("link", "set", "low0", "up");
    }

    public void Dispose()
    {
        _host.Dispose();
        _world.Dispose();
        _folder.Dispose();
    }

    private string Declare(string name, int number, string type, string more, string options = "", params string[] parameters) => _folder.File($"{name}.json", $$"""
        {"networking":{"hostName":"{{name}}"},"microvm":{ {{Guest.Boot([$"guestip=10.0.9.{10 + number}/24", .. parameters])}},{{options}}
          "interfaces":[{"type":"{{type}}","id":"vm-{{name}}","mac":"02:00:00:00:00:0{{number}}"{{more}} }] } }
        """);

    private string Macvtap(string name, int number, string mode, string options = "", params string[] parameters) =>
        Declare(name, number, "macvtap", $$""","macvtap":{"link":"low0","mode":"{{mode}}"{{(mode == "source" ? $",\"sourceMacs\":[\"{WorldMac}\"]" : "")}} }""", options, parameters);

    private Guest Up(string file, params string[] arguments)
    {
        var up = Binary.Microvm(["up", "--user", "root", "--netns", _host.Name, .. arguments, file]);
        Assert.True(up.Code == 0, up.Err);
        return Guest.Run(["--netns", _host.Name, .. arguments, file]);
    }

    private static void Answers(Namespace from, string address)
    {
        var ping = Binary.Run("ip", null, "netns", "exec", from.Name, "ping", "-c", "2", "-i", "0.2", "-w", "20", address);
        Assert.True(ping.Code == 0, ping.Out);
    }

    [Theory]
    [InlineData("bridge")]
    [InlineData("vepa")]
    [InlineData("passthru")]
    [InlineData("source")]
    public void A_guest_behind_a_macvtap_answers_the_lower_devices_network(string mode)
    {
        using var guest = Up(Macvtap("a", 1, mode));
        guest.WaitFor("guest: ready");
        Assert.Contains("guest: mac 02:00:00:00:00:01", guest.Console);
        Answers(_world, "10.0.9.11");
    }

    [Fact]
    public void A_macvtap_gives_a_guest_with_two_vcpus_two_queues()
    {
        using var guest = Up(Macvtap("a", 1, "bridge", """ "vcpu":2,"qemu":{"machine":"q35"}, """));
        guest.WaitFor("guest: ready");
        Assert.Contains("guest: queues rx-0 rx-1 tx-0 tx-1", guest.Console);
        Answers(_world, "10.0.9.11");
    }

    /// <summary>What QEMU does with a declared MAC, the vCPUs and the link's MTU, asked of the guest, on both of its buses.</summary>
    [Theory]
    [InlineData("tap", "microvm")]
    [InlineData("tap", "q35")]
    [InlineData("macvtap", "microvm")]
    [InlineData("bridge", "microvm")]
    public void A_guest_on_QEMU_has_the_declared_MAC_the_queues_and_the_links_MTU(string type, string machine)
    {
        var options = $$""" "vcpu":2,"qemu":{"machine":"{{machine}}"}, """;
        if (type == "bridge")
        {
            Bridge();
        }
        var file = type == "macvtap" ? Macvtap("a", 1, "bridge", options) : Declare("a", 1, type, type == "bridge" ? ",\"bridge\":\"br0\",\"bridgeHelper\":false" : "", options);
        Assert.Equal(0, Binary.Microvm("up", "--user", "root", "--netns", _host.Name, file).Code);
        _host.Ip("link", "set", "vm-a", "mtu", "1400");
        using var guest = Guest.Run("--netns", _host.Name, file);
        guest.WaitFor("guest: ready");
        Assert.Contains("guest: mac 02:00:00:00:00:01", guest.Console);
        Assert.Contains("guest: queues rx-0 rx-1 tx-0 tx-1", guest.Console);
        Assert.Contains("guest: mtu 1400", guest.Console);
    }

    [Fact]
    public void Two_guests_behind_macvtaps_of_mode_bridge_reach_each_other()
    {
        using var one = Up(Macvtap("a", 1, "bridge"));
        using var two = Up(Macvtap("b", 2, "bridge", "", "ping=10.0.9.11"));
        one.WaitFor("guest: ready");
        two.WaitFor("guest: 10.0.9.11 answers");
    }

    [Fact]
    public void Mode_private_keeps_two_guests_apart()
    {
        using var one = Up(Macvtap("a", 1, "private"));
        using var two = Up(Macvtap("b", 2, "private", "", "ping=10.0.9.11"));
        one.WaitFor("guest: ready");
        two.WaitFor("guest: ready");
        Answers(_world, "10.0.9.11");
        Answers(_world, "10.0.9.12");
        // The second asks every second since it is ready, and the world's pings took a while.
        Thread.Sleep(2000);
        Assert.DoesNotContain("answers", two.Console);
    }

    [Fact]
    public void A_hypervisor_that_takes_only_a_tap_reaches_the_lower_devices_network_through_a_redirected_pair()
    {
        using var guest = Up(Macvtap("a", 1, "bridge"), "--attachment", "vm-a=tap-redirect");
        guest.WaitFor("guest: ready");
        Answers(_world, "10.0.9.11");
        Assert.Equal(0, Binary.Run("ip", null, "-n", _host.Name, "link", "show", "mv-vm-a").Code);
    }

    [Fact]
    public async Task User_networking_in_a_namespace_leases_fetches_and_forwards()
    {
        var token = TestContext.Current.CancellationToken;
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var answer = Task.Run(async () =>
        {
            using var client = await server.AcceptTcpClientAsync(token);
            _ = await client.GetStream().ReadAsync(new byte[4096], token);
            await client.GetStream().WriteAsync("HTTP/1.0 200 OK\r\n\r\nhello from the host"u8.ToArray(), token);
        }, token);
        int forwarded;
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            forwarded = ((IPEndPoint)free.LocalEndpoint).Port;
        }
        var file = _folder.File("u.json", $$"""
            {"networking":{"hostName":"u"},"microvm":{ {{Guest.Boot($"fetch=http://10.0.2.2:{((IPEndPoint)server.LocalEndpoint).Port}/", "serve=80")}},
              "forwardPorts":[{"host":{"address":"127.0.0.1","port":{{forwarded}} },"guest":{"port":80} }],
              "interfaces":[{"type":"user","id":"vm-u","mac":"02:00:00:00:00:07"}] } }
            """);
        using var guest = Guest.Run("--attachment", "vm-u=user-namespace", file);
        guest.WaitFor("guest: ready");
        await answer;
        Assert.Contains("guest: leased 10.0.2.15", guest.Console);
        Assert.Contains("guest: fetched hello from the host", guest.Console);
        using var http = new HttpClient();
        Assert.Equal("hello from the guest\n", await http.GetStringAsync(new Uri($"http://127.0.0.1:{forwarded}/"), token));
    }

    [Fact]
    public void Two_guests_reach_each_other_over_a_bridge_through_qemus_helper()
    {
        Bridge();
        using var one = WithBridgeConf("allow br0\n", Declare("a", 1, "bridge", ",\"bridge\":\"br0\""));
        using var two = WithBridgeConf("allow br0\n", Declare("b", 2, "bridge", ",\"bridge\":\"br0\"", "", "ping=10.0.9.11"));
        one.WaitFor("guest: ready");
        two.WaitFor("guest: 10.0.9.11 answers");
        Answers(_host, "10.0.9.12");
    }

    [Fact]
    public void A_bridge_that_bridge_conf_does_not_allow_is_told_before_qemu_starts()
    {
        Bridge();
        var outcome = Binary.Run("unshare", null, InEtc("allow br1\n", "run", "--netns", _host.Name, Declare("a", 1, "bridge", ",\"bridge\":\"br0\"")));
        Assert.Equal(1, outcome.Code);
        Assert.Contains("/etc/qemu/bridge.conf does not allow br0", outcome.Err);
        Assert.Contains("allow br0", outcome.Err);
    }

    [Fact]
    public void A_bridge_without_the_helper_is_a_host_made_tap_and_the_sandbox_stays_whole()
    {
        Bridge();
        var file = Declare("a", 1, "bridge", ",\"bridge\":\"br0\",\"bridgeHelper\":false");
        using var guest = Up(file);
        guest.WaitFor("guest: ready");
        Answers(_host, "10.0.9.11");
        Assert.Contains("spawn=deny", Binary.Microvm("command", file).Out);
    }

    [Fact]
    public void Check_warns_where_bridge_conf_does_not_allow_the_bridge()
    {
        var file = Declare("a", 1, "bridge", ",\"bridge\":\"br0\"");
        var check = Binary.Run("unshare", null, InEtc("allow br1\n", "check", file));
        Assert.Equal(0, check.Code);
        Assert.Matches(@"a\.json:\d+:\d+: warning: on this host 'vm-a' could not be attached: /etc/qemu/bridge.conf does not allow br0", check.Out);
        Assert.DoesNotContain("warning", Binary.Run("unshare", null, InEtc("allow br0\n", "check", file)).Out);
    }

    [Fact]
    public void Behind_sudo_qemu_with_its_helper_runs_as_the_caller()
    {
        Bridge();
        var home = Path.GetDirectoryName(_folder.File("helper", "#!/bin/sh\n"))!;
        Directory.CreateDirectory(Path.Combine(home, "bin"));
        _folder.File("bin/qemu-system-x86_64", "#!/bin/sh\ngrep -E '^(Uid|CapPrm|CapBnd)' /proc/self/status\n");
        Assert.Equal(0, Binary.Run("chmod", null, "-R", "a+rX,u+x,go+x", home).Code);
        Assert.Equal(0, Binary.Run("chmod", null, "u+s", Path.Combine(home, "helper")).Code);
        var file = Declare("a", 1, "bridge", ",\"bridge\":\"br0\"", $"\"qemu\":{{\"package\":\"{home}\"}},");
        var run = Binary.Run("env", null, ["SUDO_UID=1234", "SUDO_GID=4321", "unshare", .. InEtc("allow br0\n", "run", "--bridge-helper", Path.Combine(home, "helper"), "--netns", _host.Name, file)]);
        Assert.True(run.Code == 0, run.Err);
        Assert.Contains("Uid:\t1234\t1234\t1234\t1234", run.Out);
        Assert.Contains("CapPrm:\t0000000000000000", run.Out);
        // All that the helper may gain.
        Assert.Contains("CapBnd:\t0000000000001000", run.Out);
    }

    [Fact]
    public void The_specifications_mkAfter_line_puts_a_real_guest_onto_its_bridge()
    {
        _host.Ip("link", "add", "ixp-peering", "type", "bridge");
        _host.Ip("addr", "add", "10.0.9.1/24", "dev", "ixp-peering");
        _host.Ip("link", "set", "ixp-peering", "up");
        var file = _folder.File("ixp.nix", $$"""
            { lib, pkgs, ... }: {
              networking.hostName = "ixp";
              microvm.kernel = "{{Binary.Root}}/out/guest/vmlinuz";
              microvm.initrdPath = "{{Binary.Root}}/out/guest/initrd";
              microvm.socket = null;
              microvm.kernelParams = [ "seconds=60" {{string.Join(' ', GuestClock.Parameters.Select(p => $"\"{p}\""))}} "guestip=10.0.9.11/24" ];
              microvm.interfaces = [ { type = "tap"; id = "vm-ixp-as11201p"; mac = "02:00:00:00:00:01"; } ];
              microvm.binScripts.tap-up = lib.mkAfter ''
                ${lib.getExe' pkgs.iproute2 "ip"} link set dev 'vm-ixp-as11201p' master 'ixp-peering'
              '';
            }
            """);
        var runner = Path.Combine(Path.GetDirectoryName(file)!, "result");
        Assert.Equal(0, Binary.Microvm("build", file, "-o", runner, "--user", "root").Code);
        var up = Binary.Run("ip", null, "netns", "exec", _host.Name, Path.Combine(runner, "bin/tap-up"));
        Assert.True(up.Code == 0, up.Err);
        using var guest = new Guest("ip", "netns", "exec", _host.Name, Path.Combine(runner, "bin/microvm-run"));
        guest.WaitFor("guest: ready");
        Answers(_host, "10.0.9.11");
    }

    /// <summary>The helper reads /etc/qemu/bridge.conf and no other: ours stands there in a mount namespace of its own.</summary>
    private string[] InEtc(string rules, params string[] arguments)
    {
        const string script = """
            set -e; cd "$1"; rules=$2; shift 2; mkdir -p etc; mount -t tmpfs none etc; mkdir etc/upper etc/work
            mount -t overlay etc -o lowerdir=/etc,upperdir="$PWD/etc/upper",workdir="$PWD/etc/work" /etc
            mkdir -p /etc/qemu; printf %s "$rules" > /etc/qemu/bridge.conf; exec "$@"
            """;
        var folder = Path.GetDirectoryName(_folder.File("x", ""))!;
        return ["--mount", "sh", "-c", script, "sh", folder, rules, Binary.Path, .. arguments];
    }

    private Guest WithBridgeConf(string rules, string declaration) => new("unshare", InEtc(rules, "run", "--netns", _host.Name, declaration));

    private void Bridge()
    {
        _host.Ip("link", "add", "br0", "type", "bridge");
        _host.Ip("addr", "add", "10.0.9.1/24", "dev", "br0");
        _host.Ip("link", "set", "br0", "up");
    }
}
