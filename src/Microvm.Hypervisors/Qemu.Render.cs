using Microvm.Declaration;
using static Microvm.Hypervisors.Syntax;

namespace Microvm.Hypervisors;

/// <summary>The whole of QEMU's command line.</summary>
public sealed partial class Qemu
{
    public Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var bus = NeedsPci(vm, host) ? "pci" : "device";
        var words = new List<string>
        {
            Program(vm.Qemu.Package, s_facts.ProgramOn(host.Architecture)),
            "-name", vm.PrettyProcessName ? $"{vm.Name},process=microvm@{vm.Name}" : vm.Name,
            "-M", MachineWords(vm, host),
            "-m", vm.HotplugMemoryMiB > 0 ? $"{vm.MemoryMiB},maxmem={vm.MemoryMiB + vm.HotplugMemoryMiB}M" : Number(vm.MemoryMiB),
            "-smp", Number(vm.Vcpu),
            "-nodefaults", "-no-user-config", "-no-reboot",
        };
        words.AddRange(Sandbox(vm, attachments));
        if (Cpu(vm, host) is { } cpu)
        {
            words.AddRange(["-cpu", cpu]);
        }
        Boot(words, vm, host);
        words.AddRange(["-device", $"virtio-rng-{bus}"]);
        if (vm.MachineId is { } uuid)
        {
            words.AddRange(["-smbios", $"type=1,uuid={uuid}"]);
        }
        if (!IsArm(host) && Machine(vm, host) == "microvm")
        {
            // Takes Ctrl-Alt-Del from the control socket and does the guest's reboot.
            words.AddRange(["-device", "i8042"]);
        }
        Display(words, vm);
        PassedDevices(words, vm);
        foreach (var (name, file) in vm.CredentialFiles)
        {
            words.AddRange(["-fw_cfg", $"name=opt/io.systemd.credentials/{name},file={Syntax.Qemu(file)}"]);
        }
        if (vm.Socket is { } socket)
        {
            words.AddRange(["-qmp", $"unix:{Syntax.Qemu(socket)},server=on,wait=off"]);
        }
        Memory(words, vm, bus);
        Disks(words, vm, bus);
        Shares(words, vm, bus);
        words.AddRange(Descriptors.Network(this, vm, attachments, host).SelectMany(w => w));
        if (vm.VsockCid is { } cid)
        {
            words.AddRange(["-device", $"vhost-vsock-{bus},guest-cid={cid}"]);
        }
        words.AddRange(vm.Qemu.ExtraArgs);
        return new(words, [], Descriptors.Of(attachments), vm.Socket is { } path ? new(ControlKind.Qmp, path) : null, ProcessName(vm)) { User = vm.User, Sockets = vm.Socket is null ? [] : [vm.Socket] };
    }

    private static string MachineWords(MicrovmConfig vm, HostFacts host)
    {
        var machine = Machine(vm, host);
        var options = new List<KeyValuePair<string, string>>();
        if (vm.Qemu.MachineOpts is { } given)
        {
            options.AddRange(given);
        }
        else if (IsArm(host))
        {
            options.Add(new("gic-version", "max"));
        }
        else
        {
            options.AddRange([new("mem-merge", "on"), new("acpi", "on")]);
            if (machine == "microvm")
            {
                // Without the timer chip a guest under TCG can't calibrate its clock.
                options.AddRange(host.Kvm && vm.Cpu is null ? [new("pit", "off"), new("pic", "off")] : []);
                options.AddRange([new("pcie", OnOff(NeedsPci(vm, host))), new("rtc", "on"), new("usb", OnOff(vm.Devices.Any(d => d.Bus == "usb")))]);
            }
        }
        if (options.All(o => o.Key != "accel"))
        {
            options.Insert(0, new("accel", host.Kvm && vm.Cpu is null ? "kvm" : "tcg"));
        }
        return machine + string.Concat(options.Select(o => $",{o.Key}={Syntax.Qemu(o.Value)}"));
    }

    // sgx makes QEMU's microvm machine crash (QEMU issue 2142). Under TCG "host" is no model; virt's own is a 32-bit one.
    private static string? Cpu(MicrovmConfig vm, HostFacts host) =>
        vm.Cpu ?? (IsArm(host) ? host.Kvm ? "host" : "max" : host.Kvm ? "host,+x2apic,-sgx" : null);

    private static void Boot(List<string> words, MicrovmConfig vm, HostFacts host)
    {
        var console = !vm.Qemu.SerialConsole ? "" : IsArm(host) ? "console=ttyAMA0 " : "earlyprintk=ttyS0 console=ttyS0 ";
        words.AddRange(["-kernel", Kernel(vm, host, s_facts.KernelOfPackage)]);
        if (vm.InitrdPath is { } initrd)
        {
            words.AddRange(["-initrd", initrd]);
        }
        words.AddRange(["-append", $"{console}reboot=t panic=-1 {vm.KernelParams}".TrimEnd()]);
        if (vm.Qemu.SerialConsole)
        {
            words.AddRange(["-chardev", "stdio,id=stdio,signal=off", "-serial", "chardev:stdio"]);
        }
    }

    private static void Display(List<string> words, MicrovmConfig vm)
    {
        if (!vm.Graphics.Enable)
        {
            words.AddRange(["-display", "none"]);
            return;
        }
        var vulkan = vm.Graphics.Vulkan is { } protocol ? $",blob=true,hostmem={Syntax.Qemu(vm.Graphics.HostMemory)},{protocol}=on" : "";
        words.AddRange(vm.Graphics.Backend switch
        {
            "cocoa" => ["-display", "cocoa", "-device", "virtio-gpu"],
            "headless" => ["-display", "egl-headless", "-device", $"virtio-gpu-gl{vulkan}"],
            _ => (string[])["-display", "gtk,gl=on", "-device", $"virtio-vga-gl{vulkan}"],
        });
        words.AddRange(["-device", "qemu-xhci", "-device", "usb-tablet", "-device", "usb-kbd"]);
    }

    private static void PassedDevices(List<string> words, MicrovmConfig vm)
    {
        foreach (var port in vm.Qemu.PcieRootPorts)
        {
            words.AddRange(["-device", $"pcie-root-port,id={Syntax.Qemu(port.Id)}{Property("bus", port.Bus)}{Property("chassis", port.Chassis is { } c ? Number(c) : null)}{Property("slot", port.Slot)}{Property("addr", port.Addr)}"]);
        }
        if (vm.Devices.Any(d => d.Bus == "usb") && !vm.Graphics.Enable)
        {
            words.AddRange(["-device", "qemu-xhci"]);
        }
        foreach (var device in vm.Devices)
        {
            var own = $"{Property("id", device.QemuId)}{Property("bus", device.QemuBus)}{(device.ExtraArgs is { } more ? $",{more}" : "")}";
            words.AddRange(["-device", device.Bus == "pci" ? $"vfio-pci,host={device.Path},multifunction=on{own}" : $"usb-host,{device.Path}{own}"]);
        }
    }

    private static void Memory(List<string> words, MicrovmConfig vm, string bus)
    {
        // virtiofsd and the guest must see the same memory.
        if (vm.HugepageMemory || vm.Shares.Any(s => s.IsVirtiofs))
        {
            words.AddRange(["-object", $"memory-backend-memfd,id=mem,size={vm.MemoryMiB}M,share=on{(vm.HugepageMemory ? ",hugetlb=on" : "")}", "-numa", "node,memdev=mem"]);
        }
        if (vm.Balloon)
        {
            words.AddRange(["-device", $"virtio-balloon-{bus},id=balloon0,free-page-reporting=on{(vm.DeflateOnOutOfMemory ? ",deflate-on-oom=on" : "")}"]);
        }
        if (vm.HotplugMemoryMiB > 0)
        {
            words.AddRange(["-object", $"memory-backend-ram,id=vmem0,size={vm.HotplugMemoryMiB}M", "-device", $"virtio-mem-pci,id=vm0,memdev=vmem0,requested-size={vm.HotpluggedMemoryMiB}M"]);
        }
    }

    private static void Disks(List<string> words, MicrovmConfig vm, string bus)
    {
        if (vm.StoreDisk is { } store)
        {
            words.AddRange(["-drive", $"id=store,format=raw,read-only=on,file={Syntax.Qemu(store)},if=none,aio=io_uring", "-device", $"virtio-blk-{bus},drive=store"]);
        }
        foreach (var (n, volume) in vm.Volumes.Index())
        {
            var format = volume.ImageType == "vhd" ? "vpc" : volume.ImageType;
            words.AddRange(["-drive", $"id=volume{n},format={format},file={Syntax.Qemu(volume.Image)},if=none,aio=io_uring,discard=unmap{(volume.Direct ? ",cache=none" : "")},read-only={OnOff(volume.ReadOnly)}",
                "-device", $"virtio-blk-{bus},drive=volume{n}{Property("serial", volume.Serial)}"]);
        }
    }

    private static void Shares(List<string> words, MicrovmConfig vm, string bus)
    {
        foreach (var (n, share) in vm.Shares.Index())
        {
            words.AddRange(share.IsVirtiofs
                ? ["-chardev", $"socket,id=fs{n},path={Syntax.Qemu(share.Socket!)}", "-device", $"vhost-user-fs-{bus},chardev=fs{n},tag={Syntax.Qemu(share.Tag)}"]
                : ["-fsdev", $"local,id=fs{n},path={Syntax.Qemu(share.Source)},security_model={share.SecurityModel},readonly={OnOff(share.ReadOnly)}", "-device", $"virtio-9p-{bus},fsdev=fs{n},mount_tag={Syntax.Qemu(share.Tag)}"]);
        }
    }

    private static string Property(string name, string? value) => value is null ? "" : $",{name}={Syntax.Qemu(value)}";
}
