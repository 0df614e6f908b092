using static Microvm.Declaration.Declare;

namespace Microvm.Declaration;

/// <summary>Every option under <c>microvm</c>: the one table that the reader, the JSON Schema and the documentation are made from.
/// Names and defaults are those of microvm.nix (nixos-modules/microvm/options.nix); ours of our own say so.</summary>
internal static class MicrovmOptions
{
    /// <summary>The hypervisors whose declarations are known.</summary>
    public static readonly IReadOnlyList<string> Hypervisors =
        ["qemu", "cloud-hypervisor", "firecracker", "crosvm", "kvmtool", "stratovirt", "alioth", "vfkit"];

    /// <summary>The options of <c>microvm</c> itself.</summary>
    public static OptionSet Microvm { get; } = new("microvm",
        new("hypervisor", new ChoiceType([.. Hypervisors]), "The hypervisor that runs the VM", "\"qemu\""),
        new("vcpu", new IntegerType(1, 1024), "Virtual CPUs; more than one gives an interface as many queue pairs where the hypervisor can", "1"),
        new("mem", new IntegerType(1, 16 * 1024 * 1024), "Memory in MiB", "512"),
        Bool("hugepageMem", false, "Back the memory with huge pages"),
        new("hotplugMem", Unsigned, "Most memory, in MiB, that can be added while the VM runs", "0"),
        new("hotpluggedMem", Unsigned, "How much of hotplugMem, in MiB, the VM starts with", "hotplugMem"),
        Bool("balloon", false, "A balloon, to take memory back from the running VM"),
        new("initialBalloonMem", Unsigned, "Size of the balloon at the start, in MiB", "0"),
        Bool("deflateOnOOM", true, "Let the guest deflate the balloon when it is out of memory"),
        new("cpu", Text, "CPU model to emulate (QEMU only, without KVM)") { Nullable = true },
        new("kernel", PackageValue, "Kernel to boot: the path of an image, or a kernel package") { Nullable = true },
        new("initrdPath", PathValue, "Initial RAM disk") { Nullable = true },
        new("kernelParams", Texts, "Words for the kernel's command line", "[]"),
        new("interfaces", new ListType(new SetType(DeviceOptions.Interface)), "Network interfaces", "[]"),
        new("forwardPorts", new ListType(new SetType(DeviceOptions.ForwardPort)), "Ports forwarded over an interface of type user", "[]"),
        new("volumes", new ListType(new SetType(DeviceOptions.Volume)), "Disk images", "[]"),
        new("shares", new ListType(new SetType(DeviceOptions.Share)), "Directories of the host that the guest mounts", "[]"),
        new("devices", new ListType(new SetType(DeviceOptions.Device)), "PCI and USB devices handed to the guest", "[]"),
        Set("vsock", "Sockets between host and guest",
            new("cid", new IntegerType(3, uint.MaxValue - 1), "The VM's address; 0, 1 and 2 are reserved. Setting it enables AF_VSOCK") { Nullable = true },
            Image("ssh", "The guest's own sshd over vsock")),
        new("credentialFiles", new AttributesType(PathValue), "Files handed to the guest as systemd credentials, by name", "{}"),
        new("socket", PathValue, "Control socket of the hypervisor, relative to the working directory", "\"HOSTNAME.sock\"") { Nullable = true },
        new("user", Text, "User that the hypervisor runs as when started by root") { Nullable = true },
        new("preStart", Text, "Shell commands before the hypervisor starts", "\"\""),
        new("extraArgsScript", Text, "A script whose one line of output is added to the hypervisor's arguments") { Nullable = true },
        new("binScripts", new AttributesType(new AnyType()), "More lines for the scripts of the runner's bin/", "{}"),
        Bool("prettyProcnames", true, "Name the process microvm@NAME"),
        new("machineId", Text, "UUID of the machine", "made from the host name") { Nullable = true },
        Bool("storeOnDisk", true, "Attach storeDisk, where it is given, as the first disk, read-only"),
        new("storeDisk", PathValue, "Disk image with the guest's /nix/store") { Nullable = true },
        HypervisorOptions.Graphics, HypervisorOptions.Qemu, HypervisorOptions.CloudHypervisor, HypervisorOptions.Crosvm,
        HypervisorOptions.Firecracker, HypervisorOptions.Vfkit,
        Set("kvmtool", "kvmtool", Package("kvmtool")),
        Set("stratovirt", "StratoVirt", Package("stratovirt")),
        Set("alioth", "Alioth", Package("alioth")),
        HypervisorOptions.Virtiofsd,
        Set("guest", "The guest's NixOS module", Image("enable", "Whether the guest's NixOS is set up")),
        Set("optimize", "Closure size", Image("enable", "Whether the guest's NixOS is made smaller")),
        Image("bootDisk", "Made by microvm.nix"), Image("runner", "Made by microvm.nix"), Image("declaredRunner", "Made by microvm.nix"),
        Image("vmHostPackages", "nixpkgs of the host"), Image("registerClosure", "The guest's Nix database"),
        Image("registerWithMachined", "Registration with systemd-machined"), Image("systemSymlink", "share/microvm/system of the runner"),
        Image("storeDiskType", "File system of the built store disk"), Image("storeDiskErofsFlags", "Flags for mkfs.erofs"),
        Image("storeDiskSquashfsFlags", "Flags for gensquashfs"), Image("writableStoreOverlay", "The guest's writable /nix/store"),
        Image("deploy", "Deployment over ssh"));
}
