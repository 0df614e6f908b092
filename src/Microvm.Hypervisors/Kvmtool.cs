using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>kvmtool (its builtin-run.c and virtio/net.c).</summary>
public sealed class Kvmtool : IHypervisor
{
    /// <summary>What its user network gives the guest (include/kvm/kvm-config.h).</summary>
    private const string Guest = "192.168.33.15", Host = "192.168.33.1", Mask = "255.255.255.0";

    public string Name => "kvmtool";

    public string Source => "virtio/net.c (set_net_param)";

    private static readonly FactSheet s_facts = new(
        "lkvm", "main of 2024-07, on KVM", KernelFormats.BzImage, KernelFormats.BzImage, StopWay.AtOnce)
    {
        NeedsHome = true,
        OwnUserNetwork = true,
        KernelNote = "it takes an ELF for a flat image, and the guest dies without a word",
        OneQueuePair = "it opens the tap once, whatever its mq says",
    };

    public FactSheet Facts => s_facts;

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type switch
    {
        InterfaceType.Macvtap => [AttachmentKind.MacvtapPath],
        InterfaceType.User => [AttachmentKind.UserMode],
        _ => [AttachmentKind.TapByName],
    };

    // It opens the tap once, whatever its mq says.
    public int MaxQueuePairs(AttachmentKind kind, bool vhost) => 1;

    public void Check(MicrovmConfig vm, Findings findings)
    {
        findings.RefuseCommon();
        findings.Unquotable(",=");
        findings.ImageTypes("raw", "qcow2");
        findings.RefuseIf(vm.ForwardPorts.Count > 0, "forwardPorts", "kvmtool's user network forwards no ports; use qemu, or an interface of type tap");
        findings.RefuseIf(vm.InitialBalloonMiB > 0, "initialBalloonMem", "kvmtool's balloon starts empty; set it with lkvm balloon, or use cloud-hypervisor");
        findings.RefuseIf(vm.HotplugMemoryMiB > 0, "hotplugMem", "kvmtool can't plug memory in; use cloud-hypervisor, or a balloon");
        findings.RefuseIf(vm.HugepageMemory, "hugepageMem", "kvmtool takes huge pages from a mounted hugetlbfs of a name only you know; use qemu or cloud-hypervisor");
        findings.RefuseIf(vm.Volumes.Count + (vm.StoreDisk is null ? 0 : 1) > 4, "volumes", "kvmtool takes at most 4 disks");
        foreach (var share in vm.Shares)
        {
            if (share.IsVirtiofs)
            {
                findings.Refuse(share.At, "kvmtool has no virtiofs; set proto = \"9p\"");
            }
            if (share.ReadOnly)
            {
                findings.Refuse(share.At, "kvmtool has no read-only 9p; use qemu");
            }
        }
        foreach (var volume in vm.Volumes.Where(v => v.Serial is not null))
        {
            findings.Warn(volume.At, "kvmtool shows no serial number to the guest");
        }
        foreach (var i in vm.Interfaces.Where(i => i.Vhost))
        {
            findings.Refuse(i.OptionAt, $"over vhost-net kvmtool loses the declared MAC, and the guest makes up a random one: its features are taken down to those of the kernel's vhost, which has no MAC; leave tap.vhost out, or use qemu, crosvm or stratovirt");
        }
        var users = vm.Interfaces.Where(i => i.Type == InterfaceType.User).ToList();
        foreach (var more in users.Skip(1))
        {
            findings.Refuse(more.At, "kvmtool takes one interface of type user");
        }
        foreach (var user in users.Where(u => !u.KernelIp))
        {
            findings.Warn(user.At, $"the specification knows no DHCP in kvmtool's user network, though its present source has it: where yours doesn't answer, give the guest the address {Guest}/24, gateway {Host}; or set user.kernelIp = true, which passes both on the kernel's command line");
        }
    }

    public IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host)
    {
        var i = attachment.Interface;
        var end = attachment.Kind switch
        {
            AttachmentKind.UserMode => "mode=user",
            AttachmentKind.MacvtapPath => $"mode=tap,tapif={host.MacvtapNode(i.Id.Value)}",
            _ => $"mode=tap,tapif={i.Id}",
        };
        return ["-n", $"{end},guest_mac={i.Mac}"];
    }

    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var card = vm.Interfaces.ToList().FindIndex(i => i.KernelIp);
        var address = card < 0 ? "" : $" ip={Guest}::{Host}:{Mask}:{vm.Name}:eth{card}:off";
        var words = new List<string>
        {
            Program(vm.Package, "lkvm"), "run",
            "--name", vm.Name,
            "-m", Number(vm.MemoryMiB),
            "-c", Number(vm.Vcpu),
            "--console", "serial", "--rng",
            "-k", Kernel(vm, host, s_facts.KernelOfPackage),
            "-p", $"console=ttyS0 reboot=k panic=1{address} {vm.KernelParams}".TrimEnd(),
        };
        if (vm.InitrdPath is { } initrd)
        {
            words.AddRange(["-i", initrd]);
        }
        if (vm.Balloon)
        {
            words.Add("--balloon");
        }
        if (vm.StoreDisk is { } store)
        {
            words.AddRange(["-d", $"{store},ro"]);
        }
        foreach (var v in vm.Volumes)
        {
            words.AddRange(["-d", $"{v.Image}{(v.Direct ? ",direct" : "")}{(v.ReadOnly ? ",ro" : "")}"]);
        }
        foreach (var share in vm.Shares)
        {
            words.AddRange(["--9p", $"{share.Source},{share.Tag}"]);
        }
        // Without any, it would make one of its own.
        words.AddRange(attachments.Count == 0 ? ["-n", "mode=none"] : Descriptors.Network(this, vm, attachments, host).SelectMany(w => w));
        foreach (var device in vm.Devices)
        {
            words.AddRange(["--vfio-pci", device.Path]);
        }
        if (vm.VsockCid is { } cid)
        {
            words.AddRange(["--vsock", Number(cid)]);
        }
        return new(words, [], [], new(ControlKind.Kvmtool, vm.Name) { Program = words[0] }, ProcessName(vm)) { User = vm.User };
    }
}
