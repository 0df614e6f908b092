namespace Microvm.Linux;

/// <summary>Ends a wait from another thread or a signal handler (eventfd(2)).</summary>
internal sealed unsafe class WakeUp : IDisposable
{
    private const int EFD_CLOEXEC = 0x80000, EFD_NONBLOCK = 0x800;
    private const short POLLIN = 1;
    private readonly FileDescriptor _event = new((int)Libc.Check(Libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make an eventfd"));

    /// <summary>Can be read once <see cref="Set"/> was called.</summary>
    public int Descriptor => _event.Value;

    /// <summary>Ends the wait under way, or the next one.</summary>
    public void Set()
    {
        ulong one = 1;
        _ = Libc.write(_event.Value, (byte*)&one, 8);
    }

    /// <summary>Waits until the descriptor has something to read, <see cref="Set"/> was called, or the time is over.</summary>
    /// <param name="fd">The descriptor to read from; -1 for none.</param>
    /// <param name="milliseconds">At most so long; -1 for ever.</param>
    /// <returns>Whether the descriptor has something to read (or its other end closed).</returns>
    public bool Wait(int fd, int milliseconds)
    {
        var wait = stackalloc PollDescriptor[2];
        wait[0] = new() { Descriptor = fd, Events = POLLIN };
        wait[1] = new() { Descriptor = _event.Value, Events = POLLIN };
        if (Libc.poll(wait, 2, milliseconds) <= 0)
        {
            return false;
        }
        if (wait[1].Happened != 0)
        {
            ulong count;
            _ = Libc.read(_event.Value, (byte*)&count, 8);
        }
        return wait[0].Happened != 0;
    }

    public void Dispose() => _event.Dispose();
}
