using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Host.Run;

/// <summary>The queues that a hypervisor inherits, opened in the order of its command line, and after them the locks on its links, which it holds
/// as long as it lives. Disposing closes them; exec hands them over first.</summary>
internal sealed class QueueDescriptors : IDisposable
{
    private readonly List<IDisposable> _handles = [];

    /// <summary>The descriptors: the first is to become fd 3.</summary>
    public List<int> Numbers { get; } = [];

    /// <exception cref="LinuxException">A queue can't be opened.</exception>
    /// <exception cref="IOException">Somebody has taken the link since it was looked at.</exception>
    public QueueDescriptors(IReadOnlyList<InheritedQueue> queues, IReadOnlyList<Attachment> attachments, HostState state)
    {
        var links = LinksByName.Of(state.Links);
        foreach (var queue in queues)
        {
            var id = queue.Attachment.Interface.Id.Value;
            if (queue.Attachment.Interface.Type == InterfaceType.Macvtap)
            {
                var file = MacvtapDevice.OpenQueue(state.Nodes[links[id].Index]);
                _handles.Add(file);
                // One lock for all queues of a link: on the first.
                if (queue.Index == 0 && !InheritedLock.TryLock((int)file.DangerousGetHandle()))
                {
                    throw Taken(id);
                }
                Numbers.Add((int)file.DangerousGetHandle());
            }
            else
            {
                var tap = TunDevice.OpenQueue(id, queue.Attachment.MultiQueue, links[id].Index);
                _handles.Add(tap);
                Numbers.Add(tap.Descriptor);
            }
        }
        foreach (var name in Shareable(attachments))
        {
            if (!InheritedLock.TryTake(LinkLock.File(name), create: false, out var taken))
            {
                throw Taken(name);
            }
            if (taken is not null)
            {
                _handles.Add(taken);
                Numbers.Add(taken.Descriptor);
            }
        }
    }

    // Links that the hypervisor opens by their names, and of which the kernel would give a second program further queues.
    private static IEnumerable<string> Shareable(IReadOnlyList<Attachment> attachments) =>
        from a in attachments
        where a.Kind == AttachmentKind.MacvtapPath
            || (a.MultiQueue && (a.Kind is AttachmentKind.TapByName or AttachmentKind.TapRedirect || (a.Kind == AttachmentKind.TapByFd && a.Interface.Type != InterfaceType.Macvtap)))
        select a.Interface.Id.Value;

    private static IOException Taken(string id) => new($"the interface '{id}' was taken by another program this very moment; run it again to see by which");

    public void Dispose() => _handles.ForEach(h => h.Dispose());
}
