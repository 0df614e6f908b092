using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>Firecracker: a JSON configuration (src/firecracker/swagger/firecracker.yaml) and a few arguments.</summary>
public sealed class Firecracker : IHypervisor
{
    public string Name => "firecracker";

    public string Source => "src/firecracker/swagger/firecracker.yaml (NetworkInterface)";

    // Its CHANGELOG.md: #6037 (unreleased after 1.16.1), PCI with 1.13, the MTU with 1.16.
    private static readonly Version s_bzImages = new(1, 17), s_pci = new(1, 13), s_mtu = new(1, 16);

    private static readonly FactSheet s_facts = new(
        "firecracker", "1.17-dev, on KVM", KernelFormats.BzImage | KernelFormats.Vmlinux, KernelFormats.Vmlinux, StopWay.CtrlAltDel)
    {
        BootsBzImageFrom = s_bzImages,
        KernelNote = $"with PCI (CONFIG_PCI) from {s_pci} on, where it is started with --enable-pci",
        Mtu = $"mtu, from {s_mtu} on, where it isn't 1500",
        OneQueuePair = "it knows no more",
        Id = "the declared one, with '_' in the place of each character that its API can't take in a path (all but letters, digits and '_'); in mmds-config.network_interfaces the declared ids are translated",
        StopNote = "it ends when the guest reboots, so let ctrl-alt-del be a reboot there: after a power-off the process stays until it is killed. There is no such key on aarch64",
    };

    public FactSheet Facts => s_facts;

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type switch
    {
        InterfaceType.Macvtap => [AttachmentKind.TapRedirect],
        InterfaceType.User => [AttachmentKind.UserNamespace],
        _ => [AttachmentKind.TapByName],
    };

    public int MaxQueuePairs(AttachmentKind kind, bool vhost) => 1;

    public void Check(MicrovmConfig vm, Findings findings)
    {
        findings.RefuseCommon();
        findings.NoVhost();
        findings.UserNetworkInNamespace();
        findings.ImageTypes("raw");
        findings.RefuseIf(vm.Vcpu > 1 && vm.Vcpu % 2 == 1 || vm.Vcpu > 32, "vcpu", "Firecracker takes 1 vCPU or an even number up to 32");
        findings.RefuseIf(vm.Shares.Count > 0, "shares", "Firecracker has neither 9p nor virtiofs; use a volume, or another hypervisor");
        findings.RefuseIf(vm.Devices.Count > 0, "devices", "Firecracker hands over no devices of the host; use qemu or cloud-hypervisor");
        findings.RefuseIf(vm.HotpluggedMemoryMiB > 0, "hotplugMem", "Firecracker's memory for hotplug starts unplugged; set hotpluggedMem = 0 and plug it in over the control socket");
        findings.RefuseIf(vm.HotplugMemoryMiB % 128 != 0, "hotplugMem", "Firecracker plugs memory in slots of 128 MiB; choose a multiple");
        findings.RefuseIf(vm.Socket is null, "socket", "Firecracker is stopped over its API socket; leave 'socket' at its default");
        var extra = new GivenOptions(vm.Firecracker.ExtraArgs);
        findings.RefuseIf(extra.Has("--config-file"), "firecracker.extraArgs", "Firecracker takes '--config-file' once, and it is made from the declaration; put what is to be in it into firecracker.extraConfig");
        findings.RefuseIf(extra.Has("--api-sock"), "firecracker.extraArgs", "Firecracker takes '--api-sock' once, and it is made from microvm.socket; set that instead");
        foreach (var volume in vm.Volumes.Where(v => v.Direct))
        {
            findings.Warn(volume.At, "Firecracker has no direct I/O; the volume goes through the page cache");
        }
        foreach (var volume in vm.Volumes.Where(v => v.Serial is not null))
        {
            findings.Warn(volume.At, "Firecracker shows no serial number to the guest");
        }
        if ((Fraction(vm.Firecracker.ExtraConfig) ?? Fraction(vm.Firecracker.Cpu)) is { } fraction)
        {
            findings.Refuse(fraction, "only whole numbers are carried over into Firecracker's configuration");
        }
    }

    public IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host) =>
        [Interface(vm, attachment, host).ToJsonString()];

    private static JsonObject Interface(MicrovmConfig vm, Attachment attachment, HostFacts host)
    {
        var made = new JsonObject
        {
            ["iface_id"] = IdOf(vm, attachment.Interface),
            ["host_dev_name"] = attachment.Interface.Id.Value,
            ["guest_mac"] = attachment.Interface.Mac.ToString(),
        };
        if (host.Version >= s_mtu && host.Mtu(attachment.Interface.Id.Value) is not HostFacts.UsualMtu and var mtu)
        {
            made["mtu"] = mtu;
        }
        return made;
    }

    public string? InterfaceId(MicrovmConfig vm, NetworkInterface i) => IdOf(vm, i);

    /// <summary>The configuration takes any id, a path of the API only letters, digits and '_' (checked_id of its parsed_request.rs), so
    /// that a declared id with another character could not be changed while the VM runs.</summary>
    private static string IdOf(MicrovmConfig vm, NetworkInterface i)
    {
        static string Plain(string id) => string.Concat(id.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        var plain = Plain(i.Id.Value);
        var alike = vm.Interfaces.Where(other => Plain(other.Id.Value) == plain).ToList();
        // A declared id that is plain already keeps it.
        return plain == i.Id.Value || alike.Count == 1 ? plain
            : Enumerable.Range(alike.IndexOf(i) + 1, vm.Interfaces.Count + 1).Select(n => $"{plain}_{n}").First(free => vm.Interfaces.All(other => Plain(other.Id.Value) != free));
    }

    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var file = $"{vm.Name}-firecracker.json";
        List<string> words = [Program(vm.Firecracker.Package, "firecracker"), "--config-file", file];
        if (vm.Socket is { } socket)
        {
            words.AddRange(["--api-sock", socket]);
        }
        var given = new GivenOptions(vm.Firecracker.ExtraArgs);
        // As microvm.nix gives it.
        words.AddRange(host.Version >= s_pci && !given.Has("--enable-pci") ? ["--enable-pci"] : []);
        words.AddRange(vm.Firecracker.ExtraArgs);
        var config = Config(vm, attachments, host);
        if (vm.Firecracker.ExtraConfig is { } extra)
        {
            Merge(config, extra);
            TranslateIds(vm, config);
        }
        var vsockSocket = config["vsock"]?["uds_path"]?.GetValueKind() == JsonValueKind.String ? config["vsock"]!["uds_path"]!.GetValue<string>() : null;
        return new(words, [new(file, Text(config))], [], vm.Socket is { } path ? new(ControlKind.Firecracker, path) : null, ProcessName(vm))
        {
            User = vm.User,
            Sockets = [.. ((string?[])[vm.Socket, vsockSocket]).OfType<string>()],
            VsockSocket = vsockSocket,
        };
    }

    /// <summary>Declared ids in mmds-config.network_interfaces become those of the interfaces, unless the author wrote these as well.</summary>
    private static void TranslateIds(MicrovmConfig vm, JsonObject config)
    {
        if (config["mmds-config"]?["network_interfaces"] is JsonArray names && vm.Firecracker.ExtraConfig?["network-interfaces"] is null)
        {
            for (var n = 0; n < names.Count; n++)
            {
                if (names[n]?.GetValueKind() == JsonValueKind.String && vm.Interfaces.FirstOrDefault(i => i.Id.Value == names[n]!.GetValue<string>()) is { } declared)
                {
                    names[n] = IdOf(vm, declared);
                }
            }
        }
    }

    private static string Text(JsonObject config)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions { Indented = true }))
        {
            config.WriteTo(writer);
        }
        return Encoding.UTF8.GetString(bytes.WrittenSpan) + "\n";
    }

    private static JsonObject Config(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var boot = new JsonObject
        {
            ["kernel_image_path"] = Kernel(vm, host, s_facts.KernelOfPackage),
            ["boot_args"] = $"console=ttyS0,115200 reboot=k panic=1 i8042.noaux i8042.nomux i8042.dumbkbd {vm.KernelParams}".TrimEnd(),
        };
        if (vm.InitrdPath is { } initrd)
        {
            boot["initrd_path"] = initrd;
        }
        var machine = new JsonObject { ["vcpu_count"] = vm.Vcpu, ["mem_size_mib"] = vm.MemoryMiB, ["smt"] = !IsArm(host) && vm.Vcpu > 1 };
        if (vm.HugepageMemory)
        {
            machine["huge_pages"] = "2M";
        }
        var config = new JsonObject
        {
            ["boot-source"] = boot,
            ["machine-config"] = machine,
            ["drives"] = new JsonArray([.. Drives(vm)]),
            ["network-interfaces"] = new JsonArray([.. attachments.Select(a => Interface(vm, a, host))]),
        };
        if (vm.VsockCid is { } cid)
        {
            config["vsock"] = new JsonObject { ["guest_cid"] = cid, ["uds_path"] = "notify.vsock" };
        }
        if (vm.Balloon)
        {
            config["balloon"] = new JsonObject { ["amount_mib"] = vm.InitialBalloonMiB, ["deflate_on_oom"] = vm.DeflateOnOutOfMemory };
        }
        if (vm.HotplugMemoryMiB > 0)
        {
            config["memory-hotplug"] = new JsonObject { ["total_size_mib"] = vm.HotplugMemoryMiB };
        }
        if (vm.Firecracker.Cpu is { } cpu)
        {
            config["cpu-config"] = Json(cpu);
        }
        return config;
    }

    private static IEnumerable<JsonNode> Drives(MicrovmConfig vm)
    {
        if (vm.StoreDisk is { } store)
        {
            yield return Drive("store", store, true, vm);
        }
        foreach (var (n, volume) in vm.Volumes.Index())
        {
            yield return Drive($"volume{n}", volume.Image, volume.ReadOnly, vm);
        }
    }

    private static JsonObject Drive(string id, string path, bool readOnly, MicrovmConfig vm) => new()
    {
        ["drive_id"] = id,
        ["path_on_host"] = path,
        ["is_root_device"] = false,
        ["is_read_only"] = readOnly,
        ["io_engine"] = vm.Firecracker.DriveIoEngine,
    };

    private static void Merge(JsonObject into, ObjectNode extra)
    {
        foreach (var member in extra.Members)
        {
            if (member.Value is ObjectNode set && into[member.Name] is JsonObject inner)
            {
                Merge(inner, set);
            }
            else
            {
                into[member.Name] = Json(member.Value);
            }
        }
    }

    private static JsonNode? Json(Node node) => node switch
    {
        ObjectNode set => new JsonObject(set.Members.Select(m => KeyValuePair.Create(m.Name, Json(m.Value)))),
        ArrayNode list => new JsonArray([.. list.Items.Select(Json)]),
        StringNode text => JsonValue.Create(text.Value),
        NumberNode { Integer: { } number } => JsonValue.Create(number),
        BoolNode flag => JsonValue.Create(flag.Value),
        _ => null,
    };

    private static SourcePosition? Fraction(Node? node) => node switch
    {
        ObjectNode set => set.Members.Select(m => Fraction(m.Value)).FirstOrDefault(p => p is not null),
        ArrayNode list => list.Items.Select(Fraction).FirstOrDefault(p => p is not null),
        NumberNode { Integer: null } => node.At,
        _ => null,
    };
}
