using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Tests;

/// <summary>Every option and key that is rendered stands in the hypervisor's published grammar (the files beside this one).</summary>
[Trait("needs", "nothing")]
public sealed class GrammarTests
{
    private static readonly string s_folder = Path.Combine(Binary.Root, "tests", "Microvm.Tests", "Hypervisors");

    private static IEnumerable<string[]> Lines(string file) =>
        File.ReadLines(Path.Combine(s_folder, file)).Where(l => l.Length > 0 && l[0] != '#').Select(l => l.Split(' '));

    /// <summary>All that a hypervisor can do, in one declaration.</summary>
    /// <param name="own">Whether its network is of type user, which elsewhere than on kvmtool can have nothing beside it.</param>
    private static Invocation Everything(string hypervisor, int vcpu, bool own = false, Architecture architecture = Architecture.X64)
    {
        var shares = hypervisor switch
        {
            "firecracker" => "[]",
            "kvmtool" => """[{"tag":"s","source":"/srv","mountPoint":"/s"}]""",
            _ => """[{"tag":"s","source":"/srv","proto":"virtiofs"}]""",
        };
        const string User = """{"type":"user","id":"u","mac":"02:00:00:00:00:01"}""";
        var linux = own || hypervisor == "vfkit" ? User : $$"""
            {{(hypervisor == "kvmtool" ? User + "," : "")}}{"type":"tap","id":"t","mac":"02:00:00:00:00:02"{{(hypervisor is "crosvm" or "stratovirt" ? ",\"tap\":{\"vhost\":true}" : "")}} }
            ,{"type":"macvtap","id":"m","mac":"02:00:00:00:00:03","macvtap":{"link":"eth0","mode":"bridge"} },{"type":"bridge","id":"b","mac":"02:00:00:00:00:04","bridge":"br0"}
            """;
        var more = hypervisor switch
        {
            "cloud-hypervisor" => ""","hotplugMem":512,"hugepageMem":true,"initialBalloonMem":64,"cloud-hypervisor":{"platformOEMStrings":["a"]}""",
            "crosvm" => ""","hugepageMem":true,"crosvm":{"pivotRoot":"/var/empty"}""",
            "firecracker" => ""","hotplugMem":512,"hotpluggedMem":0,"hugepageMem":true,"firecracker":{"cpu":{"kvm_capabilities":[]},"extraConfig":{"machine-config":{"track_dirty_pages":true}}}""",
            "vfkit" => ""","vfkit":{"rosetta":{"enable":true,"install":true}}""",
            _ => "",
        };
        var json = $$"""
            {"microvm":{"hypervisor":"{{hypervisor}}","vcpu":{{vcpu}},"kernel":"/k","initrdPath":"/i","storeDisk":"/store",
             "balloon":{{(hypervisor is "alioth" or "vfkit" ? "false" : "true")}},{{(hypervisor == "vfkit" ? "" : "\"vsock\":{\"cid\":3},")}}
             "volumes":[{"image":"v.img","autoCreate":false,"readOnly":true{{(hypervisor is "cloud-hypervisor" or "crosvm" or "stratovirt" ? ",\"serial\":\"x\",\"direct\":true" : "")}} }],
             "devices":[{{(hypervisor is "cloud-hypervisor" or "crosvm" or "kvmtool" ? "{\"bus\":\"pci\",\"path\":\"0000:01:00.0\"}" : "")}}],
             "shares":{{shares}},"interfaces":[{{linux}}]{{more}} } }
            """;
        var diagnostics = new DiagnosticBag();
        var vm = new DeclarationReader(diagnostics).Read(JsonFrontDoor.Read("vm.json", Encoding.UTF8.GetBytes(json), diagnostics)!);
        if (vm is not null)
        {
            HypervisorTable.Check(vm, diagnostics);
        }
        Assert.True(!diagnostics.HasErrors, string.Join('\n', diagnostics.All));
        return HypervisorTable.Find(hypervisor)!.Render(vm!, HypervisorTable.Attach(vm!, out _), new(Kvm: true, architecture));
    }

    public static TheoryData<string, int> Rendered()
    {
        var data = new TheoryData<string, int>();
        foreach (var name in HypervisorTable.All.Select(h => h.Name).Where(n => n != "qemu"))
        {
            data.Add(name, 1);
            data.Add(name, 4);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Rendered))]
    public void Every_option_and_key_is_in_the_published_grammar(string hypervisor, int vcpu)
    {
        var grammar = Lines("grammar.txt").Where(l => l[0] == hypervisor).ToDictionary(l => l[1], l => (Arity: l[2], Keys: l[3..]));
        Check(hypervisor, Everything(hypervisor, vcpu).Words, grammar);
        Check(hypervisor, Everything(hypervisor, vcpu, own: true).Words, grammar);
        Check(hypervisor, Everything(hypervisor, vcpu, architecture: Architecture.Arm64).Words, grammar);
    }

    private static void Check(string hypervisor, IReadOnlyList<string> words, Dictionary<string, (string Arity, string[] Keys)> grammar)
    {
        var end = hypervisor == "crosvm" ? words.Count - 1 : words.Count;
        for (var i = 1; i < end;)
        {
            Assert.True(grammar.TryGetValue(words[i], out var option), $"{hypervisor} has no option {words[i]}");
            i++;
            for (var n = 0; option.Arity == "+" ? i < end && words[i][0] != '-' : n < int.Parse(option.Arity); n++, i++)
            {
                Assert.True(i < end, $"{hypervisor}: {words[i - 1]} has no value");
                foreach (var (k, part) in Split(words[i]).Index())
                {
                    // '*' alone takes the value as it is; '*' first takes the first part so.
                    Assert.True(option.Keys is ["*"] || (k == 0 && option.Keys[0] == "*") || option.Keys.Contains(part.Split('=')[0]), $"{hypervisor}: no key '{part}' in {words[i]}");
                }
            }
        }
    }

    [Fact]
    public void Firecrackers_configuration_has_the_fields_of_its_API_definition()
    {
        var fields = Lines("firecracker.txt").ToDictionary(l => l[0], l => l[1..]);
        using var config = JsonDocument.Parse(Assert.Single(Everything("firecracker", 2).Files).Content);
        Assert.Equal(fields.Keys.Order(), config.RootElement.EnumerateObject().Select(p => p.Name).Order());
        foreach (var part in config.RootElement.EnumerateObject())
        {
            foreach (var set in part.Value.ValueKind == JsonValueKind.Array ? part.Value.EnumerateArray().ToArray() : [part.Value])
            {
                var names = set.EnumerateObject().Select(p => p.Name).ToList();
                Assert.All(names, n => Assert.Contains(n, fields[part.Name].Select(f => f.TrimEnd('!'))));
                Assert.All(fields[part.Name].Where(f => f.EndsWith('!')), f => Assert.Contains(f.TrimEnd('!'), names));
            }
        }
    }

    // Commas inside brackets or quotes belong to a value.
    private static List<string> Split(string argument)
    {
        var parts = new List<string> { "" };
        var (depth, quoted) = (0, false);
        foreach (var c in argument)
        {
            quoted ^= c == '"';
            depth += c == '[' ? 1 : c == ']' ? -1 : 0;
            if (c == ',' && depth == 0 && !quoted)
            {
                parts.Add("");
            }
            else
            {
                parts[^1] += c;
            }
        }
        return parts;
    }
}
