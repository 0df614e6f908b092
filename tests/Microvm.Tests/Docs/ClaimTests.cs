using System.Text.RegularExpressions;

namespace Microvm.Tests;

/// <summary>Claims of the handbook about the code, held against it.</summary>
public sealed class ClaimTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    private static IEnumerable<(string Name, string Text)> Sources() => Directory.EnumerateFiles(Path.Combine(Binary.Root, "src"), "*.cs", SearchOption.AllDirectories)
        .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal)).Select(f => (Path.GetFileName(f), File.ReadAllText(f)));

    private static string Page(string name) => Regex.Replace(File.ReadAllText(Path.Combine(Binary.Root, "docs", name)), @"\s+", " ");

    [Fact]
    public void Programs_are_started_through_SearchPath_alone()
    {
        Assert.Contains("Programs are started through `SearchPath.Start` alone", Page("architecture.md"));
        Assert.Equal(["SearchPath.cs"], Sources().Where(s => Regex.IsMatch(s.Text, @"\bProcess\.Start\(")).Select(s => s.Name));
    }

    [Fact]
    public void One_place_decides_how_many_queue_pairs_an_interface_has()
    {
        Assert.Contains("`HypervisorTable.QueuePairs` is the one place that decides the queue mode", Page("architecture.md"));
        // What a hypervisor can do at most is asked there, and where 'explain' tells of it in general.
        Assert.Equal(["HypervisorTable.cs", "Words.cs"], Sources().Where(s => s.Text.Contains(".MaxQueuePairs(", StringComparison.Ordinal)).Select(s => s.Name).Order());
        Assert.DoesNotContain(Sources(), s => Regex.IsMatch(s.Text, @"Vcpu > 1.*multi_queue"));
    }

    /// <summary>CONTRIBUTING.md: what <c>./test.sh --unit</c> runs needs neither root nor other programs, not even the native binary.</summary>
    [Fact]
    public void What_is_marked_as_needing_nothing_starts_nothing()
    {
        Assert.Contains("--filter-trait needs=nothing", File.ReadAllText(Path.Combine(Binary.Root, "test.sh")));
        var marked = Directory.EnumerateFiles(Path.Combine(Binary.Root, "tests/Microvm.Tests"), "*Tests.cs", SearchOption.AllDirectories)
            .Select(f => (Name: Path.GetFileName(f), Text: File.ReadAllText(f))).Where(f => Regex.IsMatch(f.Text, """(?m)^\[Trait\("needs", "nothing"\)\]""")).ToList();
        Assert.True(marked.Count >= 9);
        Assert.All(marked, f => Assert.False(Regex.IsMatch(f.Text, @"\bBinary\.(Microvm|Run|Path)\b|\bProcess\.Start|new (Namespace|NetworkHost|IllHost)\("), f.Name));
    }

    /// <summary>docs/reliability.md and docs/architecture.md: marked, then made to persist, then brought up.</summary>
    [Fact]
    public void A_tap_is_marked_then_persists_then_comes_up()
    {
        Assert.Contains("It is marked, given its qdisc and attached; only then is it made to persist, and it is brought up last of all", Page("reliability.md"));
        var file = _host.Declare("web", 1, NetworkHost.Tap("vm-a1"));
        var outcome = Binary.Run("strace", null, "-f", "-s", "256", "-e", "trace=ioctl,sendto,sendmsg", Binary.Path, "up", "--netns", _host.Net.Name, file);
        Assert.True(outcome.Code == 0, outcome.Err);
        // strace of Debian 12 knows neither the family nor its attributes, and prints bytes.
        var alias = string.Concat("microvm:web/vm-a1".Select(c => $"\\x{(int)c:x2}"));
        const string FlagsAndChange = @"\x01\x00\x00\x00\x01\x00\x00\x00";
        int At(params string[] words) => words.Select(w => outcome.Err.IndexOf(w, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(-1).Min() is >= 0 and var at ? at
            : throw new InvalidOperationException($"no {words[0]} in {outcome.Err}");
        Assert.True(At("TUNSETIFF") < At("IFLA_IFALIAS", alias));
        Assert.True(At("IFLA_IFALIAS", alias) < At("TUNSETPERSIST"));
        Assert.True(At("TUNSETPERSIST") < At("ifi_flags=IFF_UP", FlagsAndChange));
    }
}
