using Microvm.Declaration;

namespace Microvm.Hypervisors;

/// <summary>The hypervisors that are known, and the choice of attachments: the one place that decides the queue mode.</summary>
public static class HypervisorTable
{
    public static IReadOnlyList<IHypervisor> All { get; } =
        [new Qemu(), new CloudHypervisor(), new Firecracker(), new Crosvm(), new Kvmtool(), new StratoVirt(), new Alioth(), new Vfkit()];

    public static IHypervisor? Find(string name) => All.FirstOrDefault(h => h.Name == name);

    /// <summary>Reports what the VM's hypervisor can't do, each at the option that asks for it.</summary>
    public static void Check(MicrovmConfig vm, DiagnosticBag diagnostics)
    {
        if (Find(vm.Hypervisor) is not { } hypervisor)
        {
            return;
        }
        var findings = new Findings(vm, hypervisor.Name, diagnostics);
        foreach (var i in vm.Interfaces)
        {
            if (Kind(hypervisor, i) is null)
            {
                findings.Refuse(i.BridgeHelper == true ? i.OptionAt : i.At, Refusal(hypervisor, i));
            }
            if (i.KernelIp && hypervisor.Name != "kvmtool")
            {
                findings.Refuse(i.OptionAt, "user.kernelIp is for kvmtool, where DHCP may be missing; here the guest asks DHCP for its address");
            }
        }
        if (!hypervisor.Facts.CanBeAsked)
        {
            findings.Warn("hypervisor", $"{hypervisor.Name} can't ask its guest to shut down: 'microvm stop' ends the VM at once, as if its power failed; shut it down from inside, or use another hypervisor");
        }
        hypervisor.Check(vm, findings);
    }

    /// <summary>The attachment of each interface, or in <paramref name="refusal"/> why there is none.</summary>
    public static IReadOnlyList<Attachment> Attach(MicrovmConfig vm, out string? refusal)
    {
        refusal = null;
        var attachments = new List<Attachment>(vm.Interfaces.Count);
        var hypervisor = Find(vm.Hypervisor)!;
        foreach (var i in vm.Interfaces)
        {
            if (Kind(hypervisor, i) is { } kind)
            {
                attachments.Add(new(vm.Name, i, kind, QueuePairs(vm, i, kind)));
            }
            else
            {
                refusal = $"'{vm.Name}': {Refusal(hypervisor, i)}";
            }
        }
        return attachments;
    }

    /// <summary>How many queue pairs an interface has over such an attachment: one a vCPU, as far as the hypervisor can.</summary>
    public static int QueuePairs(MicrovmConfig vm, NetworkInterface i, AttachmentKind kind) => Math.Min(vm.Vcpu, Find(vm.Hypervisor)!.MaxQueuePairs(kind, i.Vhost));

    /// <summary>What a declaration lacks for a start, or null. An interface can be made without it.</summary>
    /// <param name="ofFlake">It was read from a flake (REF#NAME), whose NixOS would have a kernel.</param>
    public static string? Missing(MicrovmConfig vm, bool ofFlake = false) =>
        vm.Kernel is not null ? null
        : ofFlake ? "there is no kernel to boot: the flake's nixpkgs is not on this machine, or its configuration has none; let nix fetch it with --online, or set microvm.kernel and microvm.initrdPath to paths"
        : "there is no microvm.kernel to boot; set it to the path of a kernel image, and microvm.initrdPath to its initial RAM disk's, or name the flake whose NixOS builds both: DIR#NAME";

    /// <summary>The file that its hypervisor boots; null where there is no kernel.</summary>
    public static string? KernelPath(MicrovmConfig vm, HostFacts host) =>
        vm.Kernel is null || Find(vm.Hypervisor) is not { } hypervisor ? null : Syntax.Kernel(vm, host, hypervisor.Facts.KernelOfPackage);

    private static AttachmentKind? Kind(IHypervisor hypervisor, NetworkInterface i)
    {
        foreach (var kind in hypervisor.Accepts(i.Type))
        {
            if ((i.BridgeHelper is null || i.BridgeHelper == (kind == AttachmentKind.BridgeHelper)) && (kind != AttachmentKind.BridgeHelper || !(IsTooLongForHelper(i) || BeyondHelper(i) is not null)))
            {
                return kind;
            }
        }
        return null;
    }

    // It copies the name into IFNAMSIZ bytes (qemu-bridge-helper.c); a bridge's altname may be longer.
    private static bool IsTooLongForHelper(NetworkInterface i) => i.Bridge is { } bridge && System.Text.Encoding.UTF8.GetByteCount(bridge.Value) > InterfaceName.MaxBytes;

    // It makes the tap itself, with the bridge's MTU and as a port like any other.
    private static string? BeyondHelper(NetworkInterface i) => i.Mtu is not null ? "mtu" : i.Isolated is not null ? "isolated" : i.AntiSpoof is not null ? "antiSpoof" : null;

    private static string Refusal(IHypervisor hypervisor, NetworkInterface i)
    {
        if (i.BridgeHelper == true && IsTooLongForHelper(i) && hypervisor.Accepts(i.Type).Contains(AttachmentKind.BridgeHelper))
        {
            return $"qemu-bridge-helper takes no name of more than {InterfaceName.MaxBytes} bytes, as '{i.Bridge}' is; leave bridgeHelper out, and 'microvm up' attaches '{i.Id}' to the bridge";
        }
        if (i.BridgeHelper == true && BeyondHelper(i) is { } beyond && hypervisor.Accepts(i.Type).Contains(AttachmentKind.BridgeHelper))
        {
            return $"qemu-bridge-helper makes a plain tap, without '{beyond}'; leave bridgeHelper out, and 'microvm up' makes '{i.Id}' with it";
        }
        var type = i.Type.Word();
        if (i.BridgeHelper == true && hypervisor.Accepts(i.Type).Count > 0)
        {
            return $"only QEMU starts qemu-bridge-helper; leave bridgeHelper out, and 'microvm up' attaches '{i.Id}' to the bridge";
        }
        var served = Enum.GetValues<InterfaceType>().Where(t => hypervisor.Accepts(t).Count > 0).Select(t => t.Word());
        return $"{hypervisor.Name} can't serve '{i.Id}' of type {type}; it serves {string.Join(", ", served)}";
    }
}
