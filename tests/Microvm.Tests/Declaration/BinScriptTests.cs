using Microvm.Declaration;

namespace Microvm.Tests;

[Trait("needs", "nothing")]
public sealed class BinScriptTests
{
    private static BinScript Read(string json, out DiagnosticBag diagnostics)
    {
        diagnostics = new DiagnosticBag();
        var node = JsonFrontDoor.Read("t", System.Text.Encoding.UTF8.GetBytes($$"""{"tap-up":{{json}}}"""), diagnostics);
        return BinScript.ReadAll(node, diagnostics).SingleOrDefault() ?? new("none", []);
    }

    [Theory]
    [InlineData("\"after\"", "own\nafter\n")]
    [InlineData("""[{"order":500,"text":"before"},{"order":1500,"text":"after\n"}]""", "before\nown\nafter\n")]
    [InlineData("""["second",{"order":1500,"text":"third"},{"order":500,"text":"first"}]""", "first\nown\nsecond\nthird\n")]
    [InlineData("""{"replaces":true,"parts":["alone"]}""", "alone\n")]
    public void A_script_stands_around_our_own_part_by_order(string json, string whole)
    {
        Assert.Equal(whole, Read(json, out var diagnostics).Around("own\n"));
        Assert.Empty(diagnostics.All);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("[null]")]
    [InlineData("""[{"order":-1,"text":"x"}]""")]
    [InlineData("""[{"order":500}]""")]
    public void Anything_else_is_an_error_at_its_place(string json)
    {
        Read(json, out var diagnostics);
        Assert.Contains("t:1:", Assert.Single(diagnostics.All).ToString());
    }
}
