using Microvm.Declaration;

namespace Microvm.Tests;

/// <summary>The committed files that are made from the option table; <c>scripts/generate.sh</c> writes them again.</summary>
public sealed class GeneratedFilesTests
{
    [Theory]
    [InlineData("nix/modules/microvm/options.nix")]
    [InlineData("nix/modules/microvm/table.nix")]
    [InlineData("nix/modules/microvm/networks.nix")]
    [InlineData("schema/microvm.schema.json")]
    public void A_committed_file_is_what_the_option_table_gives_now(string file)
    {
        var text = Path.GetFileName(file) switch
        {
            "options.nix" => NixModule.Options(),
            "table.nix" => NixModule.Table(),
            "networks.nix" => NixModule.Networks(),
            _ => JsonSchema.Text(),
        };
        var path = Path.Combine(Binary.Root, file);
        if (Environment.GetEnvironmentVariable("MICROVM_UPDATE") is { Length: > 0 })
        {
            File.WriteAllText(path, text);
        }
        Assert.Equal(File.ReadAllText(path), text);
    }

    [Fact]
    public void Every_description_is_whole_sentences()
    {
        foreach (var (path, option) in Options(MicrovmOptions.Microvm))
        {
            Assert.True(char.IsUpper(option.Summary[0]) || option.Summary.StartsWith("microvm.nix", StringComparison.Ordinal), path);
            Assert.EndsWith(".", option.Summary, StringComparison.Ordinal);
            Assert.DoesNotContain("|", option.Summary, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_example_is_a_value_that_its_option_takes()
    {
        var evaluated = Binary.Run("nix-instantiate", null, "--store", "dummy://", "--eval", "--json", "--strict", "--expr", $$"""
            let
              lib = import {{Binary.Root}}/nix/standalone;
              pkgs = import {{Binary.Root}}/nix/standalone/packages.nix lib // { linuxPackages_latest.kernel = pkgs.hello; };
              examples = {{Examples(MicrovmOptions.Microvm)}};
              nixos = { freeformType = lib.types.lazyAttrsOf lib.types.anything; _module.args = { inherit pkgs; }; };
              mine = { networking.hostName = "web"; microvm = examples; };
              it = lib.evalModules { modules = [ {{Binary.Root}}/nix/modules/microvm/options.nix nixos mine ]; };
            in builtins.deepSeq (builtins.intersectAttrs examples it.config.microvm) (builtins.attrNames examples)
            """);
        Assert.True(evaluated.Code == 0, evaluated.Err);
        Assert.True(System.Text.Json.JsonDocument.Parse(evaluated.Out).RootElement.GetArrayLength() > 40, evaluated.Out);
    }

    private static string Examples(OptionSet set)
    {
        var shown = set.All.Where(o => o.Nix is not ({ ByHand: true } or { Internal: true }));
        return $"{{ {string.Concat(shown.Select(o => $"{o.Name} = {ExampleOf(o)}; "))}}}";
    }

    private static string ExampleOf(DeclaredOption option) => option.Type switch
    {
        SetType set => Examples(set.Options),
        ListType { Item: SetType item } => $"map (lib.recursiveUpdate {Examples(item.Options)}) {option.Example}",
        AttributesType { Item: SetType item } => $"lib.mapAttrs (_: lib.recursiveUpdate {Examples(item.Options)}) {option.Example}",
        _ => option.Example ?? "true",
    };

    /// <summary>All options, with those in sets and in lists.</summary>
    private static IEnumerable<(string Path, DeclaredOption Option)> Options(OptionSet set) =>
        set.All.SelectMany(o => Inside(o).Prepend(($"{set.Path}.{o.Name}", o)));

    private static IEnumerable<(string Path, DeclaredOption Option)> Inside(DeclaredOption option) => option.Type switch
    {
        SetType set => Options(set.Options),
        ListType { Item: SetType item } => Options(item.Options),
        AttributesType { Item: SetType item } => Options(item.Options),
        _ => [],
    };
}
