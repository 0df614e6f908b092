using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>StratoVirt (its docs/config_guidebook.md and machine_manager/src/config).</summary>
public sealed class StratoVirt : IHypervisor
{
    public string Name => "stratovirt";

    public string Source => "machine_manager/src/config/network.rs (NetDevcfg, NetworkInterfaceConfig)";

    private static readonly FactSheet s_facts = new(
        "stratovirt", "2.5.0 with virtio_rng, on KVM", KernelFormats.BzImage, KernelFormats.BzImage, StopWay.PowerButton)
    {
        NeedsTerminal = true,
        KernelNote = "with CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y, which Debian's kernels are built without; it takes an ELF for a flat image, and the guest dies without a word",
        OneQueuePair = "on its microvm machine the guest's driver fails with more (queue_select overflows)",
        Id = "the declared one, as the netdev's, and net_ID as the device's",
        HostNote = "what it is built with: virtio-rng, vhost-net and vhost-vsock are left out where it has none",
    };

    public FactSheet Facts => s_facts;

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type switch
    {
        InterfaceType.Macvtap => [AttachmentKind.TapByFd],
        InterfaceType.User => [AttachmentKind.UserNamespace],
        _ => [AttachmentKind.TapByName, AttachmentKind.TapByFd],
    };

    public int MaxQueuePairs(AttachmentKind kind, bool vhost) => 1;

    public void Check(MicrovmConfig vm, Findings findings)
    {
        findings.RefuseCommon();
        findings.Unquotable(",=");
        findings.UserNetworkInNamespace();
        findings.ImageTypes("raw", "qcow2");
        findings.RefuseIf(vm.InitialBalloonMiB > 0, "initialBalloonMem", "StratoVirt's balloon starts empty; use cloud-hypervisor");
        findings.RefuseIf(vm.HotplugMemoryMiB > 0, "hotplugMem", "StratoVirt can't plug memory in; use cloud-hypervisor, or a balloon");
        findings.RefuseIf(vm.HugepageMemory, "hugepageMem", "StratoVirt takes huge pages from a mounted hugetlbfs of a name only you know; use qemu or cloud-hypervisor");
        findings.RefuseIf(vm.Devices.Count > 0, "devices", "StratoVirt's microvm machine has no PCI to hand devices over; use qemu or cloud-hypervisor");
        foreach (var share in vm.Shares.Where(s => !s.IsVirtiofs))
        {
            findings.Refuse(share.At, "StratoVirt has no 9p; set proto = \"virtiofs\"");
        }
    }

    public IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host)
    {
        var i = attachment.Interface;
        var end = attachment.Kind == AttachmentKind.TapByFd
            ? $"fd={descriptor}" : $"ifname={i.Id}";
        return
        [
            "-netdev", $"tap,id={i.Id},{end}{(i.Vhost && host.VhostNet ? ",vhost=on" : "")}",
            "-device", $"virtio-net-device,id=net_{i.Id},netdev={i.Id},mac={i.Mac}",
        ];
    }

    public string? InterfaceId(MicrovmConfig vm, NetworkInterface i) => i.Id.Value;

    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var words = new List<string>
        {
            Program(vm.Package, "stratovirt"),
            "-name", vm.Name,
            // The light machine of both architectures; q35 and virt, the standard ones, take no virtio-mmio devices. virtiofsd and the guest must see the same memory.
            "-machine", vm.Shares.Count > 0 ? "microvm,mem-share=on" : "microvm",
            "-m", Number(vm.MemoryMiB),
            "-smp", Number(vm.Vcpu),
            "-kernel", Kernel(vm, host, s_facts.KernelOfPackage),
            "-append", $"console={(IsArm(host) ? "ttyAMA0" : "ttyS0")} edd=off reboot=t panic=-1 {vm.KernelParams}".TrimEnd(),
            "-serial", "stdio",
        };
        if (host.VirtioRng)
        {
            words.AddRange(["-object", "rng-random,id=rng,filename=/dev/random", "-device", "virtio-rng-device,rng=rng,id=rng_dev"]);
        }
        if (vm.InitrdPath is { } initrd)
        {
            words.AddRange(["-initrd", initrd]);
        }
        if (vm.StoreDisk is { } store)
        {
            words.AddRange(["-drive", $"id=store,file={store},readonly=on,direct=off", "-device", "virtio-blk-device,drive=store,id=blk_store"]);
        }
        foreach (var (n, v) in vm.Volumes.Index())
        {
            words.AddRange(["-drive", $"id=volume{n},file={v.Image},format={v.ImageType},direct={OnOff(v.Direct)},readonly={OnOff(v.ReadOnly)}",
                "-device", $"virtio-blk-device,drive=volume{n},id=blk{n}{(v.Serial is { } s ? $",serial={s}" : "")}"]);
        }
        foreach (var (n, share) in vm.Shares.Index())
        {
            words.AddRange(["-chardev", $"socket,id=fs{n},path={share.Socket}", "-device", $"vhost-user-fs-device,chardev=fs{n},tag={share.Tag},id=fsdev{n}"]);
        }
        words.AddRange(Descriptors.Network(this, vm, attachments, host).SelectMany(w => w));
        if (vm.VsockCid is { } cid && host.VhostVsock)
        {
            words.AddRange(["-device", $"vhost-vsock-device,id=vsock,guest-cid={cid}"]);
        }
        if (vm.Balloon)
        {
            words.AddRange(["-device", $"virtio-balloon-device,id=balloon,deflate-on-oom={(vm.DeflateOnOutOfMemory ? "true" : "false")},free-page-reporting=true"]);
        }
        if (vm.Socket is { } socket)
        {
            words.AddRange(["-qmp", $"unix:{socket},server,nowait"]);
        }
        return new(words, [], Descriptors.Of(attachments), vm.Socket is { } path ? new(ControlKind.Qmp, path) : null, ProcessName(vm)) { User = vm.User, Sockets = vm.Socket is null ? [] : [vm.Socket] };
    }
}
