using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>crosvm (its src/crosvm/cmdline.rs).</summary>
public sealed class Crosvm : IHypervisor
{
    public string Name => "crosvm";

    public string Source => "devices/src/virtio/net.rs (NetParameters) and src/crosvm/cmdline.rs (--net)";

    private static readonly FactSheet s_facts = new(
        "crosvm", "main of 2026-08, on KVM", KernelFormats.BzImage | KernelFormats.Vmlinux, KernelFormats.Vmlinux, StopWay.PowerButton)
    {
        NeedsJailRoot = true,
        KillsItsGroup = true,
        Mtu = "it reads the link's by itself",
        OneQueuePair = "for each further one it sets the interface up itself, which takes CAP_NET_ADMIN, and over a descriptor or vhost-net it opens no more",
        HostNote = "user, PID and mount namespaces for its jail, unless it is given --disable-sandbox",
    };

    public FactSheet Facts => s_facts;

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type switch
    {
        InterfaceType.Macvtap => [AttachmentKind.TapByFd],
        InterfaceType.User => [AttachmentKind.UserNamespace],
        _ => [AttachmentKind.TapByName, AttachmentKind.TapByFd],
    };

    public int MaxQueuePairs(AttachmentKind kind, bool vhost) => 1;

    // Options that crosvm takes once, and from what we make them.
    private static readonly (string[] Names, string Option, Func<MicrovmConfig, bool> Given)[] s_once =
    [
        (["-m", "--mem"], "mem", _ => true), (["-c", "--cpus"], "vcpu", _ => true), (["-s", "--socket"], "socket", vm => vm.Socket is not null),
        (["--no-balloon"], "balloon", vm => !vm.Balloon), (["--balloon-page-reporting"], "balloon", vm => vm.Balloon), (["--hugepages"], "hugepageMem", vm => vm.HugepageMemory),
        (["--pivot-root"], "crosvm.pivotRoot", vm => vm.Crosvm.PivotRoot is not null), (["--vsock"], "vsock.cid", vm => vm.VsockCid is not null),
        (["-i", "--initrd"], "initrdPath", vm => vm.InitrdPath is not null),
    ];

    public void Check(MicrovmConfig vm, Findings findings)
    {
        findings.RefuseCommon();
        findings.UserNetworkInNamespace();
        findings.ImageTypes("raw", "qcow2");
        var extra = new GivenOptions(vm.Crosvm.ExtraArgs);
        foreach (var (names, option, given) in s_once)
        {
            if (given(vm) && names.FirstOrDefault(extra.Has) is { } twice)
            {
                findings.Refuse("crosvm.extraArgs", $"crosvm takes '{twice}' once, and it is made from microvm.{option}; set that instead");
            }
        }
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
        return ["--net", $"{end},mac={i.Mac}{(i.Vhost ? ",vhost-net" : "")}"];
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
        };
        words.AddRange((string[])[vm.Balloon ? "--balloon-page-reporting" : "--no-balloon"]);
        if (vm.HugepageMemory)
        {
            words.Add("--hugepages");
        }
        var extra = new GivenOptions(vm.Crosvm.ExtraArgs);
        if ((vm.Crosvm.PivotRoot ?? (extra.Has("--pivot-root") ? null : host.JailRoot)) is { } root)
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
        words.AddRange([.. vm.Crosvm.ExtraArgs, Kernel(vm, host, s_facts.KernelOfPackage)]);
        return new(words, [], Descriptors.Of(attachments), vm.Socket is { } path ? new(ControlKind.Crosvm, path) { Program = words[0] } : null, ProcessName(vm))
        {
            User = vm.User,
            Sockets = vm.Socket is null ? [] : [vm.Socket],
        };
    }
}
