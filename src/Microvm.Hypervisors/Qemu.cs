using System.Globalization;
using Microvm.Declaration;

namespace Microvm.Hypervisors;

/// <summary>QEMU (qemu-system-x86_64(1)).</summary>
public sealed class Qemu : IHypervisor
{
    public string Name => "qemu";

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type switch
    {
        InterfaceType.Tap => [AttachmentKind.TapByName, AttachmentKind.TapByFd],
        InterfaceType.User => [AttachmentKind.UserMode],
        InterfaceType.Macvtap => [AttachmentKind.TapByFd],
        _ => [],
    };

    public bool MultiQueue(AttachmentKind kind) => kind is AttachmentKind.TapByName or AttachmentKind.TapByFd;

    public string? Refuse(MicrovmConfig vm) => vm.Kernel is null ? "there is no microvm.kernel to boot; set it to the path of a kernel image" : null;

    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var isMicrovm = vm.Qemu.Machine is null or "microvm";
        var arguments = new List<string>
        {
            "qemu-system-x86_64",
            "-name", $"{vm.Name},process=microvm@{vm.Name}",
            "-M", $"{vm.Qemu.Machine ?? "microvm"},accel={(host.Kvm ? "kvm" : "tcg")}",
            "-m", vm.MemoryMiB.ToString(CultureInfo.InvariantCulture), "-smp", vm.Vcpu.ToString(CultureInfo.InvariantCulture),
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "-kernel", vm.Kernel!,
        };
        if (host.Kvm)
        {
            arguments.AddRange(["-cpu", "host"]);
        }
        if (vm.InitrdPath is { } initrd)
        {
            arguments.AddRange(["-initrd", initrd]);
        }
        arguments.AddRange(["-append", $"console=ttyS0 reboot=t panic=-1 {vm.KernelParams}".TrimEnd()]);
        foreach (var (n, attachment) in attachments.Index())
        {
            var i = attachment.Interface;
            arguments.Add("-netdev");
            arguments.Add(attachment.Kind == AttachmentKind.TapByName
                ? $"tap,id=net{n},ifname={Escape(i.Id.Value)},script=no,downscript=no{(attachment.MultiQueue ? $",queues={attachment.QueuePairs}" : "")}{(i.Vhost ? ",vhost=on" : "")}"
                : $"user,id=net{n}{string.Concat(vm.ForwardPorts.Where(p => p.From == "host").Select(Forward))}");
            arguments.Add("-device");
            // virtio-mmio has no multi-queue switch of its own; over PCI, two vectors a queue pair and two more.
            var device = isMicrovm ? "virtio-net-device" : "virtio-net-pci";
            arguments.Add($"{device},netdev=net{n},mac={i.Mac}{(attachment.MultiQueue ? ",mq=on" : "")}{(attachment.MultiQueue && !isMicrovm ? $",vectors={2 * attachment.QueuePairs + 2}" : "")}");
        }
        return new(arguments, [], [], null);
    }

    private static string Forward(ForwardPort p) => $",hostfwd={p.Proto}:{p.HostAddress}:{p.HostPort}-{p.GuestAddress}:{p.GuestPort}";

    // QEMU's option parser reads a doubled comma as one.
    private static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);
}
