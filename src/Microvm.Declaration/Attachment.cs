namespace Microvm.Declaration;

/// <summary>How a declared interface reaches its hypervisor on the host.</summary>
public enum AttachmentKind
{
    /// <summary>A persistent tap that the hypervisor opens by its name.</summary>
    TapByName,

    /// <summary>Queue descriptors of a tap or macvtap, opened for the hypervisor and inherited from fd 3 on.</summary>
    TapByFd,

    /// <summary>The path of a macvtap's character device.</summary>
    MacvtapPath,

    /// <summary>qemu-bridge-helper makes the tap while QEMU starts.</summary>
    BridgeHelper,

    /// <summary>A tap and a macvlan joined by mirred redirects, for a hypervisor that takes only a tap.</summary>
    TapRedirect,

    /// <summary>The hypervisor's own user-mode network.</summary>
    UserMode,

    /// <summary>A tap inside a user and network namespace, joined to slirp4netns or pasta.</summary>
    UserNamespace,
}

/// <summary>One declared interface with the attachment chosen for it: the one place that decides the queue mode for the
/// link's flags, the descriptors and the command line.</summary>
/// <param name="Vm">The VM's name.</param>
/// <param name="QueuePairs">Queue pairs, 1 or more; a link with more than one is made with multi_queue.</param>
public sealed record Attachment(string Vm, NetworkInterface Interface, AttachmentKind Kind, int QueuePairs)
{
    /// <summary>Whether the link is made with multi_queue.</summary>
    public bool MultiQueue => QueuePairs > 1;
}

/// <summary>What is known of one kind of attachment, whichever hypervisor takes it.</summary>
/// <param name="Word">As it is written on the command line, in tables, in JSON and in metrics. Scripts rely on it; it never changes.</param>
/// <param name="Meaning">A sentence for <c>explain</c>.</param>
internal sealed record AttachmentFacts(AttachmentKind Kind, string Word, string Meaning)
{
    /// <summary>Every kind, in the order of the enumeration.</summary>
    public static IReadOnlyList<AttachmentFacts> All { get; } =
    [
        new(AttachmentKind.TapByName, "tap-by-name", "the hypervisor opens the tap itself, by its name.")
        {
            Types = [InterfaceType.Tap, InterfaceType.Bridge],
            IsChoice = true,
        },
        new(AttachmentKind.TapByFd, "tap-by-fd", "'run' opens it and hands the hypervisor the descriptor.")
        {
            Types = [InterfaceType.Tap, InterfaceType.Macvtap, InterfaceType.Bridge],
            IsChoice = true,
        },
        new(AttachmentKind.MacvtapPath, "macvtap-path", "the hypervisor opens /dev/tapN itself, by its path.") { Types = [InterfaceType.Macvtap] },
        new(AttachmentKind.BridgeHelper, "bridge-helper", "qemu-bridge-helper makes a tap when the hypervisor starts.")
        {
            Types = [InterfaceType.Bridge],
            IsChoice = true,
            HasLink = false,
        },
        new(AttachmentKind.TapRedirect, "tap-redirect", "the hypervisor opens a tap, and the kernel redirects all frames between that and a macvlan.")
        {
            Types = [InterfaceType.Macvtap],
            IsChoice = true,
            NeedsTapByName = true,
        },
        new(AttachmentKind.UserMode, "user-mode", "the hypervisor brings its own TCP/IP.") { Types = [InterfaceType.User], HasLink = false },
        new(AttachmentKind.UserNamespace, "user-namespace", "slirp4netns brings the TCP/IP, in a network namespace of the VM's own.")
        {
            Types = [InterfaceType.User],
            IsChoice = true,
            HasLink = false,
            NeedsTapByName = true,
        },
    ];

    /// <summary>The types of interface that it can serve.</summary>
    public required IReadOnlyList<InterfaceType> Types { get; init; }

    /// <summary>Whether <c>up</c> makes a link on the host for it, before the start.</summary>
    public bool HasLink { get; init; } = true;

    /// <summary>Whether <c>--attachment</c> takes it.</summary>
    public bool IsChoice { get; init; }

    /// <summary>The hypervisor only has to open a tap by its name: what the tap is joined to is none of its business.</summary>
    public bool NeedsTapByName { get; init; }
}

/// <summary>The kinds as they are written: on the command line, in tables, in JSON and in metrics.</summary>
public static class AttachmentKindText
{
    /// <summary>The kind in small letters with hyphens, like <c>tap-by-name</c>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such kind.</exception>
    public static string Text(this AttachmentKind kind) => kind.Facts().Word;

    internal static AttachmentFacts Facts(this AttachmentKind kind) =>
        (uint)kind < AttachmentFacts.All.Count ? AttachmentFacts.All[(int)kind] : throw new ArgumentOutOfRangeException(nameof(kind));
}
