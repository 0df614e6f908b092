using System.Text;
using BenchmarkDotNet.Attributes;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Micro;

/// <summary>The pure parts at ten thousand taps: reading the declaration, and planning against a host that has none or all of them.</summary>
[MemoryDiagnoser]
public class Planning
{
    private const int Links = 10_000;
    private byte[] _json = [];
    private List<DesiredLink> _wanted = [];
    private HostState _right = HostState.Of([]);

    /// <summary>The declaration, and the host as it is once it was applied.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        var text = new StringBuilder("""{"networking":{"hostName":"bench"},"microvm":{"vcpu":2,"interfaces":[""");
        for (var i = 0; i < Links; i++)
        {
            text.Append(i == 0 ? "" : ",").Append($$"""{"type":"tap","id":"l{{i}}","mac":"02:00:00:01:{{i >> 8:x2}}:{{i & 0xff:x2}}"}""");
        }
        _json = Encoding.UTF8.GetBytes(text.Append("]}}").ToString());
        _wanted = [.. Enumerable.Range(0, Links).Select(i => new DesiredLink(LinkKind.Tap, "bench", $"l{i}", $"l{i}", 1000, null) { Alias = Ownership.Alias("bench", $"l{i}"), MultiQueue = true })];
        var group = Plan.ForUp(_wanted, HostState.Of([])).Steps[0].LinkGroup;
        _right = HostState.Of([.. _wanted.Select((w, i) => new Link(i + 10, w.Name, true, "tun", w.Alias, group, null, 1500, null, new(true, true, true, true, 1000, null, 0)) { Qdisc = "noqueue" })]);
        if (Plan.ForUp(_wanted, _right).HasChanges)
        {
            throw new InvalidOperationException("the host that was made up is not as wanted");
        }
    }

    /// <summary>JSON to nodes with positions, before any rule.</summary>
    [Benchmark]
    public Node? ReadJson() => JsonFrontDoor.Read("bench.json", _json, new DiagnosticBag());

    /// <summary>Nothing is there.</summary>
    [Benchmark]
    public Plan PlanAllMissing() => Plan.ForUp(_wanted, HostState.Of([]));

    /// <summary>All is right.</summary>
    [Benchmark]
    public Plan PlanAllRight() => Plan.ForUp(_wanted, _right);
}
