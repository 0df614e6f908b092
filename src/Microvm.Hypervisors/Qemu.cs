using Microvm.Declaration;

namespace Microvm.Hypervisors;

/// <summary>What of the host decides the command line.</summary>
/// <param name="Kvm">Whether KVM can be used; TCG otherwise.</param>
public sealed record HostFacts(bool Kvm);

/// <summary>QEMU's command line (qemu-system-x86_64(1)).</summary>
public static class Qemu
{
    /// <summary>Why QEMU can't run this, or null.</summary>
    public static string? Refuse(MicrovmConfig vm) =>
        vm.Kernel is null ? "there is no microvm.kernel to boot; set it to the path of a kernel image"
        : vm.Interfaces.FirstOrDefault(i => i.Type is InterfaceType.Macvtap or InterfaceType.Bridge) is { } i
            ? $"'{i.Id}' is of type {i.Type.ToString().ToLowerInvariant()}, which 'run' does not serve yet; use tap or user" : null;

    /// <summary>Arguments after the program's name. One element is one argument; nothing is quoted for a shell.</summary>
    public static IReadOnlyList<string> Arguments(MicrovmConfig vm, HostFacts host)
    {
        var isMicrovm = vm.Machine == "microvm";
        var arguments = new List<string>
        {
            "-name", $"{vm.Name},process=microvm@{vm.Name}",
            "-M", $"{vm.Machine},accel={(host.Kvm ? "kvm" : "tcg")}",
            "-m", vm.MemoryMiB.ToString(), "-smp", vm.Vcpu.ToString(),
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
        foreach (var (n, i) in vm.Interfaces.Index())
        {
            var multiQueue = i.Type == InterfaceType.Tap && vm.Vcpu > 1;
            arguments.Add("-netdev");
            arguments.Add(i.Type == InterfaceType.Tap
                ? $"tap,id=net{n},ifname={Escape(i.Id.Value)},script=no,downscript=no{(multiQueue ? $",queues={vm.Vcpu}" : "")}{(i.Vhost ? ",vhost=on" : "")}"
                : $"user,id=net{n}{string.Concat(vm.ForwardPorts.Where(p => p.From == "host").Select(Forward))}");
            arguments.Add("-device");
            // virtio-mmio has no multi-queue switch of its own; over PCI, two vectors a queue pair and two more.
            var pci = isMicrovm ? "virtio-net-device" : "virtio-net-pci";
            arguments.Add($"{pci},netdev=net{n},mac={i.Mac}{(multiQueue ? ",mq=on" : "")}{(multiQueue && !isMicrovm ? $",vectors={2 * vm.Vcpu + 2}" : "")}");
        }
        return arguments;
    }

    private static string Forward(ForwardPort p) => $",hostfwd={p.Proto}:{p.HostAddress}:{p.HostPort}-{p.GuestAddress}:{p.GuestPort}";

    // QEMU's option parser reads a doubled comma as one.
    private static string Escape(string value) => value.Replace(",", ",,");
}
