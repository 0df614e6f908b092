using Microvm.Declaration;

namespace Microvm.Hypervisors;

/// <summary>All that starting a hypervisor takes, decided before anything is opened or started.</summary>
/// <param name="Words">The program first. One element is one argument; nothing is quoted for a shell.</param>
/// <param name="Files">Files to write before the start, such as Firecracker's configuration.</param>
/// <param name="Queues">The queue descriptors to open and hand over: the first becomes fd 3, the next fd 4, and so on.</param>
/// <param name="Control">The socket over which the running VM takes commands, or null where it has none.</param>
/// <param name="ProcessName">What the process calls itself as argv[0]; null where the hypervisor names itself or is not renamed.</param>
public sealed record Invocation(
    IReadOnlyList<string> Words, IReadOnlyList<GeneratedFile> Files, IReadOnlyList<InheritedQueue> Queues,
    ControlSocket? Control, string? ProcessName = null)
{
    /// <summary>Who it runs as when root starts it (<c>microvm.user</c>); null for the same.</summary>
    public string? User { get; init; }

    /// <summary>The sockets that it makes when it starts, the control socket first. One of them that was left behind keeps most hypervisors from starting.</summary>
    public IReadOnlyList<string> Sockets { get; init; } = [];

    /// <summary>Where the hypervisor itself connects to the guest's vsock ports, at this Unix socket among <see cref="Sockets"/>; null where the
    /// host's kernel does (vhost-vsock), or the guest has no vsock.</summary>
    public string? VsockSocket { get; init; }

    /// <summary>The first descriptor that is handed over.</summary>
    public const int FirstDescriptor = 3;
}

/// <summary>A file to write before the start.</summary>
/// <param name="Name">Relative to the working directory, without a slash; the words name it the same way.</param>
public sealed record GeneratedFile(string Name, string Content);

/// <summary>One queue of a tap or macvtap that the hypervisor inherits as a descriptor.</summary>
/// <param name="Index">Counts from 0 within the attachment.</param>
public sealed record InheritedQueue(Attachment Attachment, int Index);

/// <summary>What is spoken on a control socket.</summary>
public enum ControlKind
{
    /// <summary>QEMU's machine protocol; StratoVirt speaks a subset.</summary>
    Qmp,

    /// <summary>HTTP as cloud-hypervisor's <c>--api-socket</c>.</summary>
    CloudHypervisor,

    /// <summary>HTTP as Firecracker's <c>--api-sock</c>.</summary>
    Firecracker,

    /// <summary>Spoken by <c>crosvm stop</c>, <c>crosvm balloon</c> and the like.</summary>
    Crosvm,

    /// <summary>Made by <c>lkvm run --name</c> in <c>$HOME/.lkvm</c> and spoken by <c>lkvm stop</c>.</summary>
    Kvmtool,

    /// <summary>HTTP as vfkit's <c>--restful-uri</c>.</summary>
    Vfkit,
}

/// <summary>Where a running VM takes commands.</summary>
/// <param name="Path">As declared in <c>microvm.socket</c>: relative to the working directory, or absolute. kvmtool's VM has a name here.</param>
public sealed record ControlSocket(ControlKind Kind, string Path)
{
    /// <summary>The hypervisor's own program, where it is what speaks to the socket.</summary>
    public string? Program { get; init; }
}
