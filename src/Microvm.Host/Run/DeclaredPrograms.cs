using System.Text;
using Microvm.Declaration;

namespace Microvm.Host.Run;

/// <summary>Something that a declaration has run on the host.</summary>
/// <param name="What">The option, and the program where it names one.</param>
/// <param name="Who">As which user.</param>
/// <param name="Rights">With which capabilities.</param>
/// <param name="Text">The lines themselves, where the declaration brings them along.</param>
internal sealed record DeclaredProgram(string What, string Who, string Rights, string Text = "");

/// <summary>What a declaration has run besides what this program runs for every VM: in one place, for who has to decide whether to run it. Pure.</summary>
internal static class DeclaredPrograms
{
    private const string NoRights = "no capability";

    /// <summary>All of them, in the order in which a start comes to them.</summary>
    /// <param name="who">As whom the hypervisor is started; null where that is not known yet.</param>
    public static IEnumerable<DeclaredProgram> Of(MicrovmConfig vm, string? who = null) => [.. Scripts(vm, User(vm, who)), .. OfShares(vm), .. OfRun(vm, who)];

    /// <summary>What the units of a VM run.</summary>
    public static IEnumerable<DeclaredProgram> OfUnits(MicrovmConfig vm) => Of(vm, "user microvm");

    /// <summary>What <c>run</c> runs.</summary>
    public static IEnumerable<DeclaredProgram> OfRun(MicrovmConfig vm, string? who)
    {
        var user = User(vm, who);
        if (vm.PreStart.Trim().Length > 0)
        {
            yield return new("microvm.preStart", user, NoRights, vm.PreStart);
        }
        if (vm.ExtraArgsScript is { } script)
        {
            yield return new($"microvm.extraArgsScript: {script.Trim()}", user, NoRights, script);
        }
        if (Package(vm) is { } hypervisor)
        {
            yield return new($"the hypervisor out of {hypervisor}", user, NoRights);
        }
    }

    /// <summary>The folder whose bin has the hypervisor, where the declaration names one.</summary>
    internal static string? Package(MicrovmConfig vm) => vm.Hypervisor switch
    {
        "qemu" => vm.Qemu.Package,
        "cloud-hypervisor" => vm.CloudHypervisor.Package,
        "crosvm" => vm.Crosvm.Package,
        "firecracker" => vm.Firecracker.Package,
        "vfkit" => vm.Vfkit.Package,
        _ => vm.Package,
    };

    /// <summary>What <c>virtiofsd</c> runs: the daemon reads and writes files as root, so what it is given counts. The nix store is everybody's to read.</summary>
    public static IEnumerable<DeclaredProgram> OfShares(MicrovmConfig vm)
    {
        if (!vm.HasVirtiofsd)
        {
            yield break;
        }
        if (vm.Virtiofsd.Package is { } daemon)
        {
            yield return new($"microvm.virtiofsd.package: {daemon.TrimEnd('/')}/bin/virtiofsd", "root", "what files of every owner take; refused where another user could change it");
        }
        foreach (var share in vm.Shares.Where(s => s.IsVirtiofs && s.Source.TrimEnd('/') != "/nix/store"))
        {
            yield return new($"virtiofsd for the guest, over {share.Source} of this host", "root", $"what {(share.ReadOnly ? "reading" : "reading and writing")} files of every owner takes");
        }
    }

    /// <summary>The name of what VMs have run: another as soon as a line, a program, a user or a right is another.</summary>
    public static string Identity(IEnumerable<(string Vm, DeclaredProgram Program)> programs)
    {
        using var all = new MemoryStream();
        foreach (var (vm, program) in programs)
        {
            foreach (var part in (string[])[vm, program.What, program.Who, program.Rights, program.Text])
            {
                var bytes = Encoding.UTF8.GetBytes(part);
                all.Write(BitConverter.GetBytes(bytes.Length));
                all.Write(bytes);
            }
        }
        return Convert.ToHexStringLower(Sha256.HashData(all.ToArray()));
    }

    private static IEnumerable<DeclaredProgram> Scripts(MicrovmConfig vm, string user)
    {
        foreach (var script in vm.BinScripts)
        {
            var (who, rights) = script.Name switch
            {
                "tap-up" or "tap-down" => ("root under the units", "CAP_NET_ADMIN"),
                "macvtap-up" or "macvtap-down" => ("root under the units", "CAP_NET_ADMIN, CAP_CHOWN, CAP_FOWNER and CAP_MKNOD"),
                "pci-setup" => ("root under the units", "CAP_SYS_ADMIN, CAP_SYS_MODULE, CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER"),
                "virtiofsd-run" => ("root under the units", "CAP_SYS_ADMIN and what else files of every owner take"),
                _ => (user, NoRights),
            };
            yield return new($"microvm.binScripts.{script.Name}", who, rights, string.Concat(script.Parts.Select(p => $"{p.Order} {script.Replaces}\n{p.Text}\n")));
        }
    }

    private static string User(MicrovmConfig vm, string? who) => who ?? (vm.User is { } name ? $"user {name}" : "who calls 'run', or user microvm under the units");
}
