using System.Text;
using Microvm.Declaration;

namespace Microvm.Tests;

/// <summary>docs/declaration.md lists every option, from the table that the reader uses.</summary>
[Trait("needs", "nothing")]
public sealed class DeclarationPageTests
{
    private static readonly string s_page = Path.Combine(Binary.Root, "docs", "declaration.md");
    private const string Begin = "<!-- generated: the options -->", End = "<!-- end of the generated part -->";

    [Fact]
    public void The_page_lists_every_option()
    {
        var page = File.ReadAllText(s_page);
        var (from, to) = (page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length, page.IndexOf(End, StringComparison.Ordinal));
        var rows = new StringBuilder("\n\n| option | type | default | |\n|---|---|---|---|\n");
        List(rows, MicrovmOptions.Microvm);
        var generated = page[..from] + rows + "\n" + page[to..];
        if (Environment.GetEnvironmentVariable("MICROVM_UPDATE") is { Length: > 0 })
        {
            File.WriteAllText(s_page, generated);
        }
        Assert.Equal(File.ReadAllText(s_page), generated);
    }

    [Fact]
    public void Every_option_of_microvm_nix_is_known()
    {
        // nixos-modules/microvm/options.nix and its neighbours.
        string[] names =
        [
            "alioth", "balloon", "binScripts", "bootDisk", "cloud-hypervisor", "cpu", "credentialFiles", "crosvm", "declaredRunner", "deflateOnOOM", "deploy",
            "devices", "extraArgsScript", "firecracker", "forwardPorts", "graphics", "guest", "hotplugMem", "hotpluggedMem", "hugepageMem", "hypervisor",
            "initialBalloonMem", "initrdPath", "interfaces", "kernel", "kernelParams", "kvmtool", "machineId", "mem", "optimize", "preStart", "prettyProcnames",
            "qemu", "registerClosure", "registerWithMachined", "runner", "shares", "socket", "storeDisk", "storeDiskErofsFlags", "storeDiskSquashfsFlags",
            "storeDiskType", "storeOnDisk", "stratovirt", "systemSymlink", "user", "vcpu", "vfkit", "virtiofsd", "vmHostPackages", "volumes", "vsock", "writableStoreOverlay",
        ];
        Assert.Equal(names, MicrovmOptions.Microvm.All.Select(o => o.Name).Order(StringComparer.Ordinal));
    }

    private static void List(StringBuilder rows, OptionSet set)
    {
        foreach (var option in set.All)
        {
            var standard = option.Required ? "required" : option.Default is { } d ? $"`{d.Replace("`", "")}`" : option.Nullable ? "`null`" : "";
            var left = option.LeftAlone ? "; accepted and left alone" : "";
            _ = rows.Append($"| `{set.Path}.{option.Name}` | {option.Type.Words} | {standard} | {option.Summary}{left} |\n");
            if (option.Type is SetType nested)
            {
                List(rows, nested.Options);
            }
            else if (option.Type is ListType { Item: SetType item })
            {
                List(rows, item.Options);
            }
        }
    }
}
