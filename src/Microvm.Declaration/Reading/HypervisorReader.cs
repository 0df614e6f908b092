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
            Graphics = new()
            {
                Enable = graphics.Flag("enable", false),
                Backend = graphics.Text("backend") ?? "gtk",
                Socket = graphics.Text("socket") ?? $"{vm.Name}-gpu.sock",
                Vulkan = graphics.Text("vulkan"),
                HostMemory = graphics.Text("hostmem") ?? "256M",
            },
            Qemu = new()
            {
                Machine = qemu.Text("machine"),
                MachineOpts = Pairs(qemu.Set("machineOpts")),
                ExtraArgs = qemu.Texts("extraArgs"),
                SerialConsole = qemu.Flag("serialConsole", true),
                PcieRootPorts = qemu.Each("pcieRootPorts", RootPort),
                Package = qemu.Package("package"),
            },
            CloudHypervisor = new()
            {
                OemStrings = cloud.Texts("platformOEMStrings"),
                ExtraArgs = cloud.Texts("extraArgs"),
                Package = cloud.Package("package"),
            },
            Crosvm = new()
            {
                ExtraArgs = crosvm.Texts("extraArgs"),
                PivotRoot = crosvm.Text("pivotRoot"),
                Package = crosvm.Package("package"),
            },
            Firecracker = new()
            {
                Cpu = firecracker?["cpu"],
                DriveIoEngine = firecracker.Text("driveIoEngine") ?? "Async",
                ExtraArgs = firecracker.Texts("extraArgs"),
                ExtraConfig = firecracker.Set("extraConfig"),
                Package = firecracker.Package("package"),
            },
            Vfkit = new()
            {
                ExtraArgs = vfkit.Texts("extraArgs"),
                LogLevel = NullOr(vfkit, "logLevel", "info"),
                Rosetta = rosetta.Flag("enable", false),
                RosettaInstall = rosetta.Flag("install", false),
                RosettaIgnoreIfMissing = rosetta.Flag("ignoreIfMissing", false),
                Package = vfkit.Package("package"),
            },
            Virtiofsd = new()
            {
                InodeFileHandles = NullOr(virtiofsd, "inodeFileHandles", "prefer"),
                ThreadPoolSize = Threads(virtiofsd),
                Group = NullOr(virtiofsd, "group", "kvm"),
                ExtraArgs = virtiofsd.Texts("extraArgs"),
                Package = virtiofsd.Package("package"),
            },
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
