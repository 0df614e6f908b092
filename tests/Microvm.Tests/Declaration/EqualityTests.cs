using System.Text;
using Microvm.Declaration;

namespace Microvm.Tests;

/// <summary>Declarations are values: two that say the same at the same places are equal, and any difference is one.</summary>
[Trait("needs", "nothing")]
public sealed class EqualityTests
{
    private const string Whole = """
        {
          "networking": { "hostName": "web" },
          "microvm": {
            "hypervisor": "qemu", "kernelParams": [ "quiet" ], "credentialFiles": { "a": "/a" }, "machineId": null,
            "interfaces": [
              { "type": "macvtap", "id": "vm-m", "mac": "02:00:00:00:00:01", "macvtap": { "link": "eth0", "mode": "source", "sourceMacs": [ "02:00:00:00:00:09" ] } },
              { "type": "tap", "id": "vm-t", "mac": "02:00:00:00:00:02", "bridge": null },
              { "type": "user", "id": "vm-u", "mac": "02:00:00:00:00:03" }
            ],
            "forwardPorts": [ { "host": { "port": 2222 }, "guest": { "port": 22 } } ],
            "volumes": [ { "image": "a.img", "size": 8, "mkfsExtraArgs": [ "-m" ] } ],
            "shares": [ { "tag": "t", "source": "/s", "proto": "virtiofs", "extraArgs": [ "--syslog" ] } ],
            "devices": [ { "bus": "pci", "path": "0000:01:00.0" } ],
            "binScripts": { "tap-up": [ { "order": 500, "text": "true" } ] },
            "qemu": { "machineOpts": { "acpi": "on" }, "extraArgs": [ "-S" ], "pcieRootPorts": [ { "id": "p0" } ] },
            "cloud-hypervisor": { "platformOEMStrings": [ "x" ], "extraArgs": [ "--a" ] },
            "crosvm": { "extraArgs": [ "--b" ] },
            "firecracker": { "cpu": { "list": [ 1 ] }, "extraConfig": { "logger": { "level": "Debug" } } },
            "vfkit": { "extraArgs": [ "--c" ] },
            "virtiofsd": { "extraArgs": [ "--d" ] }
          }
        }
        """;

    [Fact]
    public void Two_readings_of_one_declaration_are_equal_whatever_lists_it_has()
    {
        var (one, other) = (Read(Whole), Read(Whole));
        Assert.NotSame(one, other);
        Assert.Equal(one, other);
        Assert.Equal(one.GetHashCode(), other.GetHashCode());
        Assert.Equal(one.Interfaces[0].SourceMacs, other.Interfaces[0].SourceMacs);
    }

    [Theory]
    [InlineData("00:09", "00:08")]
    [InlineData("\"machineId\": null", "\"machineId\": \"a67472e5-570e-5c8a-b18c-ae3c77701050\"")]
    [InlineData("\"-m\"", "\"-n\"")]
    [InlineData("--syslog", "--foreground")]
    [InlineData("\"true\"", "\"fals\"")]
    [InlineData("\"on\"", "\"of\"")]
    [InlineData("\"p0\"", "\"p1\"")]
    [InlineData("[ \"x\" ]", "[ \"y\" ]")]
    [InlineData("--b", "--e")]
    [InlineData("[ 1 ]", "[ 2 ]")]
    [InlineData("Debug", "Error")]
    [InlineData("\"/a\"", "\"/b\"")]
    [InlineData("2222", "2223")]
    public void A_difference_anywhere_is_a_difference(string from, string to)
    {
        var other = Whole.Replace(from, to, StringComparison.Ordinal);
        Assert.NotEqual(Whole, other);
        Assert.NotEqual(Read(Whole), Read(other));
    }

    private static MicrovmConfig Read(string text)
    {
        var bag = new DiagnosticBag();
        var node = JsonFrontDoor.Read("vm.json", Encoding.UTF8.GetBytes(text), bag);
        var vm = new DeclarationReader(bag).Read(node!);
        Assert.True(vm is not null, string.Join('\n', bag.All));
        return vm;
    }
}
