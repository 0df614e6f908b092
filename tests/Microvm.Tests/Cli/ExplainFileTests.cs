using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Tests;

/// <summary>What explain says of a file, for every type and hypervisor: all that stands in the declaration, and the way that its attachment really takes.</summary>
public sealed class ExplainFileTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string> Every()
    {
        var data = new TheoryData<string, string>();
        foreach (var hypervisor in HypervisorTable.All)
        {
            foreach (var type in Enum.GetValues<InterfaceType>())
            {
                data.Add(hypervisor.Name, type.ToString().ToLowerInvariant());
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Every))]
    public void Every_type_with_every_hypervisor(string hypervisor, string type)
    {
        var i = type switch
        {
            "tap" => NetworkHost.Tap("vm-x1"),
            "bridge" => $$"""{"type":"bridge","id":"vm-x1","mac":"{{NetworkHost.MacOf("vm-x1")}}","bridge":"br7"}""",
            "macvtap" => NetworkHost.Macvtap("vm-x1", "eth7", "bridge"),
            _ => $$"""{"type":"user","id":"vm-x1","mac":"{{NetworkHost.MacOf("vm-x1")}}"}""",
        };
        var file = _folder.File("vm.json", $$"""{"networking":{"hostName":"web"},"microvm":{"hypervisor":"{{hypervisor}}","interfaces":[{{i}}] } }""");
        var outcome = Binary.Microvm("explain", file);
        var text = string.Join(' ', (outcome.Out + outcome.Err).Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        var accepts = HypervisorTable.Find(hypervisor)!.Accepts(Enum.Parse<InterfaceType>(type, true));
        if (accepts.Count == 0)
        {
            Assert.Equal(2, outcome.Code);
            Assert.Contains(hypervisor, text);
            return;
        }
        Assert.Equal(0, outcome.Code);
        Assert.Contains($"VM 'web': {hypervisor} with 1 vCPU", text);
        Assert.Contains($"Interface 'vm-x1', type {type}, the guest's MAC {NetworkHost.MacOf("vm-x1")}:", text);
        var (host, way) = (text[text.IndexOf("On the host:", StringComparison.Ordinal)..text.IndexOf("The bytes' way:", StringComparison.Ordinal)], text[text.IndexOf("The bytes' way: guest's virtio-net -> ", StringComparison.Ordinal)..]);
        var (onHost, onWay) = accepts[0] switch
        {
            AttachmentKind.TapByName or AttachmentKind.TapByFd or AttachmentKind.MacvtapPath when type == "macvtap" => ("makes the macvtap vm-x1 on eth7 (mode bridge)", $"{hypervisor} -> /dev/tapN of vm-x1 -> eth7 -> the wire"),
            AttachmentKind.TapByName or AttachmentKind.TapByFd => ("makes the tap vm-x1", $"{hypervisor} -> tap vm-x1 -> {(type == "bridge" ? "bridge br7" : "the host's own routing")}"),
            AttachmentKind.BridgeHelper => ("qemu-bridge-helper then makes a tap and puts it onto br7", "-> bridge br7 ->"),
            AttachmentKind.TapRedirect => ("makes a macvlan on eth7 with the guest's MAC and the tap vm-x1", "tap vm-x1 -> mirred redirect -> macvlan -> eth7 -> the wire"),
            AttachmentKind.UserMode => ("no link is made and no privilege is needed", $"{hypervisor}'s own TCP/IP -> ordinary sockets"),
            _ => ("'run' makes a namespace with a tap and slirp4netns", "slirp4netns's TCP/IP -> ordinary sockets"),
        };
        Assert.Contains(onHost, host);
        Assert.Contains(onWay, way);
        Assert.Equal(host.Contains("'up' makes", StringComparison.Ordinal), host.Contains("microvm:web/vm-x1", StringComparison.Ordinal));
    }

    [Fact]
    public void Queues_vhost_ports_and_bridges_are_told_and_what_is_refused_as_well()
    {
        var file = _folder.File("vm.json", """
            {"networking":{"hostName":"web"},"microvm":{"vcpu":4,"forwardPorts":[{"host":{"address":"127.0.0.1","port":2222},"guest":{"port":22}}],"interfaces":[
              {"type":"tap","id":"vm-x1","mac":"02:00:00:00:00:01","bridge":"br7","tap":{"vhost":true}},{"type":"user","id":"u","mac":"02:00:00:00:00:02"}] } }
            """);
        var text = string.Join(' ', Binary.Microvm("explain", file).Out.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("makes the tap vm-x1 with multi_queue, attaches it to the bridge br7, which must be there,", text);
        Assert.Contains("guest's virtio-net -> the kernel's vhost-net -> tap vm-x1 -> bridge br7 -> its other ports.", text);
        Assert.Contains("4 queue pairs", text);
        Assert.Contains("tcp port 2222 of the host (127.0.0.1) leads to port 22 of the guest", text);
    }

    [Fact]
    public void Every_way_of_attaching_that_a_table_names_is_put_into_words()
    {
        foreach (var what in HypervisorTable.All.Select(h => h.Name).Concat(Enum.GetNames<InterfaceType>().Select(n => n.ToLowerInvariant())))
        {
            var text = Binary.Microvm("explain", what).Out;
            var kinds = Enum.GetValues<AttachmentKind>().Select(k => k.Text()).Where(k => System.Text.RegularExpressions.Regex.IsMatch(text, $@"(?m)^  [a-z-]+: .*\b{k}\b")).ToList();
            Assert.NotEmpty(kinds);
            Assert.All(kinds, k => Assert.Contains($"  {k} means: ", text));
        }
    }
}
