using static Microvm.Declaration.Declare;

namespace Microvm.Declaration;

/// <summary>The options of what a VM has many of.</summary>
internal static class DeviceOptions
{
    /// <summary>The options of one network interface.</summary>
    public static OptionSet Interface { get; } = new("microvm.interfaces.*",
        new("type", new ChoiceType("user", "tap", "macvtap", "bridge"),
            "How the interface reaches a network: through the hypervisor itself (`user`), a tap, a macvtap on a device of the host, "
                + "or a tap on a bridge that QEMU's helper can make (`bridge`).")
        { Required = true, Example = "\"tap\"" },
        new("id", Text,
            "The interface's name on the host: 1 to 15 bytes that Linux accepts, unique among all VMs.")
        { Required = true, Example = "\"vm-a1\"" },
        new("mac", Text,
            "The Ethernet address of the guest's side, which is unicast. Locally administered ones have 2, 6, A or E as their "
                + "second digit.")
        { Required = true, Example = "\"02:00:00:00:00:01\"" },
        new("bridge", Text,
            "The bridge to attach to: required for type `bridge`, welcome for type `tap`. Where it is left out, others decide what "
                + "a tap is attached to (systemd-networkd, Open vSwitch, a script); `null`, written down, says that the tap is attached "
                + "to nothing.")
        { Nullable = true, NullIsAChoice = true, Example = "\"br0\"" },
        new("network", Text,
            "Type `tap`: the network of `microvm.networks` that the tap joins, which `microvm up` makes; `default` needs no declaration. "
                + "Not in microvm.nix.")
        { Nullable = true, Example = "\"home\"" },
        Words("addresses", "[ \"10.20.0.20\" ]",
            "With `network`: the addresses that the guest is given by DHCP, one of each family at most. Where they are left out, microvm "
                + "chooses some that stay the same. On a bridge of your own with `antiSpoof = \"ip\"`: the addresses that the guest has. Not in microvm.nix."),
        new("egress", new SetType(Egress("microvm.interfaces.*.egress")),
            "With `network`: where the guest may connect to by this interface, beside what the network's own `egress` says. Not in microvm.nix."),
        new("mtu", new IntegerType(68, 65535),
            "The largest packet on the interface, in bytes. The guest learns it where the hypervisor can tell it. Where it is left out, "
                + "the link has that of its bridge or lower device when it is made, and later changes are not undone. Not in microvm.nix.")
        { Nullable = true, Example = "9000" },
        new("isolated", new BoolType(),
            "Types `tap` and `bridge`: whether the guest reaches only those ports of its bridge that are not isolated, such as the uplink, "
                + "and the host itself. Where it is left out, the port stays as it is. Not in microvm.nix.",
            "as it is")
        { Nullable = true, Example = "true" },
        new("antiSpoof", new ChoiceType("off", "mac", "ip"),
            "Types `tap` and `bridge`: what the guest may send under: with `mac` under its declared MAC alone, with `ip` under that and its "
                + "addresses (those of `addresses`, or that its network gives it), with `off` under any. "
                + "Where it is left out, the port stays as it is. Not in microvm.nix.",
            "as it is")
        { Nullable = true, Example = "\"mac\"" },
        new("bridgeHelper", new BoolType(),
            "Type `bridge` on QEMU: true lets qemu-bridge-helper make the tap, false has `microvm up` make it, with QEMU's sandbox "
                + "fully on. Where it is left out or null, QEMU uses the helper and the other hypervisors do not. Not in microvm.nix.",
            "true on QEMU, false elsewhere")
        { Nullable = true, Example = "false" },
        new("macvtap", new SetType(new("microvm.interfaces.*.macvtap",
            new("link", Text, "The host's device that the macvtap sits on.") { Required = true, Example = "\"eth0\"" },
            new("mode", new ChoiceType("private", "vepa", "bridge", "passthru", "source"),
                "Which other stations on that device the macvtap may reach.")
            { Required = true, Example = "\"bridge\"" },
            Words("sourceMacs", "[ \"02:00:00:00:00:02\" ]",
                "Mode `source`: the senders whose frames are let through. Not in microvm.nix."))), "Required for type `macvtap`."),
        new("tap", new SetType(new("microvm.interfaces.*.tap",
            Bool("vhost", false,
                "Whether the host's kernel carries the packets of the tap (vhost-net), for more throughput."),
            new("txQueueLength", new IntegerType(1, 1_000_000),
                "How many packets wait for the guest before one is dropped. Where it is left out, the kernel's own length of 1000 stays. "
                    + "Not in microvm.nix.")
            { Nullable = true, Example = "5000" })), "For type `tap`."),
        new("host", new SetType(new("microvm.interfaces.*.host",
            Words("addresses", "[ \"10.0.9.1/32\" \"fd00:9::1/128\" ]",
                "Addresses of the host on the tap, with their prefixes. Not in microvm.nix."),
            Words("routes", "[ \"10.0.9.2/32\" \"10.1.0.0/24 via 10.0.9.2\" ]",
                "What the host sends to the guest: networks, each with `via ADDRESS` and `metric NUMBER` where it needs them. A route to one "
                    + "address makes the guest's MAC known under it too, so that the host need not ask. Not in microvm.nix."))),
            "For type `tap` without a bridge or network: the host's own end of it. Not in microvm.nix."),
        new("guest", new SetType(new("microvm.interfaces.*.guest",
            Words("addresses", "[ \"10.20.0.20/24\" ]",
                "The guest's own IPv4 address with its prefix, which it is told on the kernel's command line. It counts as one of `addresses`, "
                    + "and on a tap with `host.addresses` the host has a route to it. Not in microvm.nix."),
            Maybe("gateway", "\"10.20.0.1\"",
                "The guest's gateway. Where it is left out, the host's address in its `network` or on its tap. Not in microvm.nix."),
            Words("dns", "[ \"10.20.0.1\" ]",
                "The guest's name servers, two at most. Where there is none, the host's address in its `network`, if that has `dns`. Not in microvm.nix."))),
            "A fixed address without DHCP, for the one interface of a VM. Not in microvm.nix."),
        new("user", new SetType(new("microvm.interfaces.*.user",
            Bool("kernelIp", false,
                "Type `user` on kvmtool, where DHCP may be missing: whether the guest's static address is passed on the kernel's "
                    + "command line. Not in microvm.nix."))),
            "For type `user`. Not in microvm.nix."));

    /// <summary>The options of one network.</summary>
    public static OptionSet Network { get; } = new("microvm.networks.*",
        Words("addresses", "[ \"10.20.0.1/24\" \"fd00:20::1/64\" ]",
            "The host's addresses in the network, which are the guests' gateway, one of each family at most. Where they are left out, "
                + "microvm takes a private /24 that is free on the host, and a unique local /64; both follow from the network's name."),
        new("kind", new ChoiceType(DeclaredNetwork.Kinds),
            "Who reaches whom. `nat`: guests reach the outside under the host's own addresses. `routed`: under their own, and the outside reaches them; the router there needs "
                + "a route, which `plan` prints. `isolated`: guests reach each other and the host. `internal`: guests reach each other alone, and the host has no address there. "
                + "Where it is left out, `nat` says which of `nat` and `isolated`.")
        { Nullable = true, Example = "\"routed\"" },
        new("nat", new EitherType(new BoolType(), new SetType(new("microvm.networks.*.nat",
            Maybe("uplink", "\"eth0\"", "The one link of the host by which guests leave."),
            Bool("ipv6", true, "Whether they do so over IPv6 too.")))),
            "Whether guests reach the outside under the host's own addresses, by whatever link the routes lead to. Where it is false, they reach each other and the host alone. "
                + "A set has more to say: `uplink`, the one link by which they leave, and `ipv6`, whether they do over IPv6 too.", "true")
        { Example = "{ uplink = \"eth0\"; ipv6 = false; }", Nix = new() { Type = "types.either types.bool types.attrs" } },
        Bool("dhcp", true, "Whether guests get their addresses by DHCP, and for IPv6 by router advertisements."),
        Bool("dns", true, "Whether the host answers names for the guests: their own, and what the host itself can resolve."),
        Maybe("domain", "\"home.internal\"", "The domain of the guests' names; without it they have none."),
        new("mtu", new IntegerType(68, 65535), "The bridge's MTU, which guests learn by DHCP and router advertisements. Where it is left out, the bridge has the kernel's 1500.")
        { Nullable = true, Example = "9000" },
        new("egress", new SetType(Egress("microvm.networks.*.egress")), "Where guests may connect to; what they answer is not limited. Guests of one bridge reach each other all the same: `isolated` of an interface forbids that."));

    private static OptionSet Egress(string path)
    {
        const string Entries = "An entry is an address or a network, `any`, `private` (all addresses that are not the Internet's) or `host` (this host itself), and may have a port after it: `10.0.0.0/8`, `any tcp/443`, `host udp/123`, `192.0.2.7 tcp/8000-8010`.";
        return new(path,
            Words("allow", "[ \"any tcp/443\" ]", $"Where there is an entry, guests connect to nothing else. {Entries} DHCP and DNS of the network are always allowed."),
            Words("deny", "[ \"host\" \"private\" ]", "What guests don't connect to, whatever is allowed. The entries are those of `allow`."));
    }

    /// <summary>The options of one forwarded port.</summary>
    public static OptionSet ForwardPort { get; } = new("microvm.forwardPorts.*",
        new("from", new ChoiceType("host", "guest"),
            "Which side opens the connection: `host` reaches the guest's port, `guest` the host's.", "\"host\"")
        { Example = "\"guest\"" },
        new("proto", new ChoiceType("tcp", "udp"), "The protocol that is forwarded.", "\"tcp\"") { Example = "\"udp\"" },
        new("host", new SetType(new("microvm.forwardPorts.*.host",
            new("address", Text, "The host's IPv4 address; empty means all of them.", "\"\"") { Example = "\"127.0.0.1\"" },
            new("port", new IntegerType(1, 65535), "The port on the host.") { Required = true, Example = "2222" })), "The host's end.")
        { Required = true },
        new("count", new IntegerType(1, 1024), "How many ports in a row are forwarded, beginning with the two that are named.", "1") { Example = "11" },
        new("guest", new SetType(new("microvm.forwardPorts.*.guest",
            new("address", Text,
                "The guest's IPv4 address; empty means the one that user networking hands out.", "\"\"")
            { Example = "\"10.0.2.15\"" },
            new("port", new IntegerType(1, 65535), "The port in the guest.") { Required = true, Example = "22" })), "The guest's end.")
        { Required = true });

    /// <summary>The options of one disk image.</summary>
    public static OptionSet Volume { get; } = new("microvm.volumes.*",
        new("image", PathValue,
            "The disk image's file on the host, relative to the VM's directory.")
        { Required = true, Example = "\"var.img\"" },
        Maybe("serial", "\"disk-1\"", "The serial number that the guest sees."),
        Bool("direct", false, "Whether the host opens the image with O_DIRECT, past its page cache."),
        Bool("readOnly", false, "Whether the guest may only read it."),
        Maybe("label", "\"data\"", "The label that a new file system gets."),
        new("mountPoint", Text, "Where the guest mounts it; null means nowhere.")
        { Nullable = true, Example = "\"/var\"", Nix = new() { Type = "types.nullOr types.path", NoDefault = true } },
        new("size", new IntegerType(1, 1L << 32),
            "The size of an image that is made before the first start, in MiB.")
        { Example = "256", Nix = new() { Type = "types.int" } },
        Bool("autoCreate", true, "Whether a missing image is made before the start."),
        Words("mkfsExtraArgs", "[ \"-m\" \"0\" ]", "Further arguments for mkfs."),
        new("fsType", new TextType(MayBeEmpty: false),
            "The file system that a new image gets, and that the guest mounts.", "\"ext4\"")
        { Example = "\"btrfs\"" },
        new("imageType", new ChoiceType("raw", "qcow2", "vhd", "vhdx"), "The image's format (cloud-hypervisor).", "\"raw\"")
        { Example = "\"qcow2\"" });

    /// <summary>The options of one shared directory.</summary>
    public static OptionSet Share { get; } = new("microvm.shares.*",
        new("tag", new TextType(MayBeEmpty: false),
            "The name by which the guest mounts it; each share has its own.")
        { Required = true, Example = "\"ro-store\"" },
        new("source", PathValue, "The directory on the host.")
        {
            Required = true,
            Example = "\"/nix/store\"",
            Nix = new()
            { Type = "types.nonEmptyStr" }
        },
        new("mountPoint", Text, "Where the guest mounts it.")
        { Nullable = true, Example = "\"/nix/.ro-store\"", Nix = new() { Type = "types.path", NoDefault = true } },
        new("proto", new ChoiceType("9p", "virtiofs"), "How the directory is shared.", "\"9p\"") { Example = "\"virtiofs\"" },
        new("socket", PathValue, "The socket of its virtiofsd.", "\"HOSTNAME-virtiofs-TAG.sock\" for virtiofs")
        {
            Nullable = true,
            Example = "\"home.sock\"",
            Nix = new()
            {
                Default = """if config.proto == "virtiofs" then "${hostName}-virtiofs-${config.tag}.sock" else null""",
                DefaultText = """if proto == "virtiofs" then "${hostName}-virtiofs-${tag}.sock" else null""",
            },
        },
        new("securityModel", new ChoiceType("passthrough", "none", "mapped", "mapped-file"), "How 9p keeps owners and modes.", "\"none\"")
        { Example = "\"mapped\"" },
        Bool("readOnly", false, "Whether the guest may only read it."),
        new("cache", new ChoiceType("auto", "always", "metadata", "never"),
            "What the guest caches of a virtiofs share.", "\"auto\"")
        { Example = "\"never\"" },
        Bool("posixAcl", true, "Whether virtiofsd serves POSIX ACLs, which excludes its argument `--translate-uid`."),
        Words("extraArgs", "[ \"--translate-uid\" \"guest:999:1000:1\" ]", "Further arguments for this share's virtiofsd."));

    /// <summary>The options of one device handed to the guest.</summary>
    public static OptionSet Device { get; } = new("microvm.devices.*",
        new("bus", new ChoiceType("pci", "usb"), "The bus that the device is on.") { Required = true, Example = "\"pci\"" },
        new("path", new TextType(MayBeEmpty: false),
            "Where the device is on its bus. PCI: its address, like `0000:01:00.0`. USB: `vendorid=0xabcd,productid=0x0123` or "
                + "`hostbus=1,hostaddr=2`.")
        { Required = true, Example = "\"0000:01:00.0\"" },
        Maybe("deviceExtraArgs", "\"x-igd-opregion=on\"", "The same as `qemu.deviceExtraArgs`."),
        new("qemu", new SetType(new("microvm.devices.*.qemu",
            Maybe("id", "\"card\"", "QEMU's name for the device."),
            Maybe("bus", "\"pci_port_0\"", "The QEMU bus that the device is attached to."),
            Maybe("deviceExtraArgs", "\"x-igd-opregion=on\"", "Further properties of QEMU's device, as QEMU writes them."))), "For QEMU."));
}
