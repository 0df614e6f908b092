using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Tests;

public sealed class ExplainTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("user", "10.0.2.15")]
    [InlineData("tap", "CAP_NET_ADMIN")]
    [InlineData("macvtap", "its own MAC address")]
    [InlineData("bridge", "bridge.conf")]
    public void A_type_is_told_with_when_to_choose_it_and_who_takes_it(string type, string says)
    {
        var text = Binary.Microvm("explain", type).Out;
        Assert.Contains($"type \"{type}\"", text);
        Assert.Contains("Use it if:", text);
        Assert.Contains(says, text.ReplaceLineEndings(" ").Replace("     ", " "));
        Assert.All(HypervisorTable.All, h => Assert.Contains($"  {h.Name}: ", text));
    }

    [Fact]
    public void Which_hypervisor_takes_what_comes_from_the_hypervisors_themselves()
    {
        foreach (var hypervisor in HypervisorTable.All)
        {
            var text = Binary.Microvm("explain", hypervisor.Name).Out;
            foreach (var type in Enum.GetValues<InterfaceType>())
            {
                Assert.Contains($"  {type.ToString().ToLowerInvariant()}: {(hypervisor.Accepts(type).Count == 0 ? "not" : "")}", text);
            }
        }
    }

    /// <summary>The page is held to the same table by <see cref="NetworkTableTests"/>.</summary>
    [Fact]
    public void Explain_and_doctor_say_the_same_of_a_hypervisor_as_the_page_does()
    {
        static string Plain(string text) => string.Join(' ', text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        var page = Plain(File.ReadAllText(Path.Combine(Binary.Root, "docs", "hypervisors.md")));
        foreach (var hypervisor in HypervisorTable.All)
        {
            var facts = hypervisor.Facts;
            var explained = Plain(Binary.Microvm("explain", hypervisor.Name).Out);
            Assert.All(facts.Sentences(), s => Assert.Contains($"{s.Title}: {Plain(s.Text)}.", explained, StringComparison.Ordinal));
            Assert.All(facts.Sentences(), s => Assert.Contains($"**{s.Title}**: {Plain(s.Text)}.", page, StringComparison.Ordinal));
            var file = _folder.File("vm.json", $$"""{"networking":{"hostName":"d"},"microvm":{"hypervisor":"{{hypervisor.Name}}"} }""");
            var doctor = Plain(Binary.Microvm("doctor", "--all", file).Out);
            Assert.Contains($"{hypervisor.Name} ran as {facts.Ran}; it boots {facts.Kernels}", doctor, StringComparison.Ordinal);
            Assert.Contains($"{hypervisor.Name}, when it is stopped: {facts.StopText}", doctor, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_table_without_arguments_has_every_hypervisor()
    {
        var lines = Binary.Microvm("explain").Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(HypervisorTable.All.Select(h => h.Name).Prepend("HYPERVISOR"), lines.Select(l => l.Split(' ')[0]));
    }

    [Fact]
    public void A_file_is_told_in_words_with_the_bytes_way()
    {
        var file = _folder.File("vm.json", """{"networking":{"hostName":"web"},"microvm":{"vcpu":2,"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01","bridge":"br0"}]}}""");
        var outcome = Binary.Microvm("explain", file);
        Assert.Equal(0, outcome.Code);
        var text = string.Join(' ', outcome.Out.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("makes the tap vm-a1 with multi_queue, attaches it to the bridge br0", text);
        Assert.Contains("guest's virtio-net -> qemu -> tap vm-a1 -> bridge br0", text);
        Assert.Contains("2 queue pairs", text);
    }

    [Fact]
    public void A_word_that_is_nothing_gets_the_nearest_that_is_something()
    {
        var outcome = Binary.Microvm("explain", "macvtab");
        Assert.Equal(2, outcome.Code);
        Assert.Contains("did you mean 'macvtap'?", outcome.Err);
    }
}
