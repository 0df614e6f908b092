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

    /// <summary>Brings bridge.conf and the drop-ins in step with the VMs of one state directory. What another's VMs have, and what is not
    /// marked as ours or was edited since, stays as it is.</summary>
    /// <param name="vms">All VMs of the state directory.</param>
    /// <param name="state">Its path; null for what every state directory has here, which goes.</param>
    /// <returns>Whether a drop-in changed, so that systemd must read its units again.</returns>
    public bool Update(IReadOnlyList<VmDirectory> vms, string? state)
    {
        var needs = vms.Select(v => (v.Name, Interfaces: Interfaces(v))).ToList();
        var acl = Read(Acl);
        foreach (var each in state is null ? BridgeAcl.States(acl) : [state == UnitSettings.Default.StateDirectory ? null : state])
        {
            acl = BridgeAcl.Update(acl, needs.SelectMany(n => n.Interfaces).Select(i => i.Bridge).OfType<string>(), each);
        }
        Write(Acl, acl);
        var wanted = needs.SelectMany(n => n.Interfaces.Select(i => i.DropIn).Distinct().Select(d => (Path: $"{Units}/{n.Name.Unit}.d/50-microvm-{d}.conf", Text: Marked(d, state)))).ToList();
        var changed = false;
        foreach (var (path, text) in wanted.Where(w => Read(w.Path) is not { } there || there != w.Text && IsOurs(w.Path, there, state)))
        {
            Write(path, text);
            changed = true;
        }
        foreach (var gone in DropIns().Except(wanted.Select(w => w.Path)).Where(g => Read(g) is { } there && IsOurs(g, there, state)))
        {
            Write(gone, null);
            HeldFolder.RemoveIfEmpty(Path.GetDirectoryName(Path.Combine(root, gone))!);
            changed = true;
        }
        return changed;
    }

    private const string Units = "etc/systemd/system";

    private IEnumerable<string> DropIns() =>
        from folder in Directory.Exists(Path.Combine(root, Units)) ? Directory.GetDirectories(Path.Combine(root, Units), "microvm@*.service.d") : []
        from file in Directory.GetFiles(folder, "50-microvm-*.conf")
        select Path.GetRelativePath(root, file);

    /// <summary>A drop-in as one state directory's VMs get it: its second line tells whose.</summary>
    private static string Marked(string dropIn, string? state)
    {
        var text = UnitTemplates.DropIn(dropIn);
        var first = text.IndexOf('\n') + 1;
        return $"{text[..first]}# State directory: {state}\n{text[first..]}";
    }

    /// <summary>Whether we wrote a drop-in, for VMs of this state directory, and nobody edited it: it is what we would write, or what an
    /// earlier version wrote, which served the usual state directory alone.</summary>
    private static bool IsOurs(string path, string text, string? state)
    {
        const string Mark = "# State directory: ";
        var dropIn = Path.GetFileNameWithoutExtension(path)["50-microvm-".Length..];
        if (!UnitTemplates.IsDropIn(dropIn))
        {
            return false;
        }
        var second = text.Split('\n', 3) is [_, var line, _] && line.StartsWith(Mark, StringComparison.Ordinal) ? line[Mark.Length..] : null;
        return second is null ? text == UnitTemplates.DropIn(dropIn) && (state is null || state == UnitSettings.Default.StateDirectory)
            : text == Marked(dropIn, second) && (state is null || state == second);
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

    /// <summary>With the owner and permission bits that it has; where it is a link, what that leads to is written.</summary>
    private void Write(string relative, string? text)
    {
        var path = Path.Combine(root, relative);
        if (text == Read(relative))
        {
            return;
        }
        if (new FileInfo(path) is { LinkTarget: not null } link && link.ResolveLinkTarget(true) is { } target)
        {
            path = target.FullName;
        }
        if (text is null)
        {
            HeldFolder.RemoveAt(path);
            return;
        }
        using var folder = HeldFolder.OpenOrMake(Path.GetDirectoryName(path)!);
        folder.Put(Path.GetFileName(path), Encoding.UTF8.GetBytes(text), like: folder.Look(Path.GetFileName(path)));
    }
}
