using System.Globalization;
using System.Net;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Network.Networks;

namespace Microvm.Host.Control;

/// <summary>How the SSH server of a guest is reached from its host, by what its declaration says, and by the addresses that were reserved for it.</summary>
internal abstract record GuestSshWay
{
    /// <summary>The port that sshd has by default, on vsock too (systemd-ssh-generator(8)).</summary>
    internal const int Port = 22;

    /// <summary>The host's kernel connects (AF_VSOCK).</summary>
    internal sealed record Vsock(uint Cid) : GuestSshWay;

    /// <summary>The hypervisor connects, asked over a Unix socket of its own: relative to the VM's directory, or absolute.</summary>
    internal sealed record HypervisorSocket(string Path) : GuestSshWay;

    /// <summary>A TCP port: of the host, which the VM's user network forwards, or of the guest's own address.</summary>
    internal sealed record Tcp(string Address, int TcpPort) : GuestSshWay;

    /// <summary>The way into a guest; null where its declaration knows none.</summary>
    internal static GuestSshWay? Of(MicrovmConfig vm, IReadOnlyList<Attachment> attachments)
    {
        // Only the socket is asked for, as for a control socket: a kernel need not be named.
        if (HypervisorTable.Find(vm.Hypervisor)?.Render(vm with { Kernel = vm.Kernel ?? "/" }, attachments, new HostFacts(Kvm: false)).VsockSocket is { } socket)
        {
            return new HypervisorSocket(socket);
        }
        if (vm.VsockCid is { } cid)
        {
            return new Vsock(cid);
        }
        return vm.ForwardPorts.FirstOrDefault(p => p is { From: "host", Proto: "tcp", GuestPort: Port }) is { } forward
            ? new Tcp(forward.HostAddress is null or "0.0.0.0" ? "127.0.0.1" : forward.HostAddress, forward.HostPort) : null;
    }

    /// <summary>The way to the guest's own address, where the host knows one: reserved for it on a network that is up, else the fixed address that its declaration gives it.</summary>
    /// <param name="vm">Null where the declaration isn't known.</param>
    internal static GuestSshWay? OfAddress(string name, MicrovmConfig? vm) =>
        (Reservation.Of(name).FirstOrDefault() ?? vm?.Interfaces.Select(i => i.Guest?.Address.Address).OfType<IPAddress>().FirstOrDefault()) is { } address ? new Tcp($"{address}", Port) : null;

    /// <summary>The way into a guest whose runner is microvm.nix's, by the files that it shows its host.</summary>
    internal static GuestSshWay? Of(string? hypervisor, string? cid) =>
        hypervisor is "cloud-hypervisor" or "firecracker" ? cid is null ? null : new HypervisorSocket("notify.vsock")
        : uint.TryParse(cid, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? new Vsock(number) : null;
}
