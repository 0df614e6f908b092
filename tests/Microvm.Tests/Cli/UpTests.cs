using System.Text.Json;

namespace Microvm.Tests;

/// <summary>The real binary against the real kernel, in namespaces of their own.</summary>
public sealed class UpTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();
    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Vm(string name, int vcpu, string bridge, params string[] ids)
    {
        var taps = ids.Select(id => $$"""{"type":"tap","id":"{{id}}","mac":"02:00:00:{{Mac(name + id)}}"{{(bridge.Length > 0 ? $",\"bridge\":\"{bridge}\"" : "")}}}""");
        return _folder.File($"{name}.json", $$"""{"networking":{"hostName":"{{name}}"},"microvm":{"vcpu":{{vcpu}},"interfaces":[{{string.Join(',', taps)}}] } }""");
    }

    private static string Mac(string text)
    {
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text));
        return $"{hash[0]:x2}:{hash[1]:x2}:{hash[2]:x2}";
    }

    private Binary.Outcome Run(string command, params string[] rest) => Binary.Microvm([command, "--netns", _ns.Name, .. rest]);

    private JsonElement Link(string name) => JsonDocument.Parse(_ns.Ip("-d", "-j", "link", "show", name)).RootElement[0];

    [Fact]
    public void The_alias_in_the_kernel_is_of_the_key_in_vms_whatever_the_guest_calls_itself()
    {
        var host = _folder.File("host.nix", """
            { microvm.vms.web.config = { networking.hostName = "frontend"; microvm.interfaces = [ { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; } ]; }; }
            """);
        Assert.Equal(0, Run("up", host).Code);
        Assert.Equal("microvm:web/vm-web", Link("vm-web").GetProperty("ifalias").GetString());
        Assert.Equal(0, Run("down", host).Code);
        Assert.NotEqual(0, Binary.Run("ip", null, "-n", _ns.Name, "link", "show", "vm-web").Code);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public void Up_makes_what_was_declared(int vcpu, bool multiQueue)
    {
        _ns.Ip("link", "add", "br0", "type", "bridge");
        var outcome = Run("up", Vm("a", vcpu, "br0", "vm-a1"), "--user", "1234", "--group", "4321");
        Assert.True(outcome.Code == 0, outcome.Err);
        var link = Link("vm-a1");
        var data = link.GetProperty("linkinfo").GetProperty("info_data");
        Assert.Equal("tap", data.GetProperty("type").GetString());
        Assert.True(data.GetProperty("vnet_hdr").GetBoolean());
        Assert.True(data.GetProperty("persist").GetBoolean());
        Assert.Equal(multiQueue, data.GetProperty("multi_queue").GetBoolean());
        Assert.Equal(1234, int.Parse(data.GetProperty("user").ToString()));
        Assert.Equal(4321, int.Parse(data.GetProperty("group").ToString()));
        Assert.Equal("microvm:a/vm-a1", link.GetProperty("ifalias").GetString());
        Assert.Equal("noqueue", link.GetProperty("qdisc").GetString());
        Assert.Equal("br0", link.GetProperty("master").GetString());
        Assert.Contains("UP", link.GetProperty("flags").EnumerateArray().Select(f => f.GetString()));
    }

    [Fact]
    public void Up_twice_changes_nothing()
    {
        var file = Vm("a", 2, "", "vm-a1", "vm-a2");
        Assert.Equal(0, Run("up", file).Code);
        var before = _ns.Links();
        var again = Run("up", file);
        Assert.Equal(0, again.Code);
        Assert.Contains("nothing to do", again.Out);
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void Down_leaves_nothing_and_may_be_repeated()
    {
        var before = _ns.Links();
        var file = Vm("a", 1, "", "vm-a1", "vm-a2");
        Assert.Equal(0, Run("up", file).Code);
        Assert.NotEqual(before, _ns.Links());
        Assert.Equal(0, Run("down", file).Code);
        Assert.Equal(before, _ns.Links());
        Assert.Equal(0, Run("down", file).Code);
    }

    /// <summary>A script tells refusals apart without reading the sentences.</summary>
    [Theory]
    [InlineData("foreign", "link add vm-a1 type veth peer name far")]
    [InlineData("bridge-missing", null)]
    [InlineData("bridge-unfit", "link add br0 type veth peer name far")]
    public void A_refusal_has_a_kind_in_json(string kind, string? before)
    {
        if (before is not null)
        {
            _ns.Ip(before.Split(' '));
        }
        var outcome = Run("plan", "--json", Vm("a", 1, kind == "foreign" ? "" : "br0", "vm-a1"));
        Assert.Equal(1, outcome.Code);
        var root = JsonDocument.Parse(outcome.Out).RootElement;
        var refused = Assert.Single(root.GetProperty("refused").EnumerateArray());
        Assert.Equal((kind, "a", "vm-a1"), (refused.GetProperty("kind").GetString(), refused.GetProperty("vm").GetString(), refused.GetProperty("link").GetString()));
        Assert.Equal(root.GetProperty("refusals")[0].GetString(), refused.GetProperty("text").GetString());
    }

    [Fact]
    public void Plan_shows_and_changes_nothing()
    {
        var before = _ns.Links();
        var outcome = Run("plan", Vm("a", 1, "", "vm-a1"), "--json");
        Assert.Equal(0, outcome.Code);
        Assert.Equal("create", JsonDocument.Parse(outcome.Out).RootElement.GetProperty("steps")[0].GetProperty("action").GetString());
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void A_foreign_link_is_never_touched()
    {
        _ns.Ip("tuntap", "add", "vm-a2", "mode", "tap");
        var before = _ns.Links();
        var file = Vm("a", 1, "", "vm-a1", "vm-a2");
        var outcome = Run("up", file);
        Assert.Equal(1, outcome.Code);
        Assert.Contains("not created by microvm", outcome.Err);
        Assert.Equal(before, _ns.Links());
        Assert.Equal(0, Run("down", file).Code);
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void A_missing_bridge_is_a_clear_error_and_nothing_is_made()
    {
        var before = _ns.Links();
        var outcome = Run("up", Vm("a", 1, "br9", "vm-a1"));
        Assert.Equal(1, outcome.Code);
        Assert.Contains("the bridge 'br9', which is not there", outcome.Err);
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void A_refusal_by_the_kernel_undoes_all()
    {
        // Mode passthru gives the guest's MAC to the lower device, and an ifb takes none: nothing but the attempt tells.
        _ns.Ip("link", "add", "ifb0", "type", "ifb");
        Assert.Equal(0, Run("up", Vm("a", 1, "", "a0")).Code);
        var before = _ns.Links();
        var outcome = Run("up", _folder.File("b.json", """
            {"networking":{"hostName":"b"},"microvm":{"interfaces":[{"type":"tap","id":"b0","mac":"02:00:00:00:01:00"},{"type":"tap","id":"b1","mac":"02:00:00:00:01:01"},
              {"type":"macvtap","id":"b2","mac":"02:00:00:00:01:02","macvtap":{"link":"ifb0","mode":"passthru"} }] } }
            """));
        Assert.Equal(1, outcome.Code);
        Assert.Contains("'b2': Operation not supported", outcome.Err);
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void A_bridge_that_would_have_too_many_ports_is_told_before_anything_is_made()
    {
        // A bridge takes 1,023 ports (BR_MAX_PORTS).
        _ns.Ip("link", "add", "br0", "type", "bridge");
        Assert.Equal(0, Run("up", Vm("a", 1, "br0", [.. Enumerable.Range(0, 1020).Select(i => $"a{i}")])).Code);
        var before = _ns.Links();
        Assert.Equal(0, Run("plan", Vm("b", 1, "br0", "b0", "b1", "b2")).Code);
        var file = Vm("b", 1, "br0", "b0", "b1", "b2", "b3", "b4");
        var plan = Run("plan", file);
        Assert.Equal(1, plan.Code);
        Assert.Contains("'b3' needs the bridge 'br0', which would have more than the 1023 ports that the kernel allows", plan.Err);
        Assert.Equal(1, Run("up", file).Code);
        Assert.Equal(before, _ns.Links());
        // And the kernel: three more it takes.
        foreach (var n in Enumerable.Range(0, 4))
        {
            _ns.Ip("tuntap", "add", $"x{n}", "mode", "tap");
            var attached = Binary.Run("ip", null, "-n", _ns.Name, "link", "set", $"x{n}", "master", "br0");
            Assert.True(n < 3 ? attached.Code == 0 : attached.Err.Contains("Exchange full", StringComparison.Ordinal), attached.Err);
        }
    }

    [Fact]
    public void Drift_is_told_and_mended_in_place()
    {
        var file = Vm("a", 1, "", "vm-a1");
        Assert.Equal(0, Run("up", file).Code);
        var index = Link("vm-a1").GetProperty("ifindex").GetInt32();
        _ns.Ip("link", "set", "vm-a1", "down");
        Assert.Contains("\"down\"", Run("status", file, "--json").Out);
        Assert.Equal(0, Run("up", file).Code);
        Assert.Contains("\"up\"", Run("status", file, "--json").Out);
        Assert.Equal(index, Link("vm-a1").GetProperty("ifindex").GetInt32());
    }

    [Fact]
    public void More_vcpus_replace_the_tap_with_a_multi_queue_one()
    {
        Assert.Equal(0, Run("up", Vm("a", 1, "", "vm-a1")).Code);
        var outcome = Run("up", Vm("a", 2, "", "vm-a1"));
        Assert.Equal(0, outcome.Code);
        Assert.Contains("it lacks multi_queue", outcome.Out);
        Assert.True(Link("vm-a1").GetProperty("linkinfo").GetProperty("info_data").GetProperty("multi_queue").GetBoolean());
    }

    [Fact]
    public void A_tap_that_is_to_have_one_queue_pair_is_said_so_and_not_by_the_number_of_vCPUs()
    {
        string Declared(string hypervisor) => _folder.File($"{hypervisor}.json",
            $$"""{"networking":{"hostName":"a"},"microvm":{"hypervisor":"{{hypervisor}}","vcpu":4,"interfaces":[{{NetworkHost.Tap("vm-a1")}}] } }""");
        Assert.Equal(0, Run("up", Declared("cloud-hypervisor")).Code);
        foreach (var command in (string[])["plan", "up"])
        {
            var told = Run(command, Declared("firecracker")).Out;
            Assert.Contains("it is multi_queue and the VM has one queue pair", told);
            Assert.DoesNotContain("one vCPU", told);
        }
        Assert.False(Link("vm-a1").GetProperty("linkinfo").GetProperty("info_data").GetProperty("multi_queue").GetBoolean());
    }

    [Fact]
    public void A_fleet_file_is_checked_planned_made_told_and_taken_down_as_one()
    {
        var fleet = _folder.File("fleet.json", """
            {"microvm":{"vms":{
              "a":{"config":{"microvm":{"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}] } } },
              "b":{"config":{"microvm":{"interfaces":[{"type":"tap","id":"vm-b1","mac":"02:00:00:00:00:02"}] } } } } } }
            """);
        var before = _ns.Links();
        Assert.Contains("2 VMs, 2 interfaces", Binary.Microvm("check", fleet).Out);
        Assert.Contains("2 create", Run("plan", fleet).Out);
        Assert.Equal(0, Run("up", fleet).Code);
        Assert.Equal("microvm:b/vm-b1", Link("vm-b1").GetProperty("ifalias").GetString());
        Assert.Equal(["up", "up"], JsonDocument.Parse(Run("status", "--json", fleet).Out).RootElement.EnumerateArray().Select(i => i.GetProperty("state").GetString()));
        Assert.Equal(0, Run("down", fleet).Code);
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void Wrong_usage_has_exit_code_2()
    {
        Assert.Equal(2, Binary.Microvm("up").Code);
        Assert.Equal(2, Binary.Microvm("fly").Code);
        Assert.Equal(2, Binary.Microvm("up", Vm("a", 1, "", "vm-a1"), "--netns", "../x").Code);
        Assert.Equal(2, Run("up", Vm("a", 1, "", "vm-a1"), "--user", "no-such-user").Code);
        Assert.Equal(0, Binary.Microvm("--help").Code);
    }
}
