using System.Globalization;

namespace Microvm.Declaration;

/// <summary>The options that belong to one hypervisor each.</summary>
internal static class HypervisorReader
{
    internal static MicrovmConfig Read(ObjectNode microvm, MicrovmConfig vm)
    {
        var graphics = microvm.Set("graphics");
        var qemu = microvm.Set("qemu");
        var cloud = microvm.Set("cloud-hypervisor");
        var crosvm = microvm.Set("crosvm");
        var firecracker = microvm.Set("firecracker");
        var vfkit = microvm.Set("vfkit");
        var rosetta = vfkit.Set("rosetta");
        var virtiofsd = microvm.Set("virtiofsd");
        return vm with
        {
            Graphics = new(graphics.Flag("enable", false), graphics.Text("backend") ?? "gtk", graphics.Text("socket") ?? $"{vm.Name}-gpu.sock",
                graphics.Text("vulkan"), graphics.Text("hostmem") ?? "256M"),
            Qemu = new(qemu.Text("machine"), Pairs(qemu.Set("machineOpts")), qemu.Texts("extraArgs"), qemu.Flag("serialConsole", true),
                qemu.Each("pcieRootPorts", RootPort), qemu.Package("package")),
            CloudHypervisor = new(cloud.Texts("platformOEMStrings"), cloud.Texts("extraArgs"), cloud.Package("package")),
            Crosvm = new(crosvm.Texts("extraArgs"), crosvm.Text("pivotRoot"), crosvm.Package("package")),
            Firecracker = new(firecracker?["cpu"], firecracker.Text("driveIoEngine") ?? "Async", firecracker.Texts("extraArgs"),
                firecracker.Set("extraConfig"), firecracker.Package("package")),
            Vfkit = new(vfkit.Texts("extraArgs"), NullOr(vfkit, "logLevel", "info"), rosetta.Flag("enable", false), rosetta.Flag("install", false),
                rosetta.Flag("ignoreIfMissing", false), vfkit.Package("package")),
            Virtiofsd = new(NullOr(virtiofsd, "inodeFileHandles", "prefer"), Threads(virtiofsd), NullOr(virtiofsd, "group", "kvm"),
                virtiofsd.Texts("extraArgs"), virtiofsd.Package("package")),
            Package = microvm.Set(vm.Hypervisor).Package("package"),
        };
    }

    /// <summary>The texts of an attribute set, by name; null where there is no set.</summary>
    internal static IReadOnlyList<KeyValuePair<string, string>>? Pairs(ObjectNode? set) => set is null ? null
        : [.. from m in set.Members where m.Value is StringNode orderby m.Name select KeyValuePair.Create(m.Name, ((StringNode)m.Value).Value)];

    private static PcieRootPort? RootPort(ObjectNode it) =>
        it.Text("id") is { } id ? new(id, it.Text("bus"), it.Number("chassis"), it.Text("slot"), it.Text("addr")) : null;

    // Null and left out differ here: null is a choice of its own.
    private static string? NullOr(ObjectNode? it, string name, string standard) =>
        it?.Members.Any(m => m.Name == name) == true ? it.Text(name) : standard;

    private static string Threads(ObjectNode? virtiofsd) =>
        virtiofsd.Number("threadPoolSize")?.ToString(CultureInfo.InvariantCulture) ?? virtiofsd.Text("threadPoolSize") ?? "`nproc`";
}
