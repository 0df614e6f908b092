using Microvm.Hypervisors;

namespace Microvm.Host.Control;

/// <summary>A running VM's control socket, whichever hypervisor is behind it.</summary>
public interface IVmControl : IDisposable
{
    /// <summary>Whether <see cref="RequestShutdown"/> asks the guest; else it ends the VM as if its power failed.</summary>
    bool AsksGuest => true;

    /// <summary>Asks the guest to shut down: an ACPI power button, or ctrl-alt-del where there is none. Returns as soon as the hypervisor took the request.</summary>
    /// <exception cref="ControlException">The hypervisor refused, or went away.</exception>
    void RequestShutdown();

    /// <summary>Asks once more in the other way, where the hypervisor has one: not every guest listens to a power button.</summary>
    void RequestOtherwise()
    {
    }

    /// <summary>Ends the hypervisor without asking the guest, where it can be told to.</summary>
    /// <returns>False where only a signal can end it.</returns>
    bool Quit();

    /// <summary>Sets the guest's memory.</summary>
    /// <param name="mebibytes">The memory that the guest should have, in MiB.</param>
    /// <returns>What it has now, in MiB; null where the hypervisor doesn't tell.</returns>
    /// <exception cref="ControlException">There is no balloon, or the hypervisor refused.</exception>
    long? SetMemory(long mebibytes);

    /// <summary>Waits until the hypervisor has closed the socket, which is when it has ended.</summary>
    /// <returns>False when it is still there after <paramref name="limit"/>.</returns>
    bool WaitForEnd(TimeSpan limit);
}

/// <summary>Opens control sockets.</summary>
public static class VmControl
{
    /// <summary>Connects to a running VM, or returns null where nobody listens: it has ended already.</summary>
    /// <param name="memoryMiB">The guest's declared memory: some balloons count what is taken from it.</param>
    /// <param name="holders">Who may listen besides root, the user of this process and the owner of the directory.</param>
    /// <exception cref="ControlException">Somebody listens, but doesn't speak the protocol, or is not the one to.</exception>
    public static IVmControl? Open(ControlSocket socket, long memoryMiB, SocketHolders? holders = null)
    {
        holders ??= SocketHolders.Ours;
        if (socket.Kind == ControlKind.Crosvm)
        {
            return CrosvmControl.Open(socket, memoryMiB, holders);
        }
        if (socket.Kind == ControlKind.Kvmtool)
        {
            return KvmtoolControl.Open(socket.Path, holders);
        }
        if (UnixStream.Connect(socket.Path, holders) is not { } stream)
        {
            return null;
        }
        if (socket.Kind == ControlKind.Qmp)
        {
            return new QmpControl(stream);
        }
        stream.Dispose();
        return new HttpControl(socket.Path, socket.Kind switch
        {
            ControlKind.CloudHypervisor => new CloudHypervisorRequests(memoryMiB),
            ControlKind.Firecracker => new FirecrackerRequests(memoryMiB),
            _ => new VfkitRequests(),
        }, holders);
    }
}
