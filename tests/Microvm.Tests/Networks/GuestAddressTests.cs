using System.Text.Json;

namespace Microvm.Tests;

/// <summary>The addresses of guests in <c>status</c>, <c>list</c> and <c>metrics</c>: what is reserved, what was leased, and what a guest took for itself.</summary>
public sealed class GuestAddressTests
{
    private const string Lan = "\"lan\":{\"addresses\":[\"10.27.0.1/24\",\"fd00:27::1/64\"]}";

    /// <summary>Each address of the only interface, with how it is known.</summary>
    private static Dictionary<string, string> Addresses(DeclaredHost host, params string[] files) =>
        JsonDocument.Parse(host.Done("status", ["--json", .. files])).RootElement.EnumerateArray().Single().GetProperty("addresses").EnumerateArray()
            .ToDictionary(a => a.GetProperty("address").GetString()!, a => a.GetProperty("from").GetString()!);

    [Fact]
    public void A_reserved_address_is_leased_once_the_guest_asks_and_what_it_takes_besides_is_seen()
    {
        using var host = new DeclaredHost();
        var vm = host.Declare("web", Lan, DeclaredHost.Tap("vm-web", "lan", "10.27.0.20"));
        host.Done("up", vm);
        var before = Addresses(host, vm);
        Assert.Equal("reserved", before["10.27.0.20"]);
        Assert.Equal(2, before.Count);
        Assert.DoesNotContain("microvm_network_leases{", host.Done("metrics", vm));
        var web = host.Guest("vm-web", "net-lan");
        host.Lease(web);
        Assert.Equal("leased", Addresses(host, vm)["10.27.0.20"]);
        // Without a declaration the VM is known by its links, and its MAC by what is reserved.
        Assert.Equal("leased", Addresses(host)["10.27.0.20"]);
        web.Ip("addr", "add", "10.27.0.99/24", "dev", "eth0");
        DeclaredHost.Run(web, "ping", "-c", "1", "-I", "10.27.0.99", "10.27.0.1");
        Assert.Equal("seen", Addresses(host, vm)["10.27.0.99"]);
        Assert.Equal("seen", Addresses(host)["10.27.0.99"]);
        Assert.Matches(@"web +vm-web .* 10\.27\.0\.20 10\.27\.0\.99 fd00:27::", host.Done("status", vm));
        var metrics = host.Done("metrics", vm);
        Assert.Contains("microvm_interface_address{vm=\"web\",interface=\"vm-web\",address=\"10.27.0.20\",from=\"leased\"} 1\n", metrics);
        Assert.Contains("microvm_interface_address{vm=\"web\",interface=\"vm-web\",address=\"10.27.0.99\",from=\"seen\"} 1\n", metrics);
        Assert.Contains("microvm_network_leases{network=\"lan\"} 1\n", metrics);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Ssh_goes_to_the_address_that_the_host_gave_the_guest(bool reserved)
    {
        using var host = new DeclaredHost();
        var fixedly = $$"""{"type":"tap","id":"vm-web","mac":"{{NetworkHost.MacOf("vm-web")}}","host":{"addresses":["10.27.0.1/24"]},"guest":{"addresses":["10.27.0.20/24"]} }""";
        var vm = reserved ? host.Declare("web", Lan, DeclaredHost.Tap("vm-web", "lan", "10.27.0.20")) : host.Write("web.json", $$"""{"networking":{"hostName":"web"},"microvm":{"interfaces":[{{fixedly}}]} }""");
        string Ssh() => Binary.Run("ip", null, "netns", "exec", host.Net.Name, Binary.Path, "ssh", "-o", "ConnectTimeout=10", "-o", "UserKnownHostsFile=/dev/null", vm, "true").Err;
        if (reserved)
        {
            Assert.Contains("network = \"default\"", Ssh(), StringComparison.Ordinal);
        }
        host.Done("up", vm);
        // Whoever has the address is asked in SSH's first words (RFC 4253, 4.2).
        host.Net.Ip("link", "set", "lo", "up");
        host.Net.Ip("addr", "add", "10.27.0.20/32", "dev", "lo");
        var listener = host.Write("listen.pl", "use IO::Socket::INET; $| = 1; my $l = IO::Socket::INET->new(LocalAddr => '10.27.0.20', LocalPort => 22, Listen => 1, ReuseAddr => 1) or die; print \"ready\\n\"; alarm 30; my $c = $l->accept; print $c \"SSH-2.0-guest\\r\\n\"; print scalar <$c>;");
        using var guest = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("ip", ["netns", "exec", host.Net.Name, "perl", listener]) { RedirectStandardOutput = true })!;
        Assert.Equal("ready", guest.StandardOutput.ReadLine());
        Ssh();
        Assert.StartsWith("SSH-2.0-OpenSSH", guest.StandardOutput.ReadToEnd(), StringComparison.Ordinal);
        guest.WaitForExit();
    }

    [Fact]
    public void Another_station_of_the_same_mac_on_another_link_is_not_taken_for_the_guest_and_a_flood_is_bounded()
    {
        using var host = new DeclaredHost();
        var far = host.Outside();
        var vm = host.Declare("web", Lan, DeclaredHost.Tap("vm-web", "lan", "10.27.0.20"));
        host.Done("up", vm);
        far.Ip("link", "set", "far0", "address", NetworkHost.MacOf("vm-web"));
        host.Inside("ping", "-c", "1", "203.0.113.1");
        Assert.Contains(NetworkHost.MacOf("vm-web"), host.Net.Ip("neigh", "show", "203.0.113.1"));
        Assert.Equal(2, Addresses(host, vm).Count);
        // As many as a guest says.
        for (var n = 100; n < 120; n++)
        {
            host.Net.Ip("neigh", "add", $"10.27.0.{n}", "lladdr", NetworkHost.MacOf("vm-web"), "dev", "net-lan", "nud", "stale");
        }
        Assert.Equal(2 + 8, Addresses(host, vm).Count);
    }
}
