using static Microvm.Declaration.Declare;

namespace Microvm.Declaration;

/// <summary>Every option under <c>microvm</c>: the one table that the reader, the JSON Schema, the documentation and the options
/// of the Nix modules are made from. Names and defaults are those of microvm.nix (nixos-modules/microvm/options.nix); what is not
/// there says so.</summary>
internal static class MicrovmOptions
{
    /// <summary>The hypervisors whose declarations are known.</summary>
    public static IReadOnlyList<string> Hypervisors { get; } = [.. HypervisorOptions.All.Select(o => o.Name)];

    // What NixOS builds is no option that anybody sets: nix/modules/microvm/outputs.nix declares it.
    private static readonly NixOption s_byHand = new() { ByHand = true };

    /// <summary>The options of <c>microvm</c> itself.</summary>
    public static OptionSet Microvm { get; } = new("microvm",
    [
        new("hypervisor", new ChoiceType([.. Hypervisors]), "The hypervisor that runs the MicroVM.", "\"qemu\"")
        { Example = "\"cloud-hypervisor\"" },
        new("vcpu", new IntegerType(1, 1024),
            "How many virtual CPUs the guest has. With more than one, an interface gets as many queue pairs where the hypervisor can.", "1")
        { Example = "2" },
        new("mem", new IntegerType(1, 16 * 1024 * 1024), "The guest's memory, in MiB.", "512") { Example = "2048" },
        Bool("hugepageMem", false, "Whether the guest's memory is taken from huge pages."),
        new("hotplugMem", Unsigned,
            "How much memory may be added while the VM runs, through virtio-mem, in MiB.", "0")
        { Example = "4096" },
        new("hotpluggedMem", Unsigned,
            "How much of `hotplugMem` the VM has from its start, in MiB.", "hotplugMem")
        { Example = "1024", Nix = new() { Default = "cfg.hotplugMem" } },
        Bool("balloon", false, "Whether the guest has a balloon, with which the host can take memory back."),
        new("initialBalloonMem", Unsigned, "How much memory the balloon holds from the start, in MiB.", "0") { Example = "256" },
        Bool("deflateOnOOM", true, "Whether the balloon gives memory back by itself when the guest runs out of it."),
        Maybe("cpu", "\"cortex-a53\"",
            "The CPU that QEMU emulates; null takes the host's. A CPU of another architecture is emulated in software, and slow."),
        new("kernel", PackageValue,
            "The guest's kernel: a package, or the path of its image. In a NixOS configuration set `boot.kernelPackages` instead.")
        {
            Nullable = true,
            Example = "pkgs.linuxPackages_latest.kernel",
            Nix = new() { Type = "types.package", Default = "config.boot.kernelPackages.kernel" },
        },
        new("initrdPath", PathValue, "The file of the guest's initial RAM disk.")
        {
            Nullable = true,
            Example = "\"/var/lib/guests/initrd\"",
            Nix = new()
            {
                Type = "types.path",
                Default = "\"${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}\"",
            },
        },
        Words("kernelParams", "[ \"console=ttyS0\" ]",
            "Parameters on the kernel's command line; in a NixOS configuration they follow those of `boot.kernelParams`."),
        new("interfaces", new ListType(new SetType(DeviceOptions.Interface)), "The VM's network interfaces.", "[]")
        { Example = """[ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ]""" },
        new("networks", new AttributesType(new SetType(DeviceOptions.Network)),
            "Networks of the host that `microvm up` makes for the interfaces that name them: a bridge with addresses, DHCP, DNS and NAT. "
                + "Not in microvm.nix.", "{}")
        { Example = """{ home.addresses = [ "10.20.0.1/24" "fd00:20::1/64" ]; }""" },
        Set("assertions", "What `microvm check` holds the declarations to. Not in microvm.nix.",
            Words("reach", "[ \"web -> db:5432\" \"web !-> internet\" ]",
                "Who reaches whom (`->`), or must not (`!->`): a VM, VM/INTERFACE, `host`, `internet` or an address, and for the other end a port, "
                    + "as in `db:53/udp`. A VM that is declared elsewhere is left to a check of all declarations together.")),
        new("forwardPorts", new ListType(new SetType(DeviceOptions.ForwardPort)), "Ports of the host that lead to the guest: to its interface of type `user`, or else to the first that joins a network.", "[]")
        { Example = "[ { host.port = 2222; guest.port = 22; } ]" },
        new("volumes", new ListType(new SetType(DeviceOptions.Volume)), "Disk images.", "[]")
        { Example = """[ { image = "var.img"; mountPoint = "/var"; size = 256; } ]""" },
        new("shares", new ListType(new SetType(DeviceOptions.Share)), "Directories of the host that the guest sees.", "[]")
        { Example = """[ { proto = "virtiofs"; tag = "home"; source = "home"; mountPoint = "/home"; } ]""" },
        new("devices", new ListType(new SetType(DeviceOptions.Device)), "Devices of the host that are handed to the guest.", "[]")
        { Example = """[ { bus = "pci"; path = "0000:06:00.1"; } ]""" },
        Set("vsock", "Sockets between host and guest.",
            new("cid", new IntegerType(3, uint.MaxValue - 1),
                "The guest's address for AF_VSOCK, which setting it turns on; 0 to 2 are reserved.")
            { Nullable = true, Example = "1000", Nix = new() { Type = "types.nullOr types.int" } },
            new("ssh", new SetType(new("microvm.vsock.ssh", Bool("enable", false,
                "Whether the guest's SSH server listens on AF_VSOCK, for `microvm ssh`; it needs `vsock.cid`."))), "The guest's SSH server.")
            { Nullable = true }),
        new("credentialFiles", new AttributesType(PathValue),
            "Files of the host that the guest's systemd gets as credentials, by name.", "{}")
        { Example = "{ TOKEN = \"/run/secrets/token\"; }", Nix = new() { Type = "types.attrsOf types.path" } },
        new("socket", PathValue,
            "The hypervisor's control socket, relative to the VM's directory. Null: no socket, and no graceful stop.", "\"HOSTNAME.sock\"")
        {
            Nullable = true,
            NullIsAChoice = true,
            Example = "\"control.sock\"",
            Nix = new() { Default = "\"${hostName}.sock\"", DefaultText = "\"${config.networking.hostName}.sock\"" },
        },
        Maybe("user", "\"microvm\"", "The user that a hypervisor started by root becomes."),
        new("preStart", Text,
            "Shell commands that run before the hypervisor starts.", "\"\"")
        { Example = "\"mkdir -p shared\"", Nix = new() { Type = "types.lines" } },
        Maybe("extraArgsScript", "\"/run/keys/vm-arguments\"", "A program that prints one line of further arguments for the hypervisor."),
        new("binScripts", new AttributesType(new AnyType()),
            "Scripts of the runner's `bin/`, by file name. Our own part of a script stands at order 1000: `lib.mkBefore` goes "
                + "before it, `lib.mkAfter` after it, `lib.mkForce` in its place.",
            "{}")
        {
            Example = "{ tap-up = lib.mkAfter ''\n  ip link set dev vm-a1 master br0\n''; }",
            Nix = new() { Type = "types.attrsOf types.lines" },
        },
        Bool("prettyProcnames", true, "Whether the hypervisor's process is named `microvm@NAME`."),
        new("machineId", Text, "The VM's UUID, which systemd-machined and SMBIOS show.", "made from the host name")
        {
            Nullable = true,
            NullIsAChoice = true,
            Example = "\"a67472e5-570e-5c8a-b18c-ae3c77701050\"",
            Nix = new()
            {
                Default = "let h = builtins.hashString \"sha256\" \"microvm.nix:${hostName}\"; part = builtins.substring; in "
                    + "\"${part 0 8 h}-${part 8 4 h}-${part 12 4 h}-${part 16 4 h}-${part 20 12 h}\"",
                DefaultText = "a UUID made from the VM's name",
            },
        },
        new("storeOnDisk", new BoolType(),
            "Whether the guest's /nix/store is a disk image: `storeDisk`, where it is given, is attached as the first disk, read-only.",
            "true")
        {
            Example = "true",
            Nix = new()
            {
                Default = "!builtins.any (share: share.source == \"/nix/store\") cfg.shares",
                DefaultText = "no share has the source /nix/store",
            },
        },
        new("storeDisk", PathValue, "The image of the guest's /nix/store.")
        {
            Nullable = true,
            Example = "\"/nix/store/…-store.erofs\"",
            Nix = new() { Type = "types.path", NoDefault = true, Internal = true },
        },
        HypervisorOptions.Graphics, .. HypervisorOptions.All, HypervisorOptions.Virtiofsd,
        Set("guest", "The guest's NixOS module.", Image("enable", NixFlag(true), "false",
            "Whether this configuration is a MicroVM's guest at all.")),
        Set("optimize", "The size of the guest's NixOS.", Image("enable", NixFlag(true), "false",
            "Whether to make the guest smaller and quicker to boot: no documentation, systemd in the initrd, networkd without "
                + "waiting for the network.")),
        Image("bootDisk", new() { Type = "types.path", NoDefault = true, Internal = true }, "\"/nix/store/…-boot.img\"",
            "The boot image, once built, for hypervisors that load no kernel themselves."),
        Image("runner", s_byHand, "", "The VM's runner for each hypervisor."), Image("declaredRunner", s_byHand, "",
            "The runner for the declared hypervisor."),
        Image("vmHostPackages", s_byHand, "", "The package set that the hypervisor and the runner's scripts are from."),
        Image("registerClosure", NixFlag(true), "false", "Whether the guest's Nix database knows its store's paths."),
        Bool("registerWithMachined", false, "Whether the VM's unit registers it with systemd-machined, for machinectl."),
        Image("systemSymlink", new() { Type = "types.bool", Default = "!cfg.storeOnDisk" }, "false",
            "Whether the runner links to the guest's system, so that `microvm list` can compare versions."),
        Image("storeDiskType", new() { Type = "types.enum [ \"squashfs\" \"erofs\" ]", Default = "\"erofs\"" },
            "\"squashfs\"", "The file system of the store's image."),
        Image("storeDiskErofsFlags", new() { Type = "types.listOf types.str", Default = "[ \"-zlz4hc\" ]" },
            "[ \"-zlz4hc\" \"-Ededupe\" ]", "Flags for mkfs.erofs."),
        Image("storeDiskSquashfsFlags",
            new() { Type = "types.listOf types.str", Default = "[ \"-c\" \"zstd\" \"-j\" \"$NIX_BUILD_CORES\" ]" },
            "[ \"-c\" \"lz4\" ]", "Flags for gensquashfs."),
        Image("writableStoreOverlay", new() { Type = "types.nullOr types.str", Default = "null" }, "\"/nix/.rw-store\"",
            "Where the writable layer over /nix/store is; null: the store is read-only."),
        Image("deploy", s_byHand, "", "microvm.nix's scripts for deployment over SSH."),
    ]);
}
