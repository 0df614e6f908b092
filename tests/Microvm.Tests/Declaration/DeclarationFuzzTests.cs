using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microvm.Declaration;

namespace Microvm.Tests.Declaration;

/// <summary>A hundred thousand damaged declarations, half of them by bytes and half of them still JSON: no crash, no hang, no memory without bounds.</summary>
public sealed class DeclarationFuzzTests
{
    private static readonly string[] s_originals =
    [
        """{"networking":{"hostName":"a"},"microvm":{"vcpu":2,"mem":1024,"hypervisor":"qemu","interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01","bridge":"br0","tap":{"vhost":false}},{"type":"user","id":"u","mac":"02:00:00:00:00:02"}],"forwardPorts":[{"from":"host","proto":"tcp","host":{"address":"127.0.0.1","port":8080},"guest":{"port":80}}]}}""",
        """{"microvm":{"interfaces":[{"type":"macvtap","id":"vm-b1","mac":"02:00:00:00:00:03","macvtap":{"link":"eth0","mode":"bridge"}},{"type":"bridge","id":"vm-b2","mac":"06:00:00:00:00:04","bridge":"br1"}],"kernel":"/boot/vmlinuz","initrdPath":"/boot/initrd","kernelParams":["console=ttyS0","panic=-1"],"qemu":{"machine":"q35"}}}""",
        "// a comment\n{\"microvm\":{\"interfaces\":[],},}",
    ];

    private static readonly string?[] s_words =
        [null, "", "tap", "user", "macvtap", "bridge", "..", "../x", "%d", "a/b", "0123456789abcdef", "ff:ff:ff:ff:ff:ff", "\u001b[31m", "\n", "\u202e", "💥", new('x', 5000), "$(id)", "-rf", "microvm"];

    [Fact]
    public void Damaged_declarations_are_read_or_refused_with_words_that_can_be_printed()
    {
        var count = 100_000;
        var accepted = 0;
        var most = 0L;
        var clock = Stopwatch.StartNew();
        for (var seed = 0; seed < count; seed++)
        {
            var random = new Random(seed);
            var original = s_originals[random.Next(s_originals.Length)];
            var damaged = seed % 2 == 0
                ? Mutation.Of(random, Encoding.UTF8.GetBytes(original), Encoding.UTF8.GetBytes(s_originals[random.Next(s_originals.Length)]))
                : StillJson(random, original);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var from = clock.Elapsed;
            try
            {
                accepted += Read(damaged) ? 1 : 0;
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e}\n{Encoding.UTF8.GetString(damaged)}");
            }
            Assert.True(clock.Elapsed - from < TimeSpan.FromSeconds(5), $"seed {seed} took {clock.Elapsed - from}");
            most = Math.Max(most, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.True(most < 16 * 1024 * 1024, $"seed {seed}: {most} bytes for {damaged.Length}");
        }
        Assert.InRange(accepted, count / 100, count - count / 100);
        Mutation.Note($"declarations: {count:N0} damaged, {accepted:N0} still right, at most {most / 1024} KiB allocated for one, {clock.Elapsed.TotalSeconds:0.0} s");
    }

    [Fact]
    public void Nesting_without_end_and_numbers_without_end_are_refused()
    {
        foreach (var text in (string[])[new string('[', 100_000), "{\"microvm\":" + new string('{', 100_000), $"{{\"microvm\":{{\"vcpu\":{new string('9', 100_000)}}}}}", new string('"', 100_001), string.Concat(Enumerable.Repeat("{\"a\":", 50_000))])
        {
            Assert.False(Read(Encoding.UTF8.GetBytes(text)));
        }
    }

    /// <summary>Whether it is a declaration; what is said of it otherwise has to be fit for a terminal.</summary>
    private static bool Read(byte[] utf8)
    {
        var diagnostics = new DiagnosticBag();
        var node = JsonFrontDoor.Read("vm.json", utf8, diagnostics);
        var vm = node is null ? null : new DeclarationReader(diagnostics).Read(node);
        if (vm is not null)
        {
            FleetRules.Check([vm], diagnostics);
        }
        Assert.True(vm is not null || diagnostics.HasErrors, "refused without a word");
        Assert.All(diagnostics.All, d => Assert.DoesNotContain(d.Message, c => char.IsControl(c) || c is '\u202e'));
        Assert.All(diagnostics.All, d => Assert.InRange(d.Message.Length, 1, 2000));
        return vm is not null && !diagnostics.HasErrors;
    }

    /// <summary>Values replaced, members renamed, doubled and dropped: what a person or a program may get wrong.</summary>
    private static byte[] StillJson(Random random, string original)
    {
        var root = JsonNode.Parse(original, null, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })!;
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            var all = Containers(root).ToList();
            var chosen = all[random.Next(all.Count)];
            switch (chosen)
            {
                case JsonObject o when o.Count > 0:
                    var key = o.ElementAt(random.Next(o.Count)).Key;
                    switch (random.Next(3))
                    {
                        case 0: o.Remove(key); break;
                        case 1: o[s_words[random.Next(1, s_words.Length)]!] = o[key]?.DeepClone(); break;
                        case 2: o[key] = Value(random, o[key]); break;
                    }
                    break;
                case JsonArray a when a.Count > 0:
                    var at = random.Next(a.Count);
                    if (random.Next(2) == 0) { a.Add(a[at]?.DeepClone()); } else { a[at] = Value(random, a[at]); }
                    break;
            }
        }
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static JsonNode? Value(Random random, JsonNode? old) => random.Next(8) switch
    {
        0 => random.NextInt64(long.MinValue, long.MaxValue),
        1 => random.Next(-2, 3),
        2 => random.NextDouble(),
        3 => random.Next(2) == 0,
        4 => new JsonArray(old?.DeepClone()),
        5 => new JsonObject { ["type"] = old?.DeepClone() },
        _ => JsonValue.Create(s_words[random.Next(s_words.Length)]),
    };

    private static IEnumerable<JsonNode> Containers(JsonNode root) => root switch
    {
        JsonObject o => o.Select(p => p.Value).OfType<JsonNode>().SelectMany(Containers).Prepend(root),
        JsonArray a => a.OfType<JsonNode>().SelectMany(Containers).Prepend(root),
        _ => [],
    };
}
