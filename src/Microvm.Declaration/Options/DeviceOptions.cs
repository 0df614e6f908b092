namespace Microvm.Declaration;

/// <summary>The options of what a VM has many of.</summary>
internal static class DeviceOptions
{
    /// <summary>The options of one network interface.</summary>
    public static OptionSet Interface { get; } = new("microvm.interfaces.*",
        new("type", new ChoiceType("user", "tap", "macvtap", "bridge"), "How the interface reaches the host's network") { Required = true },
        new("id", new TextType(), "Name of the interface on the host: 1 to 15 bytes that Linux accepts") { Required = true },
        new("mac", new TextType(), "Ethernet address of the guest's side, unicast") { Required = true },
        new("bridge", new TextType(), "Bridge to attach to: required for type bridge, welcome for type tap. Left out, whom a tap is attached to is left alone; null says that a tap is attached to none") { Nullable = true },
        new("bridgeHelper", new BoolType(), "Ours. Type bridge on QEMU: true lets qemu-bridge-helper make the tap, false has 'microvm up' make it, with QEMU's sandbox fully on", "true on QEMU, false elsewhere") { Nullable = true },
        new("macvtap", new SetType(new("microvm.interfaces.*.macvtap",
            new("link", new TextType(), "Lower device on the host") { Required = true },
            new("mode", new ChoiceType("private", "vepa", "bridge", "passthru", "source"), "MACVTAP filtering mode") { Required = true },
            new("sourceMacs", new ListType(new TextType()), "Ours. Mode source: the senders whose frames are let through", "[]"))), "Required for type macvtap"),
        new("tap", new SetType(new("microvm.interfaces.*.tap",
            new DeclaredOption("vhost", new BoolType(), "Let the kernel's vhost-net move the packets", "false"))), "For type tap"),
        new("user", new SetType(new("microvm.interfaces.*.user",
            new DeclaredOption("kernelIp", new BoolType(), "Ours. Type user on kvmtool, where DHCP may be missing: pass the static address on the kernel's command line", "false"))), "Ours. For type user"));

    /// <summary>The options of one forwarded port.</summary>
    public static OptionSet ForwardPort { get; } = new("microvm.forwardPorts.*",
        new("from", new ChoiceType("host", "guest"), "Where the connections come from", "\"host\""),
        new("proto", new ChoiceType("tcp", "udp"), "Protocol", "\"tcp\""),
        new("host", new SetType(PortEnd("host")), "The host's end") { Required = true },
        new("guest", new SetType(PortEnd("guest")), "The guest's end") { Required = true });

    private static OptionSet PortEnd(string side) => new($"microvm.forwardPorts.*.{side}",
        new("address", new TextType(), "IPv4 address; empty for any", "\"\""),
        new("port", new IntegerType(1, 65535), "Port") { Required = true });

    /// <summary>The options of one disk image.</summary>
    public static OptionSet Volume { get; } = new("microvm.volumes.*",
        new("image", new PathType(), "Disk image on the host, relative to the working directory") { Required = true },
        new("serial", new TextType(), "Serial number that the guest sees") { Nullable = true },
        new("direct", new BoolType(), "Bypass the host's page cache (O_DIRECT)", "false"),
        new("readOnly", new BoolType(), "No write access", "false"),
        new("label", new TextType(), "File system label, where it is made by autoCreate") { Nullable = true },
        new("mountPoint", new TextType(), "Where the guest mounts it") { Nullable = true },
        new("size", new IntegerType(1, 1L << 32), "Size in MiB, where it is made by autoCreate"),
        new("autoCreate", new BoolType(), "Make the image before the first start", "true"),
        new("mkfsExtraArgs", new ListType(new TextType()), "More arguments for mkfs", "[]"),
        new("fsType", new TextType(MayBeEmpty: false), "File system to make and to mount", "\"ext4\""),
        new("imageType", new ChoiceType("raw", "qcow2", "vhd", "vhdx"), "Format of the image", "\"raw\""));

    /// <summary>The options of one shared directory.</summary>
    public static OptionSet Share { get; } = new("microvm.shares.*",
        new("tag", new TextType(MayBeEmpty: false), "Tag under which the guest mounts it") { Required = true },
        new("source", new PathType(), "Directory on the host") { Required = true },
        new("mountPoint", new TextType(), "Where the guest mounts it") { Nullable = true },
        new("proto", new ChoiceType("9p", "virtiofs"), "Protocol", "\"9p\""),
        new("socket", new PathType(), "Socket of virtiofsd", "\"HOSTNAME-virtiofs-TAG.sock\" for virtiofs") { Nullable = true },
        new("securityModel", new ChoiceType("passthrough", "none", "mapped", "mapped-file"), "9p: how owners and modes are kept", "\"none\""),
        new("readOnly", new BoolType(), "No write access", "false"),
        new("cache", new ChoiceType("auto", "always", "metadata", "never"), "virtiofs: how the guest caches", "\"auto\""),
        new("posixAcl", new BoolType(), "virtiofs: pass access control lists through", "true"),
        new("extraArgs", new ListType(new TextType()), "virtiofs: more arguments for virtiofsd", "[]"));

    /// <summary>The options of one device handed to the guest.</summary>
    public static OptionSet Device { get; } = new("microvm.devices.*",
        new("bus", new ChoiceType("pci", "usb"), "The device's bus") { Required = true },
        new("path", new TextType(MayBeEmpty: false), "PCI: its address, like 0000:01:00.0. USB: vendorid=0xabcd,productid=0x0123 or hostbus=1,hostaddr=2") { Required = true },
        new("deviceExtraArgs", new TextType(), "As qemu.deviceExtraArgs") { Nullable = true },
        new("qemu", new SetType(new("microvm.devices.*.qemu",
            new("id", new TextType(), "QEMU's id for it") { Nullable = true },
            new("bus", new TextType(), "QEMU's bus for it") { Nullable = true },
            new("deviceExtraArgs", new TextType(), "More properties, as QEMU writes them") { Nullable = true })), "For QEMU"));
}
