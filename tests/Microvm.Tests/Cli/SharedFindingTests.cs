namespace Microvm.Tests;

/// <summary>What many VMs of a file have in common is told once, and where.</summary>
public sealed class SharedFindingTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Fleet(int count) => _folder.File("fleet.json", "{\"microvm\":{\"vms\":{\n" + string.Join(",\n", Enumerable.Range(1, count).Select(n => $$"""
        "vm{{n}}":{"config":{"microvm":{"hypervisor":"firecracker","vcpu":4,"volumes":[{"image":"d.img","mountPoint":"/d","size":1,"serial":"x"}],"interfaces":[{"type":"tap","id":"vm-{{n}}","mac":"02:00:00:00:00:{{n:x2}}"}]} } }
        """)) + "\n}}}");

    [Fact]
    public void A_warning_of_a_whole_fleet_is_one_line_with_the_count_and_the_lines_and_of_a_few_VMs_it_is_a_line_each()
    {
        var many = Binary.Microvm("check", Fleet(12));
        Assert.Contains("fleet.json:2:", Assert.Single(many.Out.Split('\n'), l => l.Contains("warning:", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("Firecracker shows no serial number to the guest (12 times: also at lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)\n", many.Out, StringComparison.Ordinal);
        Assert.Equal(3, Binary.Microvm("check", Fleet(3)).Out.Split('\n').Count(l => l.EndsWith("warning: Firecracker shows no serial number to the guest", StringComparison.Ordinal)));
        Assert.Contains("(40 times: also at lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22 and 19 more)", Binary.Microvm("check", Fleet(40)).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Commands_that_look_point_to_check_for_warnings_and_plan_tells_one_reason_once()
    {
        var file = Fleet(12);
        foreach (var look in (string[])["status", "topology", "metrics", "down"])
        {
            Assert.Equal($"microvm: note: there are 12 warnings about the declaration; see them with: microvm check {file}\n", Binary.Microvm(look, "--netns", _ns.Name, file).Err);
        }
        var plan = Binary.Microvm("plan", "--netns", _ns.Name, file).Err;
        Assert.Contains("microvm: note: 'vm-1' of 'vm1' and those of 11 more VMs get one queue pair for 4 vCPUs: firecracker has one, since", plan, StringComparison.Ordinal);
        Assert.Single(plan.Split('\n'), l => l.Contains("queue pair", StringComparison.Ordinal));
    }
}
