namespace Microvm.Declaration;

/// <summary>One VM's declaration that passed every rule. Names and defaults are those of <c>microvm.*</c>.</summary>
public sealed record MicrovmConfig
{
    /// <summary><c>networking.hostName</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Where the declaration's <c>microvm</c> stands.</summary>
    public SourcePosition At { get; init; }

    /// <summary>Which hypervisor runs it: <c>qemu</c>, <c>cloud-hypervisor</c>, …</summary>
    public string Hypervisor { get; init; } = "qemu";

    /// <summary>Virtual CPUs, 1 or more.</summary>
    public int Vcpu { get; init; } = 1;

    /// <summary>Memory of the guest in MiB.</summary>
    public int MemoryMiB { get; init; } = 512;

    internal bool HugepageMemory { get; init; }

    /// <summary>Most memory that can be added while the VM runs, in MiB.</summary>
    internal int HotplugMemoryMiB { get; init; }

    /// <summary>How much of it the VM starts with, in MiB.</summary>
    internal int HotpluggedMemoryMiB { get; init; }

    internal bool Balloon { get; init; }
    internal int InitialBalloonMiB { get; init; }
    internal bool DeflateOnOutOfMemory { get; init; } = true;

    /// <summary>The CPU model to emulate, or null for the host's.</summary>
    internal string? Cpu { get; init; }

    /// <summary>The kernel's image, or the directory of a kernel package; null where none was declared.</summary>
    internal string? Kernel { get; init; }

    /// <summary>The directory of the kernel package's <c>dev</c> output, where there is one: it holds <c>vmlinux</c>.</summary>
    internal string? KernelDev { get; init; }

    internal string? InitrdPath { get; init; }

    /// <summary>All words of <c>kernelParams</c>, with spaces between.</summary>
    internal string KernelParams { get; init; } = "";

    /// <summary>Its network interfaces, in the order in which they were declared.</summary>
    public IReadOnlyList<NetworkInterface> Interfaces { get; init => field = ValueList<NetworkInterface>.Of(value); } = ValueList<NetworkInterface>.Empty;

    /// <summary>The networks that it declares.</summary>
    internal IReadOnlyList<DeclaredNetwork> Networks { get; init => field = ValueList<DeclaredNetwork>.Of(value); } = ValueList<DeclaredNetwork>.Empty;

    /// <summary>Who has to reach whom, or must not.</summary>
    internal IReadOnlyList<ReachAssertion> ReachAssertions { get; init => field = ValueList<ReachAssertion>.Of(value); } = ValueList<ReachAssertion>.Empty;

    /// <summary>Ports forwarded to or from a user-mode network.</summary>
    public IReadOnlyList<ForwardPort> ForwardPorts { get; init => field = ValueList<ForwardPort>.Of(value); } = ValueList<ForwardPort>.Empty;

    /// <summary>Ports forwarded to the first interface that joins a declared network.</summary>
    internal IReadOnlyList<ForwardPort> NetworkForwards { get; init => field = ValueList<ForwardPort>.Of(value); } = ValueList<ForwardPort>.Empty;

    internal IReadOnlyList<Volume> Volumes { get; init => field = ValueList<Volume>.Of(value); } = ValueList<Volume>.Empty;
    internal IReadOnlyList<Share> Shares { get; init => field = ValueList<Share>.Of(value); } = ValueList<Share>.Empty;

    /// <summary>Whether a share needs virtiofsd beside the hypervisor; vfkit serves its shares itself.</summary>
    internal bool HasVirtiofsd => Hypervisor != "vfkit" && Shares.Any(s => s.IsVirtiofs);

    internal IReadOnlyList<PassedDevice> Devices { get; init => field = ValueList<PassedDevice>.Of(value); } = ValueList<PassedDevice>.Empty;

    /// <summary>The VM's AF_VSOCK address, or null for none.</summary>
    internal uint? VsockCid { get; init; }

    /// <summary>systemd credentials: name to path on the host, by name.</summary>
    internal IReadOnlyList<KeyValuePair<string, string>> CredentialFiles { get; init => field = ValueList<KeyValuePair<string, string>>.Of(value); } = ValueList<KeyValuePair<string, string>>.Empty;

    /// <summary>The control socket, or null where none is wanted.</summary>
    internal string? Socket { get; init; }

    /// <summary>Who the hypervisor runs as when root starts it; null for the same.</summary>
    internal string? User { get; init; }

    /// <summary>Shell commands before the start.</summary>
    internal string PreStart { get; init; } = "";

    /// <summary>A script whose one line of output is added to the hypervisor's arguments.</summary>
    internal string? ExtraArgsScript { get; init; }

    /// <summary>What the declaration adds to the runner's scripts.</summary>
    internal IReadOnlyList<BinScript> BinScripts { get; init => field = ValueList<BinScript>.Of(value); } = ValueList<BinScript>.Empty;

    /// <summary>Whether the process is named <c>microvm@NAME</c>.</summary>
    internal bool PrettyProcessName { get; init; } = true;

    /// <summary>UUID of the machine, or null where none is wanted.</summary>
    internal string? MachineId { get; init; }

    /// <summary>Whether the VM's unit registers it with systemd-machined.</summary>
    internal bool RegistersWithMachined { get; init; }

    /// <summary>Whether the guest's SSH server is said to listen on AF_VSOCK.</summary>
    internal bool HasVsockSsh { get; init; }

    /// <summary>The disk with the guest's /nix/store, attached first and read-only; null for none.</summary>
    internal string? StoreDisk { get; init; }

    internal GraphicsOptions Graphics { get; init; } = new();
    internal QemuOptions Qemu { get; init; } = new();
    internal CloudHypervisorOptions CloudHypervisor { get; init; } = new();
    internal CrosvmOptions Crosvm { get; init; } = new();
    internal FirecrackerOptions Firecracker { get; init; } = new();
    internal VfkitOptions Vfkit { get; init; } = new();
    internal VirtiofsdOptions Virtiofsd { get; init; } = new();

    /// <summary>The package that the hypervisor is taken from; null for the PATH's.</summary>
    internal string? Package { get; init; }

    /// <summary>Where each given option stands: <c>mem</c>, <c>qemu.machine</c>.</summary>
    internal IReadOnlyList<KeyValuePair<string, SourcePosition>> Positions
    {
        get;
        init => field = ValueList<KeyValuePair<string, SourcePosition>>.Of(value);
    } = ValueList<KeyValuePair<string, SourcePosition>>.Empty;

    /// <summary>Where an option stands; where <c>microvm</c> stands, if it isn't given.</summary>
    internal SourcePosition PositionOf(string option)
    {
        foreach (var (name, at) in Positions)
        {
            if (name == option)
            {
                return at;
            }
        }
        return At;
    }
}
