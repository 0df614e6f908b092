using System.Text;
using Microvm.Declaration;
using Microvm.Host.Systemd;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.Install;

/// <summary>What an installed host keeps in step with its VMs: the bridges that qemu-bridge-helper may join, and the units' exceptions for what a VM needs.</summary>
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
        var needs = vms.Select(v => (v.Name, Interfaces: Interfaces(v))).ToList();
        Write(Acl, BridgeAcl.Update(Read(Acl), needs.SelectMany(n => n.Interfaces).Select(i => i.Bridge).OfType<string>()));
        var wanted = needs.SelectMany(n => n.Interfaces.Select(i => i.DropIn).Distinct().Select(d => (Path: $"etc/systemd/system/{n.Name.Unit}.d/50-microvm-{d}.conf", DropIn: d))).ToList();
        var units = Path.Combine(root, "etc/systemd/system");
        var changed = false;
        foreach (var (path, dropIn) in wanted.Where(w => Read(w.Path) is null))
        {
            Write(path, UnitTemplates.DropIn(dropIn));
            changed = true;
        }
        foreach (var gone in (Directory.Exists(units) ? Directory.GetFiles(units, "50-microvm-*.conf", SearchOption.AllDirectories) : [])
            .Select(p => Path.GetRelativePath(root, p)).Except(wanted.Select(w => w.Path)))
        {
            Write(gone, null);
            changed = true;
        }
        return changed;
    }

    /// <summary>The interfaces of a VM's current runner that the hardened unit has to make an exception for, each with its drop-in.</summary>
    private static List<(string DropIn, string? Bridge)> Interfaces(VmDirectory vm)
    {
        if (vm.Declaration is not { } config)
        {
            return [];
        }
        return
        [
            .. config.Hypervisor == "crosvm" ? new (string, string?)[] { ("own-sandbox", null) } : [],
            .. HypervisorTable.Attach(config, out _).SelectMany(a => a.Kind switch
            {
                AttachmentKind.BridgeHelper => new (string, string?)[] { ("bridge-helper", a.Interface.Bridge?.Value) },
                AttachmentKind.UserNamespace => [("user-network", null)],
                _ => [],
            }),
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
