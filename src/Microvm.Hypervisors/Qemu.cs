using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>QEMU (qemu-system-x86_64(1)).</summary>
public sealed partial class Qemu : IHypervisor
{
    public string Name => "qemu";

    public string Source => "qemu-options.hx (qemu-system-x86_64(1), -netdev and -device)";

    private static readonly FactSheet s_facts = new(
        "qemu-system-x86_64", "7.2.22 (Debian 12), on KVM and on TCG", KernelFormats.BzImage | KernelFormats.Vmlinux, KernelFormats.BzImage, StopWay.PowerButton)
    {
        ProgramOnArm = "qemu-system-aarch64",
        NeedsKvm = false,
        OwnUserNetwork = true,
        KernelNote = "a vmlinux only with a PVH note (CONFIG_PVH)",
        Mtu = "host_mtu, where it isn't 1500",
        Id = "the declared one, as the netdev's; netN where QEMU takes no such id (it begins with a letter, and letters, digits, '-', '.' and '_' follow)",
        StopNote = "and ctrl-alt-del 3 seconds later",
    };

    public FactSheet Facts => s_facts;

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
        var id = InterfaceId(vm, i, index);
        var mtu = host.Mtu(i.Id.Value);
        var backend = attachment.Kind switch
        {
            AttachmentKind.UserMode => $"user,id={id}{string.Concat(vm.ForwardPorts.Select(Forward))}",
            AttachmentKind.BridgeHelper => $"bridge,id={id},br={Syntax.Qemu(i.Bridge!.Value.Value)},helper={Syntax.Qemu(host.BridgeHelper)}",
            AttachmentKind.TapByFd => $"tap,id={id},{(attachment.MultiQueue ? "fds" : "fd")}={Descriptors.List(attachment, descriptor, ':')}",
            _ => $"tap,id={id},ifname={Syntax.Qemu(i.Id.Value)},script=no,downscript=no{(attachment.MultiQueue ? $",queues={attachment.QueuePairs}" : "")}",
        };
        // virtio-mmio has no vectors; over PCI two a queue pair, one for the configuration and one for control.
        var device = $"virtio-net-{(pci ? "pci" : "device")},netdev={id},mac={i.Mac}{(pci ? ",romfile=" : "")}{(mtu == HostFacts.UsualMtu ? "" : $",host_mtu={mtu}")}"
            + (attachment.MultiQueue ? ",mq=on" : "") + (attachment.MultiQueue && pci ? $",vectors={2 * attachment.QueuePairs + 2}" : "");
        return ["-netdev", backend + (i.Vhost ? ",vhost=on" : ""), "-device", device];
    }

    public string? InterfaceId(MicrovmConfig vm, NetworkInterface i) => InterfaceId(vm, i, vm.Interfaces.ToList().IndexOf(i));

    // id_wellformed() of its util/id.c.
    private static string InterfaceId(MicrovmConfig vm, NetworkInterface i, int index)
    {
        var id = i.Id.Value;
        var taken = char.IsAsciiLetter(id[0]) && id.All(c => char.IsAsciiLetterOrDigit(c) || "-._".Contains(c));
        return taken ? id : Enumerable.Range(index, vm.Interfaces.Count + 1).Select(n => $"net{n}").First(free => vm.Interfaces.All(other => other.Id.Value != free));
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
        Machine(vm, host) != "microvm" || vm.Graphics.Enable || vm.Shares.Count > 0 || vm.Devices.Any(d => d.Bus == "pci") || vm.Qemu.PcieRootPorts.Count > 0;
}
