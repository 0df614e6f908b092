using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Host.Run;

/// <summary>The queues that a hypervisor inherits, opened in the order of its command line. Disposing closes them; exec hands them over first.</summary>
internal sealed class QueueDescriptors : IDisposable
{
    private readonly List<IDisposable> _handles = [];

    /// <summary>The descriptors: the first is to become fd 3.</summary>
    public List<int> Numbers { get; } = [];

    /// <exception cref="LinuxException">A queue can't be opened.</exception>
    public QueueDescriptors(IReadOnlyList<InheritedQueue> queues, HostState state)
    {
        var links = state.Links.ToDictionary(l => l.Name);
        foreach (var queue in queues)
        {
            var id = queue.Attachment.Interface.Id.Value;
            if (queue.Attachment.Interface.Type == InterfaceType.Macvtap)
            {
                var file = MacvtapDevice.OpenQueue(state.Nodes[links[id].Index]);
                _handles.Add(file);
                Numbers.Add((int)file.DangerousGetHandle());
            }
            else
            {
                var tap = TunDevice.OpenQueue(id, queue.Attachment.MultiQueue);
                _handles.Add(tap);
                Numbers.Add(tap.Descriptor);
            }
        }
    }

    public void Dispose() => _handles.ForEach(h => h.Dispose());
}
