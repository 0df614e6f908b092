using System.Text.Json;

namespace Microvm.Tests;

/// <summary>The stand-in's <c>lib</c> against a published one, which is no part of this repository: <c>tests/nixpkgs-lib/fetch.sh</c> fetches
/// it, and <c>MICROVM_TEST_NIXPKGS_LIB</c> may name the <c>lib</c> folder of any nixpkgs.</summary>
public sealed class NixpkgsLibTests
{
    private static readonly string s_cases = Path.Combine(Binary.Root, "tests", "nixpkgs-lib", "compare.nix");

    private static string Published()
    {
        var named = Environment.GetEnvironmentVariable("MICROVM_TEST_NIXPKGS_LIB");
        var lib = string.IsNullOrEmpty(named) ? Path.Combine(Binary.Root, "out", "nixpkgs-lib", "lib") : named;
        if (!File.Exists(Path.Combine(lib, "default.nix")))
        {
            Assert.Skip("no published lib is here: run ./tests/nixpkgs-lib/fetch.sh, or set MICROVM_TEST_NIXPKGS_LIB to the lib folder of a nixpkgs");
        }
        return lib;
    }

    /// <summary>The newest published lib that the nix at hand takes as its nixpkgs; ends the test where there is none.</summary>
    internal static string PublishedForThisNix()
    {
        var old = Binary.Run("nix-instantiate", null, "--version").Out.Contains(" 2.8", StringComparison.Ordinal);
        var folder = Path.Combine(Binary.Root, "out", old ? "nixpkgs-lib-2024" : "nixpkgs-lib");
        Assert.SkipUnless(File.Exists(Path.Combine(folder, "lib", "default.nix")), "no published lib is here: run ./tests/nixpkgs-lib/fetch.sh");
        return folder;
    }

    private static JsonElement Compare(string seed, string ours)
    {
        var outcome = Binary.Run("nix-instantiate", null, "--store", "dummy://", "--eval", "--json", "--strict", "--expr",
            $"import {s_cases} {{ ours = {ours}; published = {Published()}; seed = \"{seed}\"; }}");
        Assert.True(outcome.Code == 0, outcome.Err);
        return JsonDocument.Parse(outcome.Out).RootElement;
    }

    private static string Standalone => $"import {Binary.Root}/nix/standalone";

    private static string[] Named(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetString()!)];

    [Theory]
    [InlineData("1")]
    [InlineData("2")]
    public void Every_function_and_every_type_answers_as_the_published_lib_does_on_generated_inputs(string seed)
    {
        var result = Compare(seed, Standalone);
        Assert.Empty(result.GetProperty("differing").EnumerateArray().Select(d => d.GetRawText()));
        Assert.Empty(result.GetProperty("types").EnumerateArray().Select(d => d.GetRawText()));
        Assert.InRange(result.GetProperty("compared").GetInt32(), 300, int.MaxValue);
    }

    [Fact]
    public void No_function_of_the_published_groups_is_missing_or_forgotten_by_the_comparison()
    {
        var result = Compare("1", Standalone);
        Assert.Empty(Named(result.GetProperty("missing")));
        Assert.Empty(Named(result.GetProperty("forgotten")));
    }

    [Fact]
    public void The_comparison_finds_a_function_and_a_type_that_answer_otherwise()
    {
        var result = Compare("1", $"let lib = {Standalone}; in lib // {{ lists = lib.lists // {{ take = n: lib.take (n + 1); }}; types = lib.types // {{ port = lib.types.int; }}; }}");
        Assert.Contains(result.GetProperty("differing").EnumerateArray(), d => d.GetProperty("function").GetString() == "lists.take");
        Assert.Contains(result.GetProperty("types").EnumerateArray(), d => d.GetProperty("function").GetString()!.StartsWith("types.port takes ", StringComparison.Ordinal));
    }
}
