using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>cloud-hypervisor (its cloud-hypervisor/src/main.rs and vmm/src/config.rs).</summary>
public sealed class CloudHypervisor : IHypervisor
{
    public string Name => "cloud-hypervisor";

    public string Source => "vmm/src/config.rs (NetConfig::SYNTAX)";

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type switch
    {
        InterfaceType.Macvtap => [AttachmentKind.TapByFd],
        InterfaceType.User => [AttachmentKind.UserNamespace],
        _ => [AttachmentKind.TapByName, AttachmentKind.TapByFd],
    };

    // slirp4netns has one queue.
    public int MaxQueuePairs(AttachmentKind kind, bool vhost) => kind == AttachmentKind.UserNamespace ? 1 : 256;

    public void Check(MicrovmConfig vm, Findings findings)
    {
        findings.RefuseCommon();
        findings.NoVhost();
        findings.UserNetworkInNamespace();
        findings.ImageTypes("raw", "qcow2", "vhd", "vhdx");
        findings.RefuseIf(vm.InitrdPath is null && vm.Kernel is not null && vm.Volumes.Count == 0 && vm.StoreDisk is null, "kernel", "there is no initrdPath and no volume to boot from");
        foreach (var share in vm.Shares.Where(s => !s.IsVirtiofs))
        {
            findings.Refuse(share.At, "cloud-hypervisor has no 9p; set proto = \"virtiofs\"");
        }
        foreach (var text in vm.CloudHypervisor.OemStrings ?? [])
        {
            if (text.Contains("oem_strings", StringComparison.Ordinal) || text.AsSpan().ContainsAny(",[]\""))
            {
                findings.Refuse("cloud-hypervisor.platformOEMStrings", $"'{Printable.Of(text)}' can't be an OEM string: leave out oem_strings=, and use no comma, bracket or double quote");
            }
        }
        foreach (var option in (vm.CloudHypervisor.ExtraArgs ?? []).Where(a => a is "--cpus" or "--memory" or "--kernel" or "--net"))
        {
            findings.Refuse("cloud-hypervisor.extraArgs", $"'{option}' is made from the declaration; cloud-hypervisor takes it once");
        }
    }

    public IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host)
    {
        var i = attachment.Interface;
        var end = attachment.Kind == AttachmentKind.TapByFd ? $"fd=[{Descriptors.List(attachment, descriptor, ',')}]" : $"tap={Syntax.CloudHypervisor(i.Id.Value)}";
        // It counts queues, two a pair.
        return ["--net", $"{end},mac={i.Mac}{(attachment.MultiQueue ? $",num_queues={2 * attachment.QueuePairs}" : "")}"];
    }

    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var extra = vm.CloudHypervisor.ExtraArgs ?? [];
        var console = IsArm(host) ? "console=ttyAMA0" : "earlyprintk=ttyS0 console=ttyS0";
        var words = new List<string>
        {
            Program(vm.CloudHypervisor.Package, "cloud-hypervisor"),
            "--cpus", $"boot={vm.Vcpu}",
            "--memory", Memory(vm),
            "--kernel", Kernel(vm, host, elf: true),
            "--cmdline", $"{console} reboot=t panic=-1 {vm.KernelParams}".TrimEnd(),
            "--seccomp", "true", "--watchdog",
        };
        if (vm.InitrdPath is { } initrd)
        {
            words.AddRange(["--initramfs", initrd]);
        }
        words.AddRange(extra.Contains("--console") ? [] : ["--console", "null"]);
        words.AddRange(extra.Contains("--serial") ? [] : ["--serial", "tty"]);
        if (vm.CloudHypervisor.OemStrings is { Count: > 0 } strings)
        {
            words.AddRange(["--platform", $"oem_strings=[{string.Join(',', strings)}]"]);
        }
        if (vm.VsockCid is { } cid)
        {
            words.AddRange(["--vsock", $"cid={cid},socket=notify.vsock"]);
        }
        if (vm.Balloon)
        {
            words.AddRange(["--balloon", $"size={vm.InitialBalloonMiB}M,free_page_reporting=on{(vm.DeflateOnOutOfMemory ? ",deflate_on_oom=on" : "")}"]);
        }
        Lists(words, "--disk", Disks(vm));
        Lists(words, "--fs", vm.Shares.Select(s => $"tag={Syntax.CloudHypervisor(s.Tag)},socket={Syntax.CloudHypervisor(s.Socket!)}"));
        Lists(words, "--net", Descriptors.Network(this, vm, attachments, host).Select(w => w[1]));
        Lists(words, "--device", vm.Devices.Select(d => $"path=/sys/bus/pci/devices/{(d.Path.Length < 12 ? "0000:" : "")}{d.Path}"));
        if (vm.Socket is { } socket)
        {
            words.AddRange(["--api-socket", socket]);
        }
        words.AddRange(extra);
        return new(words, [], Descriptors.Of(attachments), vm.Socket is { } path ? new(ControlKind.CloudHypervisor, path) : null, ProcessName(vm)) { User = vm.User };
    }

    private static string Memory(MicrovmConfig vm)
    {
        // Memory that virtiofsd shares can't be merged.
        var shared = vm.Shares.Any(s => s.IsVirtiofs);
        return $"size={vm.MemoryMiB}M,{(shared ? "shared=on" : "mergeable=on")}"
            + (vm.HotplugMemoryMiB > 0 ? $",hotplug_method=virtio-mem,hotplug_size={vm.HotplugMemoryMiB}M,hotplugged_size={vm.HotpluggedMemoryMiB}M" : "")
            + (vm.HugepageMemory ? ",hugepages=on" : "");
    }

    private static IEnumerable<string> Disks(MicrovmConfig vm)
    {
        var queues = vm.Vcpu > 1 ? $",num_queues={vm.Vcpu}" : "";
        if (vm.StoreDisk is { } store)
        {
            yield return $"path={Syntax.CloudHypervisor(store)},readonly=on{queues}";
        }
        foreach (var v in vm.Volumes)
        {
            yield return $"path={Syntax.CloudHypervisor(v.Image)},readonly={OnOff(v.ReadOnly)},direct={OnOff(v.Direct)},image_type={v.ImageType}{(v.Serial is { } s ? $",serial={Syntax.CloudHypervisor(s)}" : "")}{queues}";
        }
    }

    // Since release 36 an option takes all its values at once.
    private static void Lists(List<string> words, string option, IEnumerable<string> values)
    {
        var before = words.Count;
        words.AddRange(values);
        if (words.Count > before)
        {
            words.Insert(before, option);
        }
    }
}
