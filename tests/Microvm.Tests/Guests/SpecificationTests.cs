using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Tests;

/// <summary>Sentences and commands of the specification as they stand there, followed by hand where it says so, with a real guest at the end.</summary>
public sealed class SpecificationTests : IDisposable
{
    // sudo is the one word that a test has no use for.
    private const string Sudo = "sudo() { \"$@\"; }\n";

    private const string ByHandTap = "sudo ip tuntap add $IFACE_NAME mode tap user $USER";

    private const string ByHandMacvtap = """
        # Parent interface:
        LINK=eth0
        # MACVTAP interface, as specified under microvm.interfaces.*.id:
        ID=microvm1
        # Create the interface
        sudo ip l add link $LINK name $ID type macvtap mode bridge
        # Obtain the interface index number
        IFINDEX=$(cat /sys/class/net/$ID/ifindex)
        # Grant yourself permission
        sudo chown $USER /dev/tap$IFINDEX
        """;

    private readonly Folder _folder = new();
    private readonly Namespace _host = new();
    private readonly Namespace _world = new();

    public void Dispose()
    {
        _host.Dispose();
        _world.Dispose();
        _folder.Dispose();
    }

    private Binary.Outcome OnHost(params string[] words) => Binary.Run("ip", null, ["netns", "exec", _host.Name, .. words]);

    private void ByHand(string commands)
    {
        var outcome = OnHost("env", "USER=root", "IFACE_NAME=vm-a1", "bash", "-euc", Sudo + commands);
        Assert.True(outcome.Code == 0, outcome.Err);
    }

    private string Declare(int vcpu, string more) => _folder.File("vm.json", $$"""
        {"networking":{"hostName":"a"},"microvm":{ {{Guest.Boot("guestip=10.0.9.2/24")}},"vcpu":{{vcpu}},
          "interfaces":[{"mac":"02:00:00:00:00:01",{{more}} }] } }
        """);

    private static void Answers(Namespace from)
    {
        var ping = Binary.Run("ip", null, "netns", "exec", from.Name, "ping", "-c", "2", "-i", "0.2", "-w", "20", "10.0.9.2");
        Assert.True(ping.Code == 0, ping.Out);
    }

    /// <summary>Carries out the command that a note of 'run' ends with.</summary>
    private static void Mend(string note)
    {
        var line = note.Split('\n').Single(l => l.Contains("so nothing reaches the guest; fix it with: sudo ", StringComparison.Ordinal));
        var mended = Binary.Run("sh", null, "-c", line[(line.IndexOf("sudo ", StringComparison.Ordinal) + 5)..].Trim());
        Assert.True(mended.Code == 0, mended.Err);
    }

    [Fact]
    public void The_declaration_makes_an_interface_of_that_name_whose_own_address_is_not_the_microvms()
    {
        var file = _folder.File("vm.nix", NixFrontDoorTests.SpecificationTap);
        var up = Binary.Microvm("up", "--netns", _host.Name, file);
        Assert.True(up.Code == 0, up.Err);
        var link = _host.Ip("-d", "link", "show", "vm-a1");
        Assert.Contains("tun type tap", link);
        Assert.DoesNotContain("02:00:00:00:00:01", link);
        Assert.Equal(0, Binary.Microvm("down", "--netns", _host.Name, file).Code);
    }

    [Theory]
    [InlineData(1, ByHandTap)]
    [InlineData(2, ByHandTap + " multi_queue")]
    public void A_tap_made_by_the_specifications_own_command_carries_a_guest(int vcpu, string command)
    {
        ByHand(command);
        using var guest = Guest.Run("--netns", _host.Name, Declare(vcpu, """ "type":"tap","id":"vm-a1" """));
        guest.WaitFor("guest: ready");
        Assert.Contains(vcpu == 2 ? "guest: queues rx-0 rx-1 tx-0 tx-1" : "guest: queues rx-0 tx-0", guest.Console);
        // The command leaves it down, and 'run' says so.
        Mend(guest.Console);
        _host.Ip("addr", "add", "10.0.9.1/24", "dev", "vm-a1");
        Answers(_host);
    }

    [Theory]
    [InlineData(2, ByHandTap, "lacks multi_queue and the VM has more than one queue pair")]
    [InlineData(1, ByHandTap + " multi_queue", "is multi_queue and the VM has one queue pair")]
    public void More_than_one_cpu_core_needs_multi_queue_and_one_must_not_have_it(int vcpu, string command, string says)
    {
        ByHand(command);
        var run = Binary.Microvm("run", "--netns", _host.Name, Declare(vcpu, """ "type":"tap","id":"vm-a1" """));
        Assert.Equal(1, run.Code);
        Assert.Contains(says, run.Err);
        // 'up' alone would refuse: the tap is not ours.
        Assert.Contains("it was not created by microvm, so delete it, then: sudo microvm up", run.Err);
    }

    [Fact]
    public void Run_never_takes_the_interface_of_another_vm()
    {
        var file = Declare(1, """ "type":"tap","id":"vm-a1" """);
        Assert.Equal(0, Binary.Microvm("up", "--netns", _host.Name, "--user", "root", file).Code);
        var other = _folder.File("other.json", File.ReadAllText(file).Replace("\"hostName\":\"a\"", "\"hostName\":\"b\"", StringComparison.Ordinal));
        var run = Binary.Microvm("run", "--netns", _host.Name, other);
        Assert.Equal(1, run.Code);
        Assert.Contains("the link 'vm-a1' belongs to the VM 'a'", run.Err);
    }

    [Fact]
    public void A_macvtap_made_by_the_specifications_own_commands_carries_a_guest()
    {
        // Nodes are named by the link's index in all namespaces: one that no other test's has.
        Assert.Equal(0, Binary.Run("ip", string.Concat(Enumerable.Range(0, 60).Select(i => $"link add b{i} type bridge\n")), "-n", _host.Name, "-batch", "-").Code);
        _host.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "card", "netns", _world.Name);
        _host.Ip("link", "set", "eth0", "up");
        _world.Ip("addr", "add", "10.0.9.1/24", "dev", "card");
        _world.Ip("link", "set", "card", "up");
        ByHand(ByHandMacvtap);
        using var guest = Guest.Run("--netns", _host.Name, Declare(1, """ "type":"macvtap","id":"microvm1","macvtap":{"link":"eth0","mode":"bridge"} """));
        guest.WaitFor("guest: ready");
        // The commands leave it down and with a MAC of the kernel's choice, and 'run' says so.
        Assert.Contains("'microvm1' does not have the guest's MAC and is down", guest.Console);
        Mend(guest.Console);
        Answers(_world);
    }

    /// <summary>vfkit runs on macOS, of which the specification does not speak.</summary>
    [Fact]
    public void User_mode_networking_of_their_own_have_qemu_and_kvmtool_and_no_other_on_Linux()
    {
        var own = HypervisorTable.All.Where(h => h.Name != "vfkit" && h.Accepts(InterfaceType.User).Contains(AttachmentKind.UserMode)).Select(h => h.Name);
        Assert.Equal(["kvmtool", "qemu"], own.Order(StringComparer.Ordinal));
        var others = HypervisorTable.All.Where(h => h.Name is not ("vfkit" or "qemu" or "kvmtool"));
        Assert.All(others, h => Assert.Equal([AttachmentKind.UserNamespace], h.Accepts(InterfaceType.User)));
    }

    [Theory]
    [InlineData("""{"link":"eth0"}""", "'mode' is missing")]
    [InlineData("""{"mode":"bridge"}""", "'link' is missing")]
    [InlineData("{}", "'link' is missing")]
    public void A_macvtap_needs_both_link_and_mode(string macvtap, string says)
    {
        var json = Binary.Run(Binary.Path, $$$"""{"microvm":{"interfaces":[{"type":"macvtap","id":"m","mac":"02:00:00:00:00:01","macvtap":{{{macvtap}}} }]}}""", "check", "-");
        Assert.Equal(2, json.Code);
        Assert.Contains(says, json.Out);
        var words = macvtap.Replace(":", "=", StringComparison.Ordinal).Replace("\"link\"", "link", StringComparison.Ordinal).Replace("\"mode\"", "mode", StringComparison.Ordinal).Replace("}", macvtap == "{}" ? "}" : ";}", StringComparison.Ordinal);
        var nix = Binary.Microvm("check", _folder.File("vm.nix", $$"""{ microvm.interfaces = [ { type = "macvtap"; id = "m"; mac = "02:00:00:00:00:01"; macvtap = {{words}}; } ]; }"""));
        Assert.Equal(2, nix.Code);
        Assert.Contains(says, nix.Out);
    }
}
