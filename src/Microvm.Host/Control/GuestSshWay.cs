using System.Globalization;
using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Host.Control;

/// <summary>How the SSH server of a guest is reached from its host, by what its declaration says. Pure.</summary>
internal abstract record GuestSshWay
{
    /// <summary>The port that sshd has by default, on vsock too (systemd-ssh-generator(8)).</summary>
    internal const int Port = 22;

    /// <summary>The host's kernel connects (AF_VSOCK).</summary>
    internal sealed record Vsock(uint Cid) : GuestSshWay;

    /// <summary>The hypervisor connects, asked over a Unix socket of its own: relative to the VM's directory, or absolute.</summary>
    internal sealed record HypervisorSocket(string Path) : GuestSshWay;

    /// <summary>The VM's user network forwards this port of the host.</summary>
    internal sealed record Forwarded(string Address, int HostPort) : GuestSshWay;

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
            ? new Forwarded(forward.HostAddress is null or "0.0.0.0" ? "127.0.0.1" : forward.HostAddress, forward.HostPort) : null;
    }

    /// <summary>The way into a guest whose runner is microvm.nix's, by the files that it shows its host.</summary>
    internal static GuestSshWay? Of(string? hypervisor, string? cid) =>
        hypervisor is "cloud-hypervisor" or "firecracker" ? cid is null ? null : new HypervisorSocket("notify.vsock")
        : uint.TryParse(cid, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? new Vsock(number) : null;
}
