using System.Text.Json.Nodes;
using Microvm.Declaration;
using JsonSchema = NJsonSchema.JsonSchema;

namespace Microvm.Tests;

/// <summary>The published schema, by a validator that is not ours.</summary>
public sealed class SchemaTests
{
    private static readonly string s_published = Path.Combine(Binary.Root, "schema", "microvm.schema.json");

    [Fact]
    public void The_published_schema_is_what_microvm_schema_prints()
    {
        var printed = Binary.Microvm("schema");
        Assert.Equal(0, printed.Code);
        Assert.Equal(File.ReadAllText(s_published), printed.Out);
    }

    [Fact]
    public async Task Every_example_in_JSON_is_valid_and_passes_check()
    {
        var schema = await JsonSchema.FromFileAsync(s_published, TestContext.Current.CancellationToken);
        var examples = Directory.GetFiles(Path.Combine(Binary.Root, "examples"), "*.json", SearchOption.AllDirectories);
        Assert.NotEmpty(examples);
        foreach (var example in examples)
        {
            var text = await File.ReadAllTextAsync(example, TestContext.Current.CancellationToken);
            Assert.True(schema.Validate(text).Count == 0, $"{example}: {string.Join(", ", schema.Validate(text))}");
            Assert.Equal(0, Binary.Microvm("check", example).Code);
        }
    }

    /// <summary>Every place of the examples, with a value of every other shape in it.</summary>
    [Fact]
    public async Task What_has_the_wrong_shape_is_rejected_by_both()
    {
        var schema = await JsonSchema.FromFileAsync(s_published, TestContext.Current.CancellationToken);
        string[] wrong = ["true", "7.5", "\"\\u0001\"", "{\"nonsense\":1}", "[[[1]]]"];
        var (both, count) = (0, 0);
        foreach (var example in Directory.GetFiles(Path.Combine(Binary.Root, "examples"), "*.json"))
        {
            var text = await File.ReadAllTextAsync(example, TestContext.Current.CancellationToken);
            var places = Places(JsonNode.Parse(text)!).Where(p => !p.StartsWith("$['$schema']", StringComparison.Ordinal) && !p.StartsWith("$.$schema", StringComparison.Ordinal)).ToList();
            foreach (var (n, place) in places.Index())
            {
                foreach (var value in wrong)
                {
                    var root = JsonNode.Parse(text)!;
                    All(root).ElementAt(n).ReplaceWith(JsonNode.Parse(value));
                    var damaged = root.ToJsonString();
                    var bag = new DiagnosticBag();
                    var node = JsonFrontDoor.Read("x.json", System.Text.Encoding.UTF8.GetBytes(damaged), bag);
                    _ = node is null ? null : new DeclarationReader(bag).Read(node);
                    var rejected = schema.Validate(damaged).Count > 0;
                    // The schema never rejects what check accepts, and both see a shape that is wrong.
                    Assert.False(rejected && !bag.HasErrors, $"the schema alone rejects {damaged}");
                    count++;
                    both += rejected && bag.HasErrors ? 1 : 0;
                    // Beside microvm stands what else NixOS has; hostName is the only one that is read.
                    if (value is "[[[1]]]" || (value == wrong[3] && !place.EndsWith("networking", StringComparison.Ordinal)))
                    {
                        Assert.True(rejected && bag.HasErrors, $"rejected by the schema: {rejected}, by check: {bag.HasErrors}: {damaged}");
                    }
                }
            }
        }
        Assert.True(both > count * 3 / 4, $"{both} of {count}");
    }

    private static IEnumerable<JsonNode> All(JsonNode node) => (node switch
    {
        JsonObject o => o.Where(p => p.Key != "$schema" && p.Value is not null).SelectMany(p => All(p.Value!).Prepend(p.Value!)),
        JsonArray a => a.Where(v => v is not null).SelectMany(v => All(v!).Prepend(v!)),
        _ => [],
    }).ToList();

    private static IEnumerable<string> Places(JsonNode root) => All(root).Select(n => n.GetPath());

    [Theory]
    [InlineData("""{"$schema":"https://example.org/microvm.schema.json","microvm":{"interfaces":[]}}""", true)]
    [InlineData("""{"microvm":{"interfaces":[{"type":"tap","id":"a","mac":"02:00:00:00:00:01"}]}}""", true)]
    [InlineData("""{"microvm":{"kernel":null,"socket":null,"qemu":{"machineOpts":{"acpi":"off"}}}}""", true)]
    [InlineData("""{"microvm":{"virtiofsd":{"threadPoolSize":4}}}""", true)]
    [InlineData("""{"microvm":{"vcpu":"2"}}""", false)]
    [InlineData("""{"microvm":{"vcpu":0}}""", false)]
    [InlineData("""{"microvm":{"vcpus":2}}""", false)]
    [InlineData("""{"microvm":{"hypervisor":"vbox"}}""", false)]
    [InlineData("""{"microvm":{"interfaces":[{"type":"tap","id":"a"}]}}""", false)]
    [InlineData("""{"microvm":{"volumes":[{"image":"-x"}]}}""", false)]
    [InlineData("""{}""", false)]
    public async Task The_schema_and_check_agree(string declaration, bool good)
    {
        var schema = await JsonSchema.FromFileAsync(s_published, TestContext.Current.CancellationToken);
        Assert.Equal(good, schema.Validate(declaration).Count == 0);
        Assert.Equal(good ? 0 : 2, Binary.Run(Binary.Path, declaration, "check", "-").Code);
    }
}
