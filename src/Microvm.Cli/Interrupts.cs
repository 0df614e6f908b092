using System.Runtime.InteropServices;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>Turns SIGINT, SIGTERM and SIGHUP into a wish to stop that ends a wait, so that a command ends in good order.</summary>
internal sealed class Interrupts : IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];
    private volatile bool _stop;

    internal Interrupts()
    {
        foreach (var signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP })
        {
            On(signal, RequestStop);
        }
    }

    /// <summary>Ended by every signal asked for.</summary>
    internal WakeUp WakeUp { get; } = new();
    internal bool Stop => _stop;
    internal void RequestStop() => _stop = true;

    /// <summary>Does something in the signal's place; runs on another thread.</summary>
    internal void On(PosixSignal signal, Action action) => _registrations.Add(PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        action();
        WakeUp.Set();
    }));

    public void Dispose()
    {
        _registrations.ForEach(r => r.Dispose());
        WakeUp.Dispose();
    }
}
