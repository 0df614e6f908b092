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
        Assert.True(File.Exists(file), "nix/lib/mac.nix is not there");
        string[] names = ["a", "b", "web/vm-a1", "ü", "with space", ""];
        foreach (var name in names)
        {
            var nix = Binary.Run("nix-instantiate", null, "--store", "dummy://", "--eval", "--json", "--strict", "--expr", $"import {file} \"{name}\"");
            Assert.True(nix.Code == 0, nix.Err);
            Assert.Equal(MacFromName.Of(name).ToString(), JsonSerializer.Deserialize<string>(nix.Out));
        }
    }
}
