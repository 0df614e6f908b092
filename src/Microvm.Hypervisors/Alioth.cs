using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>Alioth (its alioth-cli/src/boot/boot.rs).</summary>
public sealed class Alioth : IHypervisor
{
    public string Name => "alioth";

    public string Source => "alioth/src/virtio/dev/net/tap.rs (TapNetSpec)";

    private static readonly FactSheet s_facts = new(
        "alioth", "0.12.0, on KVM", KernelFormats.BzImage, KernelFormats.BzImage, StopWay.Signal)
    {
        NeedsTerminal = true,
        Mtu = "mtu",
    };

    public FactSheet Facts => s_facts;

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type switch
    {
        InterfaceType.Macvtap => [AttachmentKind.MacvtapPath, AttachmentKind.TapRedirect],
        InterfaceType.User => [AttachmentKind.UserNamespace],
        _ => [AttachmentKind.TapByName],
    };

    public int MaxQueuePairs(AttachmentKind kind, bool vhost) => kind == AttachmentKind.UserNamespace ? 1 : 256;

    public void Check(MicrovmConfig vm, Findings findings)
    {
        findings.RefuseCommon();
        findings.NoVhost();
        findings.Unquotable(",");
        findings.UserNetworkInNamespace();
        findings.ImageTypes("raw");
        findings.RefuseIf(vm.Balloon, "balloon", "Alioth has no control socket to move a balloon with; use qemu or cloud-hypervisor");
        findings.RefuseIf(vm.HotplugMemoryMiB > 0, "hotplugMem", "Alioth can't plug memory in; use cloud-hypervisor");
        findings.RefuseIf(vm.HugepageMemory, "hugepageMem", "Alioth has no huge pages of a fixed size; use qemu or cloud-hypervisor");
        findings.RefuseIf(vm.Devices.Count > 0, "devices", "Alioth hands a device over by its VFIO group or device file, which a bus address doesn't name; use qemu or cloud-hypervisor");
        foreach (var share in vm.Shares.Where(s => !s.IsVirtiofs))
        {
            findings.Refuse(share.At, "Alioth has no 9p; set proto = \"virtiofs\"");
        }
        foreach (var volume in vm.Volumes.Where(v => v.Serial is not null || v.Direct))
        {
            findings.Warn(volume.At, "Alioth has neither serial numbers nor direct I/O for a disk");
        }
    }

    public IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host)
    {
        var i = attachment.Interface;
        var end = attachment.Kind == AttachmentKind.MacvtapPath ? $"tap={host.MacvtapNode(i.Id.Value)}" : $"if_name={i.Id}";
        return ["--net", $"tap,{end},mac={i.Mac},mtu={host.Mtu(i.Id.Value)}{(attachment.MultiQueue ? $",queue_pairs={attachment.QueuePairs}" : "")}"];
    }

    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var words = new List<string>
        {
            Program(vm.Package, "alioth"), "run",
            "--memory", $"size={vm.MemoryMiB}M,backend=memfd",
            "--cpu", $"count={vm.Vcpu}",
            "-k", Kernel(vm, host, s_facts.KernelOfPackage),
            "-c", $"console={(IsArm(host) ? "ttyAMA0" : "ttyS0")} reboot=k panic=1 {vm.KernelParams}".TrimEnd(),
            "--entropy",
        };
        if (vm.InitrdPath is { } initrd)
        {
            words.AddRange(["-i", initrd]);
        }
        if (vm.StoreDisk is { } store)
        {
            words.AddRange(["--blk", $"file,path={store},readonly=true"]);
        }
        foreach (var v in vm.Volumes)
        {
            words.AddRange(["--blk", $"file,path={v.Image},readonly={(v.ReadOnly ? "true" : "false")}"]);
        }
        foreach (var share in vm.Shares)
        {
            words.AddRange(["--fs", $"vu,socket={share.Socket},tag={share.Tag}"]);
        }
        words.AddRange(Descriptors.Network(this, vm, attachments, host).SelectMany(w => w));
        if (vm.VsockCid is { } cid)
        {
            words.AddRange(["--vsock", $"vhost,cid={cid}"]);
        }
        return new(words, [], [], null, ProcessName(vm)) { User = vm.User };
    }
}
