using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>vfkit, on macOS (its doc/usage.md): rendered here, not run.</summary>
public sealed class Vfkit : IHypervisor
{
    public string Name => "vfkit";

    public string Source => "doc/usage.md (Networking)";

    private static readonly FactSheet s_facts = new(
        "vfkit", "none: it is for macOS", KernelFormats.BzImage | KernelFormats.Vmlinux, KernelFormats.BzImage, StopWay.PowerButton)
    {
        NeedsKvm = false,
        OwnUserNetwork = true,
        KernelNote = "uncompressed on Apple silicon",
        OneQueuePair = "it knows no more",
        HostNote = "macOS; 'microvm run' refuses it elsewhere",
    };

    public FactSheet Facts => s_facts;

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type == InterfaceType.User ? [AttachmentKind.UserMode] : [];

    public int MaxQueuePairs(AttachmentKind kind, bool vhost) => 1;

    public void Check(MicrovmConfig vm, Findings findings)
    {
        findings.RefuseCommon(graphics: true);
        findings.Unquotable(",");
        findings.ImageTypes("raw");
        findings.RefuseIf(vm.ForwardPorts.Count > 0, "forwardPorts", "vfkit's NAT forwards no ports; the host reaches the guest at the address that macOS gave it");
        findings.RefuseIf(vm.User is not null, "user", "vfkit runs as the user who starts it");
        findings.RefuseIf(vm.Balloon, "balloon", "vfkit has no balloon that can be moved; use qemu");
        findings.RefuseIf(vm.HotplugMemoryMiB > 0, "hotplugMem", "vfkit can't plug memory in");
        findings.RefuseIf(vm.HugepageMemory, "hugepageMem", "macOS has no huge pages");
        findings.RefuseIf(vm.Devices.Count > 0, "devices", "vfkit hands over no devices of the host");
        findings.RefuseIf(vm.VsockCid is not null, "vsock.cid", "vfkit maps vsock ports to Unix sockets and has no cid");
        findings.RefuseIf(vm.KernelParams.Contains('"'), "kernelParams", "vfkit puts the kernel's command line in double quotes, so there can be none in it");
        foreach (var path in new[] { ("kernel", vm.Kernel), ("initrdPath", vm.InitrdPath) })
        {
            findings.RefuseIf(path.Item2?.Contains(',') == true, path.Item1, "vfkit splits its arguments at ',', and there is no way to quote one in a path");
        }
        foreach (var share in vm.Shares.Where(s => !s.IsVirtiofs))
        {
            findings.Refuse(share.At, "vfkit has no 9p; set proto = \"virtiofs\"");
        }
    }

    public IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host) =>
        ["--device", $"virtio-net,nat,mac={attachment.Interface.Mac}"];

    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var console = vm.Graphics.Enable ? "tty0" : "hvc0";
        var initrd = vm.InitrdPath is { } path ? $",initrd={path}" : "";
        List<string> words =
        [
            Program(vm.Vfkit.Package, "vfkit"),
            "--cpus", Number(vm.Vcpu), "--memory", Number(vm.MemoryMiB),
            .. vm.Vfkit.LogLevel is { } level ? (string[])["--log-level", level] : [],
            .. vm.Graphics.Enable ? (string[])["--gui"] : [],
            "--bootloader", $"linux,kernel={Kernel(vm, host, s_facts.KernelOfPackage)}{initrd},cmdline=\"{$"console={console} reboot=t panic=-1 {vm.KernelParams}".TrimEnd()}\"",
            "--device", "virtio-rng",
            .. vm.Graphics.Enable
                ? (string[])["--device", "virtio-gpu", "--device", "virtio-input,keyboard", "--device", "virtio-input,pointing"]
                : ["--device", "virtio-serial,stdio"],
        ];
        if (vm.StoreDisk is { } store)
        {
            words.AddRange(["--device", $"virtio-blk,path={store}"]);
        }
        words.AddRange(vm.Volumes.SelectMany(v => (string[])["--device", $"virtio-blk,path={v.Image}"]));
        words.AddRange(vm.Shares.SelectMany(s => (string[])["--device", $"virtio-fs,sharedDir={s.Source},mountTag={s.Tag}"]));
        words.AddRange(Descriptors.Network(this, vm, attachments, host).SelectMany(w => w));
        if (vm.Vfkit.Rosetta)
        {
            words.AddRange(["--device", $"rosetta,mountTag=rosetta{(vm.Vfkit.RosettaInstall ? ",install" : "")}{(vm.Vfkit.RosettaIgnoreIfMissing ? ",ignoreIfMissing" : "")}"]);
        }
        if (vm.Socket is { } socket)
        {
            words.AddRange(["--restful-uri", $"unix://{socket}"]);
        }
        words.AddRange(vm.Vfkit.ExtraArgs);
        return new(words, [], [], vm.Socket is { } at ? new(ControlKind.Vfkit, at) : null, ProcessName(vm));
    }
}
