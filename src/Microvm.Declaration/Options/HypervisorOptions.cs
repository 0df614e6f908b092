using static Microvm.Declaration.Declare;

namespace Microvm.Declaration;

/// <summary>The options of one hypervisor each.</summary>
internal static class HypervisorOptions
{
    internal static DeclaredOption Graphics { get; } = Set("graphics", "A display (QEMU and vfkit)",
        Bool("enable", false, "Give the VM a display"),
        new("backend", new ChoiceType("gtk", "cocoa", "headless"), "QEMU's display", "\"gtk\""),
        new("socket", new PathType(), "Socket of a vhost-user gpu", "\"HOSTNAME-gpu.sock\""),
        new("vulkan", new ChoiceType("venus", "drm_native_context"), "QEMU: how Vulkan is carried") { Nullable = true },
        new("hostmem", new TextType(), "QEMU: host memory window of the gpu, with unit M or G", "\"256M\""),
        new("crosvmPackage", new PackageType(), "crosvm with a gpu device") { LeftAlone = true, Nullable = true });

    internal static DeclaredOption Qemu { get; } = Set("qemu", "QEMU",
        new("machine", new TextType(MayBeEmpty: false), "Machine type", "\"microvm\" on x86_64, \"virt\" on aarch64") { Nullable = true },
        new("machineOpts", new AttributesType(new TextType()), "Machine options instead of ours") { Nullable = true },
        ExtraArgs("QEMU"),
        Bool("serialConsole", true, "A serial console on standard input and output"),
        new("pcieRootPorts", new ListType(new SetType(new("microvm.qemu.pcieRootPorts.*",
            new("id", new TextType(MayBeEmpty: false), "Its id") { Required = true },
            new("bus", new TextType(), "The PCIe bus that it sits on") { Nullable = true },
            new("chassis", new IntegerType(0, 65535), "Chassis number") { Nullable = true },
            new("slot", new TextType(), "Slot number") { Nullable = true },
            new("addr", new TextType(), "Address on the bus") { Nullable = true }))), "PCIe root ports, to plug devices into while the VM runs", "[]"),
        Package("QEMU"));

    internal static DeclaredOption CloudHypervisor { get; } = Set("cloud-hypervisor", "cloud-hypervisor",
        new("platformOEMStrings", new ListType(new TextType()), "Strings for SMBIOS, without oem_strings= around them", "[]"),
        ExtraArgs("cloud-hypervisor"), Package("cloud-hypervisor"));

    internal static DeclaredOption Crosvm { get; } = Set("crosvm", "crosvm",
        ExtraArgs("crosvm"),
        new("pivotRoot", new PathType(), "Directory of its sandbox") { Nullable = true },
        Package("crosvm"));

    internal static DeclaredOption Firecracker { get; } = Set("firecracker", "Firecracker",
        new("cpu", new AnyType(), "CPU template, as Firecracker's documentation has it") { Nullable = true },
        new("driveIoEngine", new ChoiceType("Async", "Sync"), "How disks are read and written", "\"Async\""),
        ExtraArgs("Firecracker"),
        new("extraConfig", new AttributesType(new AnyType()), "Merged into Firecracker's JSON configuration", "{}"),
        Package("firecracker"));

    internal static DeclaredOption Vfkit { get; } = Set("vfkit", "vfkit, on macOS",
        ExtraArgs("vfkit"),
        new("logLevel", new ChoiceType("debug", "info", "error"), "How much it logs", "\"info\"") { Nullable = true },
        new("rosetta", new SetType(new("microvm.vfkit.rosetta",
            Bool("enable", false, "Run x86_64 programs in an aarch64 guest"),
            Bool("install", false, "Install Rosetta where it is missing"),
            Bool("ignoreIfMissing", false, "Go on where it is missing"))), "Rosetta"),
        Package("vfkit"));

    internal static DeclaredOption Virtiofsd { get; } = Set("virtiofsd", "The daemon behind virtiofs shares",
        new("inodeFileHandles", new ChoiceType("never", "prefer", "mandatory"), "When inodes are kept by file handle", "\"prefer\"") { Nullable = true },
        new("threadPoolSize", new EitherType(new TextType(), new IntegerType(0, 4096)), "Threads; `nproc` for as many as the host has CPUs", "\"`nproc`\""),
        new("group", new TextType(), "Group of its socket", "\"kvm\"") { Nullable = true },
        ExtraArgs("virtiofsd"),
        Package("virtiofsd"));
}
