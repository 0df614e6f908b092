using NJsonSchema;

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
        if (Environment.GetEnvironmentVariable("MICROVM_UPDATE") is { Length: > 0 })
        {
            File.WriteAllText(s_published, printed.Out);
        }
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

    [Theory]
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
