using System.Text;
using Microvm.Declaration;
using Microvm.Host.Systemd;
using Microvm.Linux;

namespace Microvm.Host.Install;

/// <summary>What an installed host keeps in step with its VMs: the bridges that qemu-bridge-helper may join, and the units' exceptions for it.</summary>
/// <param name="root">/ but in tests.</param>
public sealed class HostConfiguration(string root)
{
    private const string Acl = "etc/qemu/bridge.conf";

    /// <summary>Whether 'microvm host install' or a package made this a host.</summary>
    public bool IsInstalled => ((string[])["usr/local/lib", "usr/lib"]).Any(lib => File.Exists(Path.Combine(root, lib, "microvm/installed")));

    /// <summary>Brings bridge.conf and the drop-ins in step with all VMs.</summary>
    /// <returns>Whether a drop-in changed, so that systemd must read its units again.</returns>
    public bool Update(IReadOnlyList<VmDirectory> vms)
    {
        var bridged = vms.Select(v => (v.Name, Bridges: Bridges(v))).Where(v => v.Bridges.Count > 0).ToList();
        Write(Acl, BridgeAcl.Update(Read(Acl), bridged.SelectMany(b => b.Bridges)));
        var changed = false;
        var units = Path.Combine(root, "etc/systemd/system");
        var present = Directory.Exists(units) ? Directory.EnumerateFiles(units, DropIn, SearchOption.AllDirectories).Select(p => Path.GetRelativePath(root, p)).ToHashSet() : [];
        foreach (var (name, _) in bridged)
        {
            var path = $"etc/systemd/system/{name.Unit}.d/{DropIn}";
            if (!present.Remove(path))
            {
                Write(path, UnitTemplates.BridgeHelperDropIn);
                changed = true;
            }
        }
        foreach (var gone in present)
        {
            Write(gone, null);
            changed = true;
        }
        return changed;
    }

    private const string DropIn = "50-microvm-bridge-helper.conf";

    /// <summary>The bridges that a VM's current runner names in interfaces of type bridge.</summary>
    private static List<string> Bridges(VmDirectory vm)
    {
        var path = vm.At("current/share/microvm/declaration.json");
        return !File.Exists(path) || JsonFrontDoor.Read(path, File.ReadAllBytes(path), new()) is not ObjectNode top
            || (top["microvm"] as ObjectNode)?["interfaces"] is not ArrayNode interfaces ? [] :
        [
            .. interfaces.Items.OfType<ObjectNode>().Where(i => i["type"] is StringNode { Value: "bridge" })
                .Select(i => (i["bridge"] as StringNode)?.Value).OfType<string>().Where(b => InterfaceName.TryParse(b, out _, out _)),
        ];
    }

    private string? Read(string path) => File.Exists(Path.Combine(root, path)) ? File.ReadAllText(Path.Combine(root, path)) : null;

    private void Write(string relative, string? text)
    {
        var path = Path.Combine(root, relative);
        if (text == Read(relative))
        {
            return;
        }
        var directory = Path.GetDirectoryName(path)!;
        if (text is null)
        {
            File.Delete(path);
            if (!Directory.EnumerateFileSystemEntries(directory).Any())
            {
                Directory.Delete(directory);
            }
            return;
        }
        Directory.CreateDirectory(directory);
        File.WriteAllBytes(path + ".new", Encoding.UTF8.GetBytes(text));
        PosixFile.Replace(path + ".new", path);
    }
}
