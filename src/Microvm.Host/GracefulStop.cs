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

    /// <summary>How long the first way of asking is given before the guest is asked in the other way too.</summary>
    private static readonly TimeSpan s_firstLimit = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan s_quitLimit = TimeSpan.FromSeconds(5);

    /// <summary>Asks the guest to shut down, waits for the hypervisor's end, and ends it after <paramref name="limit"/>.</summary>
    /// <param name="memoryMiB">The guest's declared memory.</param>
    /// <exception cref="ControlException">The hypervisor can't be talked to.</exception>
    public static StopOutcome Stop(ControlSocket socket, long memoryMiB, TimeSpan limit)
    {
        using var control = VmControl.Open(socket, memoryMiB);
        if (control is null)
        {
            return StopOutcome.WasNotRunning;
        }
        var first = limit < s_firstLimit ? limit : s_firstLimit;
        control.RequestShutdown();
        if (control.WaitForEnd(control.AsksGuest ? first : s_quitLimit))
        {
            return control.AsksGuest ? StopOutcome.ShutDown : StopOutcome.EndedUnasked;
        }
        if (!control.AsksGuest)
        {
            return StopOutcome.StillRunning;
        }
        control.RequestOtherwise();
        if (control.WaitForEnd(limit - first))
        {
            return StopOutcome.ShutDown;
        }
        return control.Quit() && control.WaitForEnd(s_quitLimit) ? StopOutcome.Ended : StopOutcome.StillRunning;
    }
}
