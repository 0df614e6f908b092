namespace Microvm.Hypervisors;

/// <summary>The formats of a kernel image on x86_64, told by their first bytes. On aarch64 all boot the uncompressed <c>Image</c>.</summary>
[Flags]
public enum KernelFormats
{
    None = 0,

    /// <summary>The uncompressed ELF.</summary>
    Vmlinux = 1,

    /// <summary>What distributions install as vmlinuz.</summary>
    BzImage = 2,
}

/// <summary>How a running VM is stopped.</summary>
public enum StopWay
{
    /// <summary>The guest gets an ACPI power button over the control socket.</summary>
    PowerButton,

    /// <summary>The guest gets ctrl-alt-del over the control socket.</summary>
    CtrlAltDel,

    /// <summary>The hypervisor ends over its control socket, and the guest is not asked.</summary>
    AtOnce,

    /// <summary>There is no control socket: a signal ends the hypervisor, and the guest is not asked.</summary>
    Signal,
}

/// <summary>What is known of a hypervisor beside its command line: <c>microvm explain</c>, <c>microvm doctor</c>, <c>microvm check</c> and
/// docs/hypervisors.md all say it from here.</summary>
/// <param name="Program">Its program, on x86_64.</param>
/// <param name="Ran">The version that was run with real guests, and how.</param>
/// <param name="Boots">The kernel formats that it boots on x86_64.</param>
/// <param name="KernelOfPackage">Which of them is taken out of a kernel package.</param>
public sealed record FactSheet(string Program, string Ran, KernelFormats Boots, KernelFormats KernelOfPackage, StopWay Stop)
{
    /// <summary>From which version on it boots a bzImage as well, where that is not every one.</summary>
    public Version? BootsBzImageFrom { get; init; }

    /// <summary>Its program on aarch64, where that has another name.</summary>
    public string? ProgramOnArm { get; init; }

    /// <summary>Its program on a host of this architecture.</summary>
    public string ProgramOn(System.Runtime.InteropServices.Architecture host) => host == System.Runtime.InteropServices.Architecture.Arm64 ? ProgramOnArm ?? Program : Program;

    /// <summary>More that has to be known of its kernels.</summary>
    public string? KernelNote { get; init; }

    /// <summary>Whether it ends where standard input is no terminal, because that is the guest's console.</summary>
    public bool NeedsTerminal { get; init; }

    /// <summary>Whether it kills its process group at its end.</summary>
    public bool KillsItsGroup { get; init; }

    /// <summary>Whether it keeps its control socket below HOME.</summary>
    public bool NeedsHome { get; init; }

    /// <summary>Whether the one who puts a device into a jail is the hypervisor itself, in an empty directory.</summary>
    public bool NeedsJailRoot { get; init; }

    /// <summary>Whether it runs on KVM only.</summary>
    public bool NeedsKvm { get; init; } = true;

    /// <summary>Whether it has a user-mode network of its own.</summary>
    public bool OwnUserNetwork { get; init; }

    /// <summary>How the guest learns the MTU of the link.</summary>
    public string Mtu { get; init; } = "it can't pass it to the guest; set it there";

    /// <summary>Why one queue pair is all, where that is so.</summary>
    public string? OneQueuePair { get; init; }

    /// <summary>By what it knows an interface.</summary>
    public string Id { get; init; } = "it knows none";

    /// <summary>How its end comes about, beyond <see cref="Stop"/>.</summary>
    public string? StopNote { get; init; }

    /// <summary>What else it wants of the host.</summary>
    public string? HostNote { get; init; }

    /// <summary>Whether the guest can be asked to shut down.</summary>
    public bool CanBeAsked => Stop is StopWay.PowerButton or StopWay.CtrlAltDel;

    /// <summary>All of it, as pairs of a title and a sentence, in the order in which it is told.</summary>
    public IEnumerable<(string Title, string Text)> Sentences()
    {
        yield return ("Ran", Ran);
        yield return ("Program", Program);
        yield return ("Kernel", $"{Kernels}{(KernelNote is null ? "" : $"; {KernelNote}")}");
        yield return ("Terminal", NeedsTerminal
            ? "it needs one as standard input; without one it gets a pseudo-terminal without input, and the guest's console still goes to standard output"
            : "it needs none; the guest's console is standard input and output");
        yield return ("User network", OwnUserNetwork ? "its own" : "slirp4netns, in a network namespace of the VM's own");
        yield return ("Queue pairs", OneQueuePair is null ? "one for each vCPU, if the attachment supports it" : $"one: {OneQueuePair}");
        yield return ("MTU of the guest", Mtu);
        yield return ("Id of an interface", Id);
        yield return ("Stopped", StopText);
        yield return ("Host", string.Join("; ", Needs()));
    }

    /// <summary>What it boots, in words.</summary>
    public string Kernels => BootsBzImageFrom is { } from ? $"a vmlinux (ELF), since {from} also a bzImage"
        : Boots == (KernelFormats.Vmlinux | KernelFormats.BzImage) ? "a bzImage (vmlinuz), or a vmlinux (ELF)"
        : Boots == KernelFormats.Vmlinux ? "a vmlinux (ELF)" : "a bzImage (vmlinuz)";

    /// <summary>How it is stopped, in words.</summary>
    public string StopText => (Stop switch
    {
        StopWay.PowerButton => "the power button is pressed over the control socket",
        StopWay.CtrlAltDel => "ctrl-alt-del is sent over the control socket",
        StopWay.AtOnce => "it is ended at once over its control socket: the guest can't be asked, and loses what it hasn't written to disk yet",
        _ => "it has no control socket, so a signal ends it: the guest can't be asked, and loses what it hasn't written to disk yet",
    }) + (StopNote is null ? "" : $"; {StopNote}");

    private IEnumerable<string> Needs()
    {
        yield return NeedsKvm ? "KVM" : "KVM, or TCG without it, which is many times slower";
        if (NeedsHome)
        {
            yield return "a HOME for its control socket; if there is none that it can write to, it gets the working directory";
        }
        if (NeedsJailRoot)
        {
            yield return "an empty directory as the root of its jail; if /var/empty isn't one, one is created in the working directory";
        }
        if (KillsItsGroup)
        {
            yield return "a process group of its own, which it kills when it ends; it gets one unless it is alone in the foreground of a terminal";
        }
        if (HostNote is { } more)
        {
            yield return more;
        }
    }
}
