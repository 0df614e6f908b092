using System.Text;
using Microvm.Declaration;

namespace Microvm.Tests;

/// <summary>docs/declaration.md lists every option, from the table that the reader uses.</summary>
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
        // Assertions and networks are ours.
        Assert.Equal([.. names.Append("assertions").Append("networks").Order(StringComparer.Ordinal)], MicrovmOptions.Microvm.All.Select(o => o.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_page_on_microvm_nix_says_what_becomes_of_every_option()
    {
        var page = File.ReadAllText(Path.Combine(Binary.Root, "docs", "migration", "microvm-nix.md"));
        var table = page[page.IndexOf("**Every option**", StringComparison.Ordinal)..];
        foreach (var option in MicrovmOptions.Microvm.All)
        {
            Assert.Matches($@"[`,{{.]{System.Text.RegularExpressions.Regex.Escape(option.Name)}[`,}}.]", table);
        }
        // nixos-modules/host/options.nix.
        foreach (var name in (string[])["vms", "autostart", "stateDir", "host.enable", "host.startupTimeout", "host.useNotifySockets", "restartIfChanged", "updateFlake", "evaluatedConfig", "extraModules", "specialArgs", "nixpkgs"])
        {
            Assert.Contains(name, table, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_guest_module_has_every_option_of_the_table_and_the_table_every_one_of_the_module()
    {
        var documented = Binary.Run("nix-instantiate", null, "--store", "dummy://", "--eval", "--json", "--strict", "--expr",
            $"map (o: o.name) (builtins.filter (o: o.module == \"microvm\") (import {Binary.Root}/nix/options-doc.nix {{ lib = import {Binary.Root}/nix/standalone; }}))");
        Assert.True(documented.Code == 0, documented.Err);
        var module = System.Text.Json.JsonDocument.Parse(documented.Out).RootElement.EnumerateArray().Select(n => n.GetString()!.Replace("<name>", "*", StringComparison.Ordinal)).ToHashSet();
        var table = Leaves(MicrovmOptions.Microvm).ToList();
        // What NixOS makes of the others, for its own use, is no option that anybody sets.
        string[] made = ["microvm.storeDisk", "microvm.bootDisk", "microvm.runner", "microvm.declaredRunner", "microvm.deploy"];
        Assert.DoesNotContain(table, t => !made.Contains(t) && !module.Any(m => m == t || m.StartsWith(t + ".", StringComparison.Ordinal)));
        Assert.DoesNotContain(module, m => !table.Any(t => m == t || m.StartsWith(t + ".", StringComparison.Ordinal) || t.StartsWith(m + ".*.", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Leaves(OptionSet set) => set.All.SelectMany(o =>
        o.Type is SetType nested ? Leaves(nested.Options) : o.Type is ListType { Item: SetType item } ? Leaves(item.Options) : o.Type is AttributesType { Item: SetType named } ? Leaves(named.Options) : [$"{set.Path}.{o.Name}"]);

    private static void List(StringBuilder rows, OptionSet set)
    {
        foreach (var option in set.All)
        {
            var standard = option.Required ? "required" : option.Default is { } d ? $"`{d.Replace("`", "")}`" : option.Nullable ? "`null`" : "";
            var left = option.LeftAlone ? " Accepted and left alone." : "";
            _ = rows.Append($"| `{set.Path}.{option.Name}` | {option.Type.Words} | {standard} | {option.Summary}{left} |\n");
            if (option.Type is SetType nested)
            {
                List(rows, nested.Options);
            }
            else if (option.Type is ListType { Item: SetType item })
            {
                List(rows, item.Options);
            }
            else if (option.Type is AttributesType { Item: SetType named })
            {
                List(rows, named.Options);
            }
        }
    }
}
