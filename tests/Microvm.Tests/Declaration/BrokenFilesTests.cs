using System.Text.Json.Nodes;

namespace Microvm.Tests;

/// <summary>A few hundred broken declarations given to <c>up</c>: each gets a diagnostic and exit code 2, and no link changes.</summary>
public sealed class BrokenFilesTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private const string Whole = """
        {"networking":{"hostName":"a"},"microvm":{"hypervisor":"qemu","vcpu":2,"mem":512,"balloon":true,"kernel":"/k","kernelParams":["x"],"socket":"s","vsock":{"cid":7},
        "machineId":"a67472e5-570e-5c8a-b18c-ae3c77701050","credentialFiles":{"k":"/x"},"binScripts":{"tap-up":"true"},"qemu":{"machine":"q35","extraArgs":["-S"]},
        "interfaces":[{"type":"tap","id":"t","mac":"02:00:00:00:00:01","bridge":"br0","tap":{"vhost":false}},{"type":"macvtap","id":"m","mac":"02:00:00:00:00:02","macvtap":{"link":"eth0","mode":"bridge"}},{"type":"user","id":"u","mac":"02:00:00:00:00:03"}],
        "forwardPorts":[{"from":"host","proto":"tcp","host":{"address":"127.0.0.1","port":8080},"guest":{"port":80}}],
        "volumes":[{"image":"v.img","size":10,"readOnly":false}],"shares":[{"tag":"s","source":"/srv","proto":"virtiofs"}],"devices":[{"bus":"pci","path":"0000:01:00.0"}]}}
        """;

    private static readonly string[] s_hostileNames =
        ["", ".", "..", "a/b", "a:b", "a b", "tap%d", "way-too-long-for-linux", "a\n", "\u001b[2J", "\u0000", "\u00a0", "$(reboot)\n", "a\t"];

    [Fact]
    public void Each_broken_file_is_told_and_nothing_changes()
    {
        Assert.Equal(0, Binary.Run(Binary.Path, Whole, "check", "-").Code);
        var before = _ns.Links();
        var files = new List<string>();
        var n = 0;
        void Add(string text, string ending = "json") => files.Add(_folder.File($"{n++}.{ending}", text));

        for (var length = 0; length < Whole.Length - 1; length += 12)
        {
            Add(Whole[..length]);
        }
        foreach (var wrong in WrongTypes())
        {
            Add(wrong);
        }
        foreach (var name in s_hostileNames)
        {
            Add(new JsonObject { ["microvm"] = new JsonObject { ["interfaces"] = new JsonArray(new JsonObject { ["type"] = "tap", ["id"] = name, ["mac"] = "02:00:00:00:00:01" }) } }.ToJsonString());
            if (name != "way-too-long-for-linux")
            {
                Add(new JsonObject { ["networking"] = new JsonObject { ["hostName"] = name }, ["microvm"] = new JsonObject() }.ToJsonString());
            }
        }
        Add(new string('[', 10_000_000));
        Add(string.Concat(Enumerable.Repeat("{\"microvm\":", 5000)));
        Add("{\"microvm\":{\"interfaces\":[{\"type\":\"tap\",\"id\":\"\\ud800\",\"mac\":\"02:00:00:00:00:01\"}]}}");
        Add("let f = n: 1 + f (n + 1); in { microvm.vcpu = f 1; }", "nix");
        Add("let x = x; in x", "nix");
        Add("{ microvm = ", "nix");
        Add("{ microvm.interfaces = [ (throw \"no\") ]; }", "nix");
        Assert.True(files.Count > 200, $"{files.Count} files");

        var wrongly = new List<string>();
        foreach (var file in files)
        {
            var outcome = Binary.Microvm("up", "--netns", _ns.Name, file);
            if (outcome.Code != 2 || !outcome.Err.Contains("error") || (outcome.Out + outcome.Err).Contains("   at ") || outcome.Err.Contains('\u001b'))
            {
                wrongly.Add($"{outcome.Code}: {File.ReadAllText(file)[..Math.Min(300, (int)new FileInfo(file).Length)]}: {outcome.Err}");
            }
        }
        Assert.True(wrongly.Count == 0, string.Join("\n\n", wrongly));
        Assert.Equal(before, _ns.Links());
    }

    /// <summary>The whole declaration with one value at a time of another kind.</summary>
    private static IEnumerable<string> WrongTypes()
    {
        var places = Places(JsonNode.Parse(Whole)!["microvm"]!, []).ToList();
        foreach (var place in places)
        {
            foreach (var wrong in (string[])["[[]]", "{\"\":{}}", "-1.5"])
            {
                var root = JsonNode.Parse(Whole)!;
                var at = root["microvm"]!;
                foreach (var step in place[..^1])
                {
                    at = step is int i ? at[i]! : at[(string)step]!;
                }
                if (place[^1] is int index)
                {
                    at[index] = JsonNode.Parse(wrong);
                }
                else
                {
                    at[(string)place[^1]] = JsonNode.Parse(wrong);
                }
                yield return root.ToJsonString();
            }
        }
    }

    private static IEnumerable<object[]> Places(JsonNode node, object[] path) => node switch
    {
        JsonObject set => set.SelectMany(p => (IEnumerable<object[]>)[[.. path, p.Key], .. Places(p.Value!, [.. path, p.Key])]),
        JsonArray list => list.Index().SelectMany(p => (IEnumerable<object[]>)[[.. path, p.Index], .. Places(p.Item!, [.. path, p.Index])]),
        _ => [],
    };
}
