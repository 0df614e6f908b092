using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>cloud-hypervisor (its cloud-hypervisor/src/main.rs and vmm/src/config.rs).</summary>
public sealed class CloudHypervisor : IHypervisor
{
    public string Name => "cloud-hypervisor";

    public string Source => "vmm/src/config.rs (NetConfig::SYNTAX)";

    private static readonly FactSheet s_facts = new(
        "cloud-hypervisor", "54.0, on KVM", KernelFormats.BzImage | KernelFormats.Vmlinux, KernelFormats.Vmlinux, StopWay.PowerButton)
    {
        BootsBzImageFrom = new(39, 0),
        KernelNote = "a vmlinux only with a PVH note (CONFIG_PVH)",
        Mtu = "it reads the link's by itself",
        Id = "the declared one, as the device's; none where it begins with '__', which cloud-hypervisor keeps for itself",
    };

    public FactSheet Facts => s_facts;

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
        foreach (var text in vm.CloudHypervisor.OemStrings)
        {
            if (text.Contains("oem_strings", StringComparison.Ordinal) || text.AsSpan().ContainsAny(",[]\""))
            {
                findings.Refuse("cloud-hypervisor.platformOEMStrings", $"'{Printable.Of(text)}' can't be an OEM string: leave out oem_strings=, and use no comma, bracket or double quote");
            }
        }
        ExtraArgs(vm, new(vm.CloudHypervisor.ExtraArgs), findings);
    }

    // Options that cloud-hypervisor takes once, and from what we make them. Those that can be merged are (Render).
    private static readonly (string Name, string Option, Func<MicrovmConfig, bool> Given)[] s_once =
    [
        ("--memory", "mem", _ => true), ("--kernel", "kernel", _ => true), ("--cmdline", "kernelParams", _ => true),
        ("--initramfs", "initrdPath", vm => vm.InitrdPath is not null), ("--balloon", "balloon", vm => vm.Balloon), ("--api-socket", "socket", vm => vm.Socket is not null),
    ];

    private static void ExtraArgs(MicrovmConfig vm, GivenOptions extra, Findings findings)
    {
        const string At = "cloud-hypervisor.extraArgs";
        foreach (var (name, option, given) in s_once)
        {
            findings.RefuseIf(given(vm) && extra.Has(name), At, $"cloud-hypervisor takes '{name}' once, and it is made from microvm.{option}; set that instead");
        }
        findings.RefuseIf(KeyValues.Of(extra.Take("--cpus")).ContainsKey("boot"), At, "'--cpus boot=' is made from microvm.vcpu; set that instead");
        findings.RefuseIf(KeyValues.Of(extra.Take("--platform")).ContainsKey("oem_strings"), At, "'--platform oem_strings=' is made from microvm.cloud-hypervisor.platformOEMStrings; set that instead");
        var vsock = KeyValues.Of(extra.Take("--vsock"));
        findings.RefuseIf(vm.VsockCid is not null && vsock.ContainsKey("cid"), At, "'--vsock cid=' is made from microvm.vsock.cid; leave one of the two out");
        findings.RefuseIf(vm.VsockCid is null && vsock.Count > 0 && !vsock.ContainsKey("cid"), At, "'--vsock' needs a cid; set microvm.vsock.cid");
    }

    public IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host)
    {
        var i = attachment.Interface;
        var end = attachment.Kind == AttachmentKind.TapByFd ? $"fd=[{Descriptors.List(attachment, descriptor, ',')}]" : $"tap={Syntax.CloudHypervisor(i.Id.Value)}";
        // It counts queues, two a pair.
        return ["--net", $"{end},mac={i.Mac}{(attachment.MultiQueue ? $",num_queues={2 * attachment.QueuePairs}" : "")}{(InterfaceId(vm, i) is { } id ? $",id={Syntax.CloudHypervisor(id)}" : "")}"];
    }

    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var extra = new GivenOptions(vm.CloudHypervisor.ExtraArgs);
        var serial = extra.Take("--serial") is [.., var given] ? given : "tty";
        var console = serial != "tty" ? "" : IsArm(host) ? "console=ttyAMA0 " : "earlyprintk=ttyS0 console=ttyS0 ";
        var words = new List<string>
        {
            Program(vm.CloudHypervisor.Package, "cloud-hypervisor"),
            "--cpus", string.Join(',', extra.Take("--cpus").Prepend($"boot={vm.Vcpu}")),
            "--memory", Memory(vm),
            "--kernel", Kernel(vm, host, s_facts.KernelOfPackage),
            "--cmdline", $"{console}reboot=t panic=-1 {vm.KernelParams}".TrimEnd(),
            "--seccomp", extra.Take("--seccomp") is [.., var seccomp] ? seccomp : "true", "--watchdog",
        };
        if (vm.InitrdPath is { } initrd)
        {
            words.AddRange(["--initramfs", initrd]);
        }
        _ = extra.Take("--watchdog");
        words.AddRange(["--console", extra.Take("--console") is [.., var second] ? second : "null", "--serial", serial]);
        string[] platform = [.. vm.CloudHypervisor.OemStrings is { Count: > 0 } strings ? [$"oem_strings=[{string.Join(',', strings)}]"] : (string[])[], .. extra.Take("--platform")];
        if (platform.Length > 0)
        {
            words.AddRange(["--platform", string.Join(',', platform)]);
        }
        string[] vsock = [.. vm.VsockCid is { } cid ? [$"cid={cid}"] : (string[])[], .. extra.Take("--vsock")];
        var vsockSocket = vsock.Length == 0 ? null : KeyValues.Of(vsock).GetValueOrDefault("socket", "notify.vsock");
        if (vsockSocket is not null)
        {
            words.AddRange(["--vsock", string.Join(',', KeyValues.Of(vsock).ContainsKey("socket") ? vsock : [.. vsock, $"socket={vsockSocket}"])]);
        }
        if (vm.Balloon)
        {
            words.AddRange(["--balloon", $"size={vm.InitialBalloonMiB}M,free_page_reporting=on{(vm.DeflateOnOutOfMemory ? ",deflate_on_oom=on" : "")}"]);
        }
        Lists(words, "--disk", Disks(vm).Concat(extra.Take("--disk")));
        Lists(words, "--fs", vm.Shares.Select(s => $"tag={Syntax.CloudHypervisor(s.Tag)},socket={Syntax.CloudHypervisor(s.Socket!)}").Concat(extra.Take("--fs")));
        Lists(words, "--net", Descriptors.Network(this, vm, attachments, host).Select(w => w[1]).Concat(extra.Take("--net")));
        Lists(words, "--device", vm.Devices.Select(d => $"path=/sys/bus/pci/devices/{(d.Path.Length < 12 ? "0000:" : "")}{d.Path}").Concat(extra.Take("--device")));
        if (vm.Socket is { } socket)
        {
            words.AddRange(["--api-socket", socket]);
        }
        words.AddRange(extra.Rest);
        return new(words, [], Descriptors.Of(attachments), vm.Socket is { } path ? new(ControlKind.CloudHypervisor, path) : null, ProcessName(vm))
        {
            User = vm.User,
            Sockets = [.. ((string?[])[vm.Socket, vsockSocket]).OfType<string>()],
            VsockSocket = vsockSocket,
        };
    }

    // validate_identifier() of its config.rs.
    public string? InterfaceId(MicrovmConfig vm, NetworkInterface i) => i.Id.Value.StartsWith("__", StringComparison.Ordinal) ? null : i.Id.Value;

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
