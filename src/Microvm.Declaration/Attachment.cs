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

/// <summary>The kinds as they are written: on the command line, in tables, in JSON and in metrics.</summary>
public static class AttachmentKindText
{
    /// <summary>The kind in small letters with hyphens, like <c>tap-by-name</c>.</summary>
    public static string Text(this AttachmentKind kind) => kind switch
    {
        AttachmentKind.TapByName => "tap-by-name",
        AttachmentKind.TapByFd => "tap-by-fd",
        AttachmentKind.MacvtapPath => "macvtap-path",
        AttachmentKind.BridgeHelper => "bridge-helper",
        AttachmentKind.TapRedirect => "tap-redirect",
        AttachmentKind.UserMode => "user-mode",
        AttachmentKind.UserNamespace => "user-namespace",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
