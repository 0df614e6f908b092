using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>QEMU (qemu-system-x86_64(1)).</summary>
public sealed partial class Qemu : IHypervisor
{
    public string Name => "qemu";

    public string Source => "qemu-options.hx (qemu-system-x86_64(1), -netdev and -device)";

    public IReadOnlyList<AttachmentKind> Accepts(InterfaceType type) => type switch
    {
        InterfaceType.Tap => [AttachmentKind.TapByName, AttachmentKind.TapByFd],
        InterfaceType.Macvtap => [AttachmentKind.TapByFd],
        InterfaceType.Bridge => [AttachmentKind.BridgeHelper, AttachmentKind.TapByName, AttachmentKind.TapByFd],
        _ => [AttachmentKind.UserMode],
    };

    // The helper hands over one descriptor, and slirp has one queue.
    public int MaxQueuePairs(AttachmentKind kind, bool vhost) => kind is AttachmentKind.TapByName or AttachmentKind.TapByFd ? 256 : 1;

    public void Check(MicrovmConfig vm, Findings findings)
    {
        if (vm.MemoryMiB == 2048)
        {
            findings.Warn("mem", "QEMU is known to hang with exactly 2048 MiB of memory (microvm.nix issue 171); use 2047 or 2049");
        }
        findings.RefuseIf(vm.InitialBalloonMiB > 0, "initialBalloonMem", "QEMU's balloon starts empty; set it over the control socket once the VM runs, or use cloud-hypervisor");
        findings.RefuseIf(vm.HotplugMemoryMiB > 0 && IsMicrovm(vm), "hotplugMem", "QEMU's microvm machine has no virtio-mem; set microvm.qemu.machine = \"q35\"");
        findings.ImageTypes("raw", "qcow2", "vhd", "vhdx");
        foreach (var port in vm.ForwardPorts.Where(p => p.From == "guest" && p.Proto == "udp"))
        {
            findings.Refuse(port.At, "QEMU forwards only tcp from the guest (guestfwd); the guest reaches the host's loopback at 10.0.2.2");
        }
        if (vm.ForwardPorts.Count > 0 && vm.Interfaces.Count(i => i.Type == InterfaceType.User) > 1)
        {
            findings.Refuse("forwardPorts", "forwardPorts is for one interface of type user; there are more, and a port of the host can't be given twice");
        }
    }

    public IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host)
    {
        var i = attachment.Interface;
        var pci = NeedsPci(vm, host);
        var backend = attachment.Kind switch
        {
            AttachmentKind.UserMode => $"user,id=net{index}{string.Concat(vm.ForwardPorts.Select(Forward))}",
            AttachmentKind.BridgeHelper => $"bridge,id=net{index},br={Syntax.Qemu(i.Bridge!.Value.Value)},helper={Syntax.Qemu(host.BridgeHelper)}",
            AttachmentKind.TapByFd => $"tap,id=net{index},{(attachment.MultiQueue ? "fds" : "fd")}={Descriptors.List(attachment, descriptor, ':')}",
            _ => $"tap,id=net{index},ifname={Syntax.Qemu(i.Id.Value)},script=no,downscript=no{(attachment.MultiQueue ? $",queues={attachment.QueuePairs}" : "")}",
        };
        // virtio-mmio has no vectors; over PCI two a queue pair, one for the configuration and one for control.
        var device = $"virtio-net-{(pci ? "pci" : "device")},netdev=net{index},mac={i.Mac}{(pci ? ",romfile=" : "")}"
            + (attachment.MultiQueue ? ",mq=on" : "") + (attachment.MultiQueue && pci ? $",vectors={2 * attachment.QueuePairs + 2}" : "");
        return ["-netdev", backend + (i.Vhost ? ",vhost=on" : ""), "-device", device];
    }

    private static string Forward(ForwardPort p) => p.From == "host"
        ? $",hostfwd={p.Proto}:{p.HostAddress}:{p.HostPort}-{p.GuestAddress}:{p.GuestPort}"
        : $",guestfwd={p.Proto}:{p.GuestAddress}:{p.GuestPort}-cmd:nc {p.HostAddress} {p.HostPort}";

    /// <summary>Everything is denied, but what qemu-bridge-helper needs: it is setuid, which no filter survives, so there is none
    /// then, as the specification says; and a forward from the guest starts a process for each connection.</summary>
    private static IEnumerable<string> Sandbox(MicrovmConfig vm, IReadOnlyList<Attachment> attachments) =>
        attachments.Any(a => a.Kind == AttachmentKind.BridgeHelper) ? []
            : ["-sandbox", $"on,obsolete=deny,elevateprivileges=deny,spawn={(vm.ForwardPorts.Any(p => p.From == "guest") ? "allow" : "deny")},resourcecontrol=deny"];

    private static bool IsMicrovm(MicrovmConfig vm) => vm.Qemu.Machine is null or "microvm";

    private static string Machine(MicrovmConfig vm, HostFacts host) => vm.Qemu.Machine ?? (IsArm(host) ? "virt" : "microvm");

    private static bool NeedsPci(MicrovmConfig vm, HostFacts host) =>
        Machine(vm, host) != "microvm" || vm.Graphics.Enable || vm.Shares.Count > 0 || vm.Devices.Any(d => d.Bus == "pci") || vm.Qemu.PcieRootPorts?.Count > 0;
}
