using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>crosvm (its src/crosvm/cmdline.rs).</summary>
public sealed class Crosvm : IHypervisor
{
    public string Name => "crosvm";

    public string Source => "devices/src/virtio/net.rs (NetParameters) and src/crosvm/cmdline.rs (--net)";

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type switch
    {
        InterfaceType.Macvtap => [AttachmentKind.TapByFd],
        InterfaceType.User => [AttachmentKind.UserNamespace],
        _ => [AttachmentKind.TapByName, AttachmentKind.TapByFd],
    };

    // It takes one descriptor, and opens no further queues over vhost-net.
    public int MaxQueuePairs(AttachmentKind kind, bool vhost) => kind == AttachmentKind.TapByName && !vhost ? 256 : 1;

    public void Check(MicrovmConfig vm, Findings findings)
    {
        findings.RefuseCommon();
        findings.UserNetworkInNamespace();
        findings.ImageTypes("raw", "qcow2");
        findings.RefuseIf(vm.InitialBalloonMiB > 0, "initialBalloonMem", "crosvm's balloon starts empty; set it over the control socket, or use cloud-hypervisor");
        findings.RefuseIf(vm.HotplugMemoryMiB > 0, "hotplugMem", "crosvm can't plug memory in; use cloud-hypervisor, or a balloon");
        foreach (var share in vm.Shares.Where(s => !s.IsVirtiofs))
        {
            if (share.ReadOnly)
            {
                findings.Refuse(share.At, "crosvm has no read-only 9p; set proto = \"virtiofs\"");
            }
            if (share.Source.Contains(':') || share.Tag.Contains(':'))
            {
                findings.Refuse(share.At, "crosvm splits a 9p share at ':', and there is no way to quote it; set proto = \"virtiofs\"");
            }
        }
    }

    public IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host)
    {
        var i = attachment.Interface;
        var end = attachment.Kind == AttachmentKind.TapByFd ? $"tap-fd={descriptor}" : $"tap-name={Syntax.Crosvm(i.Id.Value)}";
        return ["--net", $"{end},mac={i.Mac}{(attachment.MultiQueue ? $",vq-pairs={attachment.QueuePairs}" : "")}{(i.Vhost ? ",vhost-net" : "")}"];
    }

    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var words = new List<string>
        {
            Program(vm.Crosvm.Package, "crosvm"), "run",
            "-m", Number(vm.MemoryMiB),
            "-c", Number(vm.Vcpu),
            "--serial", "type=stdout,console=true,stdin=true",
            "-p", $"console=ttyS0 reboot=k panic=1 {vm.KernelParams}".TrimEnd(),
            vm.Balloon ? "--balloon-page-reporting" : "--no-balloon",
        };
        if (vm.HugepageMemory)
        {
            words.Add("--hugepages");
        }
        if (vm.Crosvm.PivotRoot is { } root)
        {
            words.AddRange(["--pivot-root", root]);
        }
        if (vm.Socket is { } socket)
        {
            words.AddRange(["-s", socket]);
        }
        if (vm.StoreDisk is { } store)
        {
            words.AddRange(["--block", $"path={Syntax.Crosvm(store)},ro=true"]);
        }
        foreach (var v in vm.Volumes)
        {
            words.AddRange(["--block", $"path={Syntax.Crosvm(v.Image)},direct={(v.Direct ? "true" : "false")},ro={(v.ReadOnly ? "true" : "false")}{(v.Serial is { } s ? $",id={Syntax.Crosvm(s)}" : "")}"]);
        }
        foreach (var share in vm.Shares)
        {
            words.AddRange(share.IsVirtiofs ? ["--vhost-user", $"type=fs,socket={Syntax.Crosvm(share.Socket!)}"] : ["--shared-dir", $"{share.Source}:{share.Tag}:type=p9"]);
        }
        words.AddRange(Descriptors.Network(this, vm, attachments, host).SelectMany(w => w));
        if (vm.VsockCid is { } cid)
        {
            words.AddRange(["--vsock", $"cid={cid}"]);
        }
        foreach (var device in vm.Devices)
        {
            words.AddRange(["--vfio", $"/sys/bus/pci/devices/{(device.Path.Length < 12 ? "0000:" : "")}{device.Path},iommu=viommu"]);
        }
        if (vm.InitrdPath is { } initrd)
        {
            words.AddRange(["--initrd", initrd]);
        }
        // Options end at the kernel, which comes last.
        words.AddRange([.. vm.Crosvm.ExtraArgs ?? [], Kernel(vm, host, elf: true)]);
        return new(words, [], Descriptors.Of(attachments), vm.Socket is { } path ? new(ControlKind.Crosvm, path) : null, ProcessName(vm)) { User = vm.User };
    }
}
