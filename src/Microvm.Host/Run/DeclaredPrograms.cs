using Microvm.Declaration;

namespace Microvm.Host.Run;

/// <summary>Something that a declaration has run on the host.</summary>
/// <param name="What">The option, and the program where it names one.</param>
/// <param name="Who">As which user.</param>
/// <param name="Rights">With which capabilities.</param>
internal sealed record DeclaredProgram(string What, string Who, string Rights);

/// <summary>What a declaration has run besides what this program runs for every VM: in one place, for who has to decide whether to run it. Pure.</summary>
internal static class DeclaredPrograms
{
    /// <summary>All of them, in the order in which a start comes to them.</summary>
    public static IEnumerable<DeclaredProgram> Of(MicrovmConfig vm)
    {
        var user = vm.User is { } name ? $"user {name}" : "who calls 'run', or user microvm under the units";
        const string Nothing = "no capability";
        foreach (var script in vm.BinScripts)
        {
            var (who, rights) = script.Name switch
            {
                "tap-up" or "tap-down" => ("root under the units", "CAP_NET_ADMIN"),
                "macvtap-up" or "macvtap-down" => ("root under the units", "CAP_NET_ADMIN, CAP_CHOWN, CAP_FOWNER and CAP_MKNOD"),
                "pci-setup" => ("root under the units", "CAP_SYS_ADMIN, CAP_SYS_MODULE, CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER"),
                "virtiofsd-run" => ("root under the units", "CAP_SYS_ADMIN and what else files of every owner take"),
                _ => (user, Nothing),
            };
            yield return new($"microvm.binScripts.{script.Name}", who, rights);
        }
        if (vm.HasVirtiofsd && vm.Virtiofsd.Package is { } daemon)
        {
            yield return new($"microvm.virtiofsd.package: {daemon.TrimEnd('/')}/bin/virtiofsd", "root", "what files of every owner take; refused where another user could change it");
        }
        if (vm.PreStart.Trim().Length > 0)
        {
            yield return new("microvm.preStart", user, Nothing);
        }
        if (vm.ExtraArgsScript is { } script2)
        {
            yield return new($"microvm.extraArgsScript: {script2.Trim()}", user, Nothing);
        }
        var package = vm.Hypervisor switch
        {
            "qemu" => vm.Qemu.Package,
            "cloud-hypervisor" => vm.CloudHypervisor.Package,
            "crosvm" => vm.Crosvm.Package,
            "firecracker" => vm.Firecracker.Package,
            "vfkit" => vm.Vfkit.Package,
            _ => vm.Package,
        };
        if (package is { } hypervisor)
        {
            yield return new($"the hypervisor out of {hypervisor}", user, Nothing);
        }
    }
}
