namespace Microvm.Linux;

/// <summary>Waits for several descriptors at once (poll(2)). Filled anew for each wait.</summary>
internal sealed unsafe class PollSet
{
    private const short POLLIN = 1, POLLOUT = 4;
    private readonly List<PollDescriptor> _wanted = [];

    /// <summary>Forgets all descriptors.</summary>
    public void Clear() => _wanted.Clear();

    /// <summary>Adds a descriptor.</summary>
    /// <param name="read">Whether to wait until something can be read, or the other end was closed.</param>
    /// <param name="write">Whether to wait until something can be written.</param>
    public void Add(int descriptor, bool read, bool write = false) =>
        _wanted.Add(new() { Descriptor = descriptor, Events = (short)((read ? POLLIN : 0) | (write ? POLLOUT : 0)) });

    /// <summary>Waits until one of the descriptors is ready.</summary>
    /// <param name="milliseconds">At most so long; -1 for ever.</param>
    /// <returns>Those that can be read, or whose other end was closed, and those that can be written.</returns>
    public (HashSet<int> Readable, HashSet<int> Writable) Wait(int milliseconds)
    {
        var all = _wanted.ToArray();
        fixed (PollDescriptor* p = all)
        {
            if (Libc.poll(p, (nuint)all.Length, milliseconds) <= 0)
            {
                return ([], []);
            }
        }
        return ([.. from d in all where (d.Happened & ~POLLOUT) != 0 select d.Descriptor], [.. from d in all where (d.Happened & POLLOUT) != 0 select d.Descriptor]);
    }
}
