using Microvm.Host.Systemd;

namespace Microvm.Host.Install;

/// <summary>A file that belongs on a host.</summary>
/// <param name="Path">Absolute, below the root.</param>
/// <param name="Content">Its text, or where <paramref name="IsLink"/>, what the link points to.</param>
public sealed record HostFile(string Path, string Content, bool IsLink = false)
{
    private const string WatchDropIn = "# Written by 'microvm host install --watch'.\n[Unit]\nWants=microvm-watch@%i.service\n";

    /// <summary>All files of a host: units, the vendor's wish to start microvms.target, the account, the state directory. Pure.</summary>
    /// <param name="prefix">/usr/local for a person, /usr for a package; systemd reads lib/ below both.</param>
    /// <param name="watch">Whether the interfaces of every VM are watched while it runs.</param>
    public static IReadOnlyList<HostFile> Of(string prefix, UnitSettings settings, bool watch = false)
    {
        var lib = $"{prefix.TrimEnd('/')}/lib";
        return
        [
            .. UnitTemplates.Names.Select(u => new HostFile($"{lib}/systemd/system/{u}", UnitTemplates.Render(u, settings))),
            new($"{lib}/systemd/system/multi-user.target.wants/microvms.target", "../microvms.target", true),
            .. watch ? [new HostFile($"{lib}/systemd/system/microvm@.service.d/watch.conf", WatchDropIn)] : (HostFile[])[],
            new($"{lib}/sysusers.d/microvm.conf", $"""
                # Hypervisors run as this user; the group opens /dev/kvm.
                g kvm -
                u microvm - "MicroVM hypervisors" {settings.StateDirectory}
                m microvm kvm

                """),
            // Each VM's directory gets the group by the set-group-ID bit. Root's own: a hypervisor that was broken into must not name the scripts that run as root.
            new($"{lib}/tmpfiles.d/microvm.conf", $"d {settings.StateDirectory} 2755 root kvm -\n# Nodes of macvtaps whose number another network namespace has taken.\nd /run/microvm 0755 root root -\n"),
            new($"{lib}/modules-load.d/microvm.conf", "# Interfaces of MicroVMs.\ntun\nvhost_net\n"),
        ];
    }
}
