using System.Text.Json;
using CsCheck;
using Microvm.Declaration;

namespace Microvm.Tests;

public sealed class MacTests
{
    [Fact]
    public void A_name_gives_the_same_mac_on_every_run_and_another_name_another() =>
        Assert.Equal("0a:73:45:30:d7:b1  a\n82:8e:2f:d7:47:83  b\n", Binary.Microvm("mac", "a", "b").Out);

    [Fact]
    public void One_name_prints_the_mac_alone() => Assert.Equal("0a:73:45:30:d7:b1\n", Binary.Microvm("mac", "a").Out);

    [Fact]
    public void Json_is_an_object_by_name()
    {
        var json = JsonDocument.Parse(Binary.Microvm("mac", "--json", "a", "ü", "a").Out).RootElement;
        Assert.Equal("0a:73:45:30:d7:b1", json.GetProperty("a").GetString());
        Assert.Equal(2, json.EnumerateObject().Count());
    }

    [Fact]
    public void Every_mac_of_a_name_is_one_that_check_accepts_without_a_warning() => Gen.String.Sample(name =>
    {
        var mac = MacFromName.Of(name);
        Assert.True(mac.IsLocallyAdministered);
        Assert.True(MacAddress.TryParse(mac.ToString(), out var again, out _));
        Assert.Equal(mac, again);
    });

    [Fact]
    public void Nix_gives_the_same_macs()
    {
        var file = Path.Combine(Binary.Root, "nix", "lib", "mac.nix");
        // No NUL, which no string of Nix can hold, and no half of a surrogate pair, which is no text.
        Gen.String[Gen.OneOf(Gen.Char[' ', '~'], Gen.Char['\u00a1', '\ud7ff'], Gen.Char['\u0001', '\u001f']), 0, 40].Array[300].Sample(some =>
        {
            string[] names = ["a", "b", "web/vm-a1", "ü", "with space", "", "🦀", "${x}", "\"\\", .. some];
            var list = string.Join(' ', names.Select(n => $"\"{n.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("${", "\\${").Replace("\r", "\\r")}\""));
            var nix = Binary.Run("nix-instantiate", $"map (import {file}) [ {list} ]", "--store", "dummy://", "--eval", "--json", "--strict", "-");
            Assert.True(nix.Code == 0, nix.Err);
            Assert.Equal(names.Select(n => MacFromName.Of(n).ToString()), JsonSerializer.Deserialize<string[]>(nix.Out));
            // And the command as the library.
            string[] plain = [.. names.Where(n => n.Length > 0 && !n.StartsWith('-') && !n.StartsWith('@')).Distinct().Take(40)];
            var printed = JsonDocument.Parse(Binary.Microvm(["mac", "--json", .. plain]).Out).RootElement;
            Assert.Equal(plain.Select(n => MacFromName.Of(n).ToString()), plain.Select(n => printed.GetProperty(n).GetString()));
        }, iter: 2, threads: 1);
    }
}
