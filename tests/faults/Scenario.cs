namespace Microvm.Faults;

/// <summary>One command under test: the host before it, and what it is to reach.</summary>
/// <param name="Links">Arguments of <c>ip link</c> that lay out the host: bridges, lower devices, links of others.</param>
/// <param name="Prepare">Commands of microvm that come before.</param>
/// <param name="Command">The command whose calls fail, one after the other.</param>
/// <param name="Declaration">The file it reads.</param>
internal sealed record Scenario(string Name, string[] Links, string[][] Prepare, string[] Command, string Declaration)
{
    /// <summary>Also break the calls made by the loader and the runtime before the declaration is opened; they are the same in every scenario.</summary>
    public bool WithStartUp { get; init; }

    private static string Vm(string folder, string name, int vcpu, string hypervisor, params string[] interfaces)
    {
        var path = Path.Combine(folder, $"{name}.json");
        File.WriteAllText(path, $$"""{"networking":{"hostName":"a"},"microvm":{"hypervisor":"{{hypervisor}}","vcpu":{{vcpu}},"interfaces":[{{string.Join(',', interfaces)}}] } }""");
        return path;
    }

    private static string Tap(int n, string more = "") => $$"""{"type":"tap","id":"vm-a{{n}}","mac":"02:00:00:00:00:0{{n}}"{{more}}}""";

    private static string Macvtap(int n) => $$"""{"type":"macvtap","id":"vm-a{{n}}","mac":"02:00:00:00:00:0{{n}}","macvtap":{"link":"low0","mode":"bridge"} }""";

    /// <summary>Every scenario, with its declarations written into a folder.</summary>
    internal static IReadOnlyList<Scenario> All(string folder)
    {
        string[] foreign = ["add foreign0 index 100 address 02:aa:00:00:00:03 type bridge", "add foreign1 index 101 address 02:aa:00:00:00:01 type veth peer name foreign2 index 102 address 02:aa:00:00:00:02", "set foreign1 alias other:thing"];
        string[] bridge = [.. foreign, "add br0 address 02:bb:00:00:00:01 type bridge", "set br0 up"];
        string[] lower = [.. foreign, "add low0 address 02:cc:00:00:00:01 type veth peer name low1 address 02:cc:00:00:00:02", "set low0 up", "set low1 up"];
        var one = Vm(folder, "one", 1, "qemu", Tap(1), Tap(2));
        var two = Vm(folder, "two", 2, "qemu", Tap(1), Tap(2));
        var bridged = Vm(folder, "bridged", 2, "qemu", Tap(1, ",\"bridge\":\"br0\""), Tap(2, ",\"bridge\":\"br0\""));
        const string settings = ",\"bridge\":\"br0\",\"mtu\":1400,\"isolated\":true,\"antiSpoof\":\"mac\",\"tap\":{\"txQueueLength\":50}";
        var set = Vm(folder, "set", 2, "qemu", Tap(1, settings), Tap(2, settings));
        const string otherSettings = ",\"bridge\":\"br0\",\"mtu\":1300,\"isolated\":false,\"tap\":{\"txQueueLength\":70}";
        var setOtherwise = Vm(folder, "otherwise", 1, "qemu", Tap(1, otherSettings), Tap(2, otherSettings));
        const string hostSide = ",\"host\":{\"addresses\":[\"10.9.0.1/24\",\"fd00:9::1/64\"],\"routes\":[\"10.9.1.0/24 via 10.9.0.2\"]}";
        const string otherHostSide = ",\"host\":{\"addresses\":[\"10.9.0.5/24\"],\"routes\":[\"10.9.0.2/32\"]}";
        var routed = Vm(folder, "routed", 1, "qemu", Tap(1, hostSide), Tap(2));
        var routedOtherwise = Vm(folder, "routed-otherwise", 1, "qemu", Tap(1), Tap(2, otherHostSide));
        var macvtap = Vm(folder, "macvtap", 1, "qemu", Macvtap(1), Macvtap(2));
        var redirect = Vm(folder, "redirect", 1, "firecracker", Macvtap(1));
        return
        [
            new("up, two taps", foreign, [], ["up", one], one) { WithStartUp = true },
            new("up, two multi-queue taps on a bridge", bridge, [], ["up", bridged], bridged),
            new("up, two macvtaps", lower, [], ["up", macvtap], macvtap),
            new("up, a tap and a macvlan joined by redirects", lower, [], ["up", redirect], redirect),
            new("down, two taps", foreign, [["up", one]], ["down", one], one),
            new("down, two macvtaps", lower, [["up", macvtap]], ["down", macvtap], macvtap),
            new("down, a tap and a macvlan joined by redirects", lower, [["up", redirect]], ["down", redirect], redirect),
            new("replace, two taps by multi-queue ones", foreign, [["up", one]], ["up", two], two),
            new("change, taps attached to a bridge", bridge, [["up", two]], ["up", bridged], bridged),
            new("change, MTU, isolation, senders and queue length of taps on a bridge", bridge, [["up", bridged]], ["up", set], set),
            new("up, a tap with addresses and routes of the host", foreign, [], ["up", routed], routed),
            new("change, addresses and routes of the host that go from one tap and come to another", foreign, [["up", routed]], ["up", routedOtherwise], routedOtherwise),
            new("replace, two taps by multi-queue ones with another MTU, isolation and queue length", bridge, [["up", setOtherwise]], ["up", set], set),
        ];
    }
}
