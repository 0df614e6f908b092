using Microvm.Declaration;

namespace Microvm.Hypervisors;

/// <summary>One hypervisor: which attachments it accepts, and how it is started. Pure: nothing is looked up or started.</summary>
public interface IHypervisor
{
    /// <summary>The name of <c>microvm.hypervisor</c>.</summary>
    string Name { get; }

    /// <summary>Its own documentation or source file that the syntax of its network arguments comes from.</summary>
    string Source { get; }

    /// <summary>What is known of it beside its command line.</summary>
    FactSheet Facts { get; }

    /// <summary>The id by which it knows an interface, on its command line and in its API; null where it knows none.</summary>
    string? InterfaceId(MicrovmConfig vm, NetworkInterface i) => null;

    /// <summary>The attachments it accepts for a type, best first; none where it can't serve the type.</summary>
    IReadOnlyList<AttachmentKind> Accepts(InterfaceType type);

    /// <summary>How many queue pairs it can use over that attachment, 1 or more.</summary>
    /// <param name="vhost">Whether the kernel's vhost-net moves the packets.</param>
    int MaxQueuePairs(AttachmentKind kind, bool vhost);

    /// <summary>Reports what of the declaration it can't do, each with its reason and the nearest choice that works.</summary>
    void Check(MicrovmConfig vm, Findings findings);

    /// <summary>The words of the command line, or the part of the configuration, that stand for one interface.</summary>
    /// <param name="index">Counts interfaces from 0.</param>
    /// <param name="descriptor">The first inherited descriptor, where the attachment has any.</param>
    IReadOnlyList<string> Network(MicrovmConfig vm, Attachment attachment, int index, int descriptor, HostFacts host);

    /// <summary>The command line and what goes with it. Call it only where <see cref="Check"/> found nothing and a kernel is given.</summary>
    Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host);
}
