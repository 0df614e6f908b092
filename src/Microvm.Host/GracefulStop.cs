using System.Diagnostics;
using Microvm.Host.Control;
using Microvm.Hypervisors;

namespace Microvm.Host;

/// <summary>How a stop ended.</summary>
public enum StopOutcome
{
    /// <summary>Nobody was behind the control socket.</summary>
    WasNotRunning,

    /// <summary>The guest shut down by itself.</summary>
    ShutDown,

    /// <summary>This hypervisor can't ask its guest, and has ended at once.</summary>
    EndedUnasked,

    /// <summary>The guest did not, so the hypervisor was told to end.</summary>
    Ended,

    /// <summary>The guest did not, and this hypervisor can be ended by a signal only.</summary>
    StillRunning,
}

/// <summary>Stops a VM the way its guest would want it.</summary>
public static class GracefulStop
{
    /// <summary>How long a guest may take to shut down, where nothing else is said. Below the 150 s that a unit of ours waits before it kills.</summary>
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(120);

    /// <summary>How long the guest is given before it is asked again, in each way that there is: one that is still booting hears nothing, and
    /// one that listens to ctrl-alt-del alone not the power button. A guest that is on its way down already stays with that.</summary>
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan s_quitLimit = TimeSpan.FromSeconds(5);

    /// <summary>Asks the guest to shut down, again every few seconds, waits for the hypervisor's end, and ends it after <paramref name="limit"/>.</summary>
    /// <param name="memoryMiB">The guest's declared memory.</param>
    /// <param name="holders">Who may be behind the socket besides root, the user of this process and the owner of its directory.</param>
    /// <exception cref="ControlException">The hypervisor can't be talked to, or somebody else listens in its place.</exception>
    public static StopOutcome Stop(ControlSocket socket, long memoryMiB, TimeSpan limit, SocketHolders? holders = null)
    {
        using var control = VmControl.Open(socket, memoryMiB, holders);
        if (control is null)
        {
            return StopOutcome.WasNotRunning;
        }
        var clock = Stopwatch.StartNew();
        control.RequestShutdown();
        if (!control.AsksGuest)
        {
            return control.WaitForEnd(s_quitLimit) ? StopOutcome.EndedUnasked : StopOutcome.StillRunning;
        }
        while (!control.WaitForEnd(Shorter(limit - clock.Elapsed, s_again)))
        {
            if (clock.Elapsed >= limit)
            {
                return control.Quit() && control.WaitForEnd(s_quitLimit) ? StopOutcome.Ended : StopOutcome.StillRunning;
            }
            AskAgain(control);
        }
        return StopOutcome.ShutDown;
    }

    private static void AskAgain(IVmControl control)
    {
        try
        {
            control.RequestShutdown();
            control.RequestOtherwise();
        }
        catch (ControlException)
        {
            // It took the first request; by now the guest may be off, or the hypervisor gone.
        }
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < TimeSpan.Zero ? TimeSpan.Zero : one < other ? one : other;
}
