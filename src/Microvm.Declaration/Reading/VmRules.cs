using System.Text;
using System.Text.RegularExpressions;

namespace Microvm.Declaration;

/// <summary>The rules that hold between the options of one VM, whichever hypervisor runs it.</summary>
internal sealed partial class VmRules(DiagnosticBag diagnostics)
{
    /// <summary>sun_path without the terminating zero (unix(7)).</summary>
    private const int MaxSocketBytes = 107;

    /// <summary>The kernel's own net.ipv4.ip_unprivileged_port_start (ip-sysctl.rst).</summary>
    private const int UnprivilegedPorts = 1024;

    internal void Check(MicrovmConfig vm, ObjectNode microvm)
    {
        Memory(vm);
        if (vm.ForwardPorts.Count > 0 && vm.Interfaces.All(i => i.Type != InterfaceType.User))
        {
            diagnostics.Error(vm.PositionOf("forwardPorts"), "forwardPorts needs an interface of type \"user\", or one with a network; add one");
        }
        foreach (var port in vm.NetworkForwards)
        {
            if (port.From == "guest")
            {
                diagnostics.Error(port.At, "from = \"guest\" goes with an interface of type \"user\"; on a network the guest reaches the host at its gateway");
            }
            else if (port.GuestAddress is not null)
            {
                diagnostics.Error(port.At, "the network gives the guest its address; leave out guest.address, and name the address in the interface's 'addresses'");
            }
            else if (port.HostAddress?.StartsWith("127.", StringComparison.Ordinal) == true)
            {
                diagnostics.Error(port.At, $"a port of {port.HostAddress} can't lead to a network, whose guests would reach the host's own services there; leave out host.address, and from this host use the guest's own address");
            }
        }
        foreach (var port in vm.ForwardPorts.Where(p => p.From == "host" && p.HostPort is > 0 and < UnprivilegedPorts))
        {
            diagnostics.Warning(port.At, $"{port.Proto} port {port.HostPort} of the host takes a privilege that no hypervisor gets, unless net.ipv4.ip_unprivileged_port_start of the host is at most {port.HostPort}; forward one from {UnprivilegedPorts} on");
        }
        Twins(vm.Volumes, v => v.Image, v => v.At, "the volume image '{0}' is used twice; each volume needs its own");
        Twins(vm.Shares, s => s.Tag, s => s.At, "the share tag '{0}' is used twice; each share needs its own");
        Twins(vm.Shares.Where(s => s.Socket is not null), s => s.Socket!, s => s.At, "the share socket '{0}' is used twice; each share needs its own");
        Twins(vm.Devices, d => $"{d.Bus} {d.Path}", d => d.At, "the device '{0}' is handed over twice; keep one");
        foreach (var share in vm.Shares.Where(s => s.IsVirtiofs && s.PosixAcl && Translates(s.ExtraArgs.Concat(vm.Virtiofsd.ExtraArgs))))
        {
            diagnostics.Error(share.At, "virtiofsd takes either --posix-acl or --translate-uid and --translate-gid; set posixAcl = false on this share");
        }
        Sockets(vm);
        if (vm.MachineId is { } id && !Uuid().IsMatch(id))
        {
            diagnostics.Error(vm.PositionOf("machineId"), $"'{Printable.Of(id)}' is not a UUID: 8-4-4-4-12 hexadecimal digits");
        }
        if (vm.HasVsockSsh && vm.VsockCid is null)
        {
            diagnostics.Error(vm.PositionOf("vsock"), "vsock.ssh.enable needs an address for the guest: set vsock.cid, a number from 3 up that no other VM of the host has");
        }
        if (vm.User is { } user && !UserName().IsMatch(user))
        {
            diagnostics.Error(vm.PositionOf("user"), $"'{Printable.Of(user)}' can't be the name of a user");
        }
        else if (vm.User is "root" or "0")
        {
            diagnostics.Error(vm.PositionOf("user"), "'user' is the user that root becomes before the hypervisor starts, so it can't be root; leave it out");
        }
        if (vm.Qemu.Machine is { } machine && !Word().IsMatch(machine))
        {
            diagnostics.Error(vm.PositionOf("qemu.machine"), "microvm.qemu.machine is a machine type alone, like \"microvm\" or \"q35\"");
        }
        foreach (var credential in (microvm.Set("credentialFiles")?.Members ?? []).Where(m => !Word().IsMatch(m.Name)))
        {
            diagnostics.Error(credential.At, $"'{Printable.Of(credential.Name)}' can't be the name of a credential: use a-z, A-Z, 0-9, '.', '_' and '-'");
        }
        foreach (var option in (microvm.Set("qemu").Set("machineOpts")?.Members ?? []).Where(m => !Word().IsMatch(m.Name)))
        {
            diagnostics.Error(option.At, $"'{Printable.Of(option.Name)}' can't be the name of a machine option");
        }
    }

    private void Memory(MicrovmConfig vm)
    {
        if (vm.MemoryMiB < 32)
        {
            diagnostics.Warning(vm.PositionOf("mem"), $"{vm.MemoryMiB} MiB of memory is little for a kernel with its initrd");
        }
        if (vm.HotpluggedMemoryMiB > vm.HotplugMemoryMiB)
        {
            diagnostics.Error(vm.PositionOf("hotpluggedMem"), $"hotpluggedMem ({vm.HotpluggedMemoryMiB} MiB) is more than hotplugMem ({vm.HotplugMemoryMiB} MiB)");
        }
        if (vm.InitialBalloonMiB > 0 && !vm.Balloon)
        {
            diagnostics.Error(vm.PositionOf("initialBalloonMem"), "initialBalloonMem needs balloon = true");
        }
        if (vm.InitialBalloonMiB >= vm.MemoryMiB && vm.InitialBalloonMiB > 0)
        {
            diagnostics.Error(vm.PositionOf("initialBalloonMem"), $"a balloon of {vm.InitialBalloonMiB} MiB leaves nothing of the {vm.MemoryMiB} MiB of memory");
        }
    }

    private void Sockets(MicrovmConfig vm)
    {
        if (vm.Socket is { } socket && Encoding.UTF8.GetByteCount(socket) > MaxSocketBytes)
        {
            diagnostics.Error(vm.PositionOf("socket"), $"the path of a socket has at most {MaxSocketBytes} bytes");
        }
        foreach (var share in vm.Shares.Where(s => s.Socket is { } p && Encoding.UTF8.GetByteCount(p) > MaxSocketBytes))
        {
            diagnostics.Error(share.At, $"the path of a share's socket has at most {MaxSocketBytes} bytes");
        }
    }

    private void Twins<T>(IEnumerable<T> all, Func<T, string> key, Func<T, SourcePosition> at, string message)
    {
        var seen = new HashSet<string>();
        foreach (var one in all.Where(a => !seen.Add(key(a))))
        {
            diagnostics.Error(at(one), message.Replace("{0}", Printable.Of(key(one)), StringComparison.Ordinal));
        }
    }

    private static bool Translates(IEnumerable<string> arguments) =>
        arguments.Any(a => a.Contains("--translate-uid", StringComparison.Ordinal) || a.Contains("--translate-gid", StringComparison.Ordinal));

    [GeneratedRegex(@"\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z")] private static partial Regex Uuid();
    [GeneratedRegex(@"\A[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,31}\$?\z")] private static partial Regex UserName();
    [GeneratedRegex(@"\A[a-zA-Z0-9_][a-zA-Z0-9_.-]*\z")] private static partial Regex Word();
}
