using static Microvm.Declaration.Declare;

namespace Microvm.Declaration;

/// <summary>The options of each hypervisor, and of what stands beside it.</summary>
internal static class HypervisorOptions
{
    internal static DeclaredOption Graphics { get; } = Set("graphics", "A graphical display (QEMU and vfkit).",
        Bool("enable", false, "Whether the guest has a graphical display."),
        new("backend", new ChoiceType("gtk", "cocoa", "headless"), "How QEMU shows the display.", "\"gtk\"") { Example = "\"headless\"" },
        new("socket", PathValue, "The vhost-user socket of the GPU.", "\"HOSTNAME-gpu.sock\"")
        { Example = "\"gpu.sock\"", Nix = new() { Default = "\"${hostName}-gpu.sock\"" } },
        new("vulkan", new ChoiceType("venus", "drm_native_context"),
            "The protocol by which QEMU's virtio-gpu carries Vulkan.")
        { Nullable = true, Example = "\"venus\"" },
        new("hostmem", Text,
            "The size of virtio-gpu's window into the host's memory, with the unit M or G.", "\"256M\"")
        { Example = "\"1G\"" },
        Image("crosvmPackage", new() { Type = "types.package", Default = "cfg.vmHostPackages.crosvm" }, "pkgs.crosvm",
            "The package that the crosvm that draws is taken from."));

    internal static DeclaredOption Qemu { get; } = Set("qemu", "Options of QEMU.",
        new("machine", new TextType(MayBeEmpty: false), "QEMU's machine model.", "\"microvm\" on x86_64, \"virt\" on aarch64")
        {
            Nullable = true,
            Example = "\"q35\"",
            Nix = new()
            {
                Type = "types.str",
                Default = """if pkgs.stdenv.hostPlatform.isAarch64 then "virt" else "microvm" """.TrimEnd(),
                DefaultText = "\"microvm\", or \"virt\" on ARM",
            },
        },
        new("machineOpts", new AttributesType(Text),
            "Options of the machine model, instead of the default ones.")
        { Nullable = true, Example = "{ acpi = \"on\"; }" },
        ExtraArgs("QEMU", "[ \"-vnc\" \":0\" ]"),
        Bool("serialConsole", true, "Whether QEMU gives the guest a serial console, on standard input and output."),
        new("pcieRootPorts", new ListType(new SetType(new("microvm.qemu.pcieRootPorts.*",
            new("id", new TextType(MayBeEmpty: false), "The port's name, unique in the VM.")
            { Required = true, Example = "\"pci_port_0\"" },
            Maybe("bus", "\"pcie.0\"", "The bus that the port is on."),
            new("chassis", new IntegerType(0, 65535), "The port's chassis number.")
            {
                Nullable = true,
                Example = "0",
                Nix = new()
                { Type = "types.nullOr types.int" }
            },
            Maybe("slot", "\"1\"", "The port's slot number."),
            Maybe("addr", "\"0x1c\"", "The port's address on its bus.")))),
                "PCIe root ports, for devices that come and go while the VM runs.", "[]")
        { Example = """[ { id = "pci_port_0"; bus = "pcie.0"; chassis = 0; } ]""" },
        Package("QEMU", "qemu_kvm"));

    internal static DeclaredOption CloudHypervisor { get; } = Set("cloud-hypervisor", "Options of cloud-hypervisor.",
        Words("platformOEMStrings", "[ \"io.systemd.credential:KEY=value\" ]",
            "OEM strings that the guest's SMBIOS shows, without `oem_strings=`."),
        ExtraArgs("cloud-hypervisor", "[ \"--watchdog\" ]"), Package("cloud-hypervisor", "cloud-hypervisor"));

    internal static DeclaredOption Crosvm { get; } = Set("crosvm", "Options of crosvm.",
        ExtraArgs("crosvm", "[ \"--disable-sandbox\" ]"),
        new("pivotRoot", PathValue, "The directory that crosvm's sandbox has for a root.") { Nullable = true, Example = "\"/var/empty\"" },
        Package("crosvm", "crosvm"));

    internal static DeclaredOption Firecracker { get; } = Set("firecracker", "Options of Firecracker.",
        new("cpu", new AnyType(),
            "A CPU template, as Firecracker's documentation has it.")
        { Nullable = true, Example = "{ cpuid_modifiers = [ ]; }" },
        new("driveIoEngine", new ChoiceType("Async", "Sync"),
            "How Firecracker reads and writes disks.", "\"Async\"")
        { Example = "\"Sync\"" },
        ExtraArgs("Firecracker", "[ \"--no-seccomp\" ]"),
        new("extraConfig", new AttributesType(new AnyType()),
            "What is merged into Firecracker's configuration file.", "{}")
        { Example = "{ logger = { level = \"Debug\"; }; }" },
        Package("Firecracker", "firecracker"));

    internal static DeclaredOption Vfkit { get; } = Set("vfkit", "Options of vfkit, on macOS.",
        ExtraArgs("vfkit", "[ \"--restful-uri\" \"none://\" ]"),
        new("logLevel", new ChoiceType("debug", "info", "error"), "How much vfkit logs.", "\"info\"")
        { Nullable = true, NullIsAChoice = true, Example = "\"debug\"" },
        new("rosetta", new SetType(new("microvm.vfkit.rosetta",
            Bool("enable", false, "Whether an ARM guest runs x86-64 programs through Rosetta."),
            Bool("install", false, "Whether a missing Rosetta is installed."),
            Bool("ignoreIfMissing", false,
                "Whether to go on where Rosetta isn't available."))), "Rosetta, which runs x86-64 programs on ARM."),
        Package("vfkit", "vfkit"));

    /// <summary>The hypervisors, one row each: the row's name is the hypervisor's.</summary>
    internal static IReadOnlyList<DeclaredOption> All { get; } =
    [
        Qemu,
        CloudHypervisor,
        Firecracker,
        Crosvm,
        Set("kvmtool", "Options of kvmtool.", Package("kvmtool", "kvmtool")),
        Set("stratovirt", "Options of StratoVirt.", Package("StratoVirt", "stratovirt")),
        Set("alioth", "Options of Alioth.", Package("Alioth", "alioth")),
        Vfkit,
    ];

    internal static DeclaredOption Virtiofsd { get; } = Set("virtiofsd", "Options of the daemon behind virtiofs shares.",
        new("inodeFileHandles", new ChoiceType("never", "prefer", "mandatory"),
            "When virtiofsd refers to files by handle rather than by an open descriptor.", "\"prefer\"")
        { Nullable = true, NullIsAChoice = true, Example = "\"never\"" },
        new("threadPoolSize", new EitherType(Text, new IntegerType(0, 4096)),
            "How many threads virtiofsd has; the command nproc gives as many as the host has CPUs.", "\"`nproc`\"")
        { Example = "4" },
        new("group", Text,
            "The group that owns virtiofsd's sockets.", "\"kvm\"")
        { Nullable = true, NullIsAChoice = true, Example = "\"microvm\"" },
        ExtraArgs("every virtiofsd", "[ \"--log-level\" \"debug\" ]"),
        Package("virtiofsd", "virtiofsd"));
}
