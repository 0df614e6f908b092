namespace Microvm.Declaration;

/// <summary>One VM's declaration that passed every rule. Names and defaults are those of <c>microvm.*</c>.</summary>
public sealed record MicrovmConfig
{
    /// <summary><c>networking.hostName</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Where the declaration's <c>microvm</c> stands.</summary>
    public SourcePosition At { get; init; }

    public string Hypervisor { get; init; } = "qemu";
    public int Vcpu { get; init; } = 1;

    /// <summary>Memory of the guest in MiB.</summary>
    public int MemoryMiB { get; init; } = 512;

    public bool HugepageMemory { get; init; }

    /// <summary>Most memory that can be added while the VM runs, in MiB.</summary>
    public int HotplugMemoryMiB { get; init; }

    /// <summary>How much of it the VM starts with, in MiB.</summary>
    public int HotpluggedMemoryMiB { get; init; }

    public bool Balloon { get; init; }
    public int InitialBalloonMiB { get; init; }
    public bool DeflateOnOutOfMemory { get; init; } = true;

    /// <summary>The CPU model to emulate, or null for the host's.</summary>
    public string? Cpu { get; init; }

    /// <summary>The kernel's image, or the directory of a kernel package; null where none was declared.</summary>
    public string? Kernel { get; init; }

    /// <summary>The directory of the kernel package's <c>dev</c> output, where there is one: it holds <c>vmlinux</c>.</summary>
    public string? KernelDev { get; init; }

    public string? InitrdPath { get; init; }

    /// <summary>All words of <c>kernelParams</c>, with spaces between.</summary>
    public string KernelParams { get; init; } = "";

    public IReadOnlyList<NetworkInterface> Interfaces { get; init; } = [];
    public IReadOnlyList<ForwardPort> ForwardPorts { get; init; } = [];
    public IReadOnlyList<Volume> Volumes { get; init; } = [];
    public IReadOnlyList<Share> Shares { get; init; } = [];
    public IReadOnlyList<PassedDevice> Devices { get; init; } = [];

    /// <summary>The VM's AF_VSOCK address, or null for none.</summary>
    public uint? VsockCid { get; init; }

    /// <summary>systemd credentials: name to path on the host, by name.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> CredentialFiles { get; init; } = [];

    /// <summary>The control socket, or null where none is wanted.</summary>
    public string? Socket { get; init; }

    /// <summary>Who the hypervisor runs as when root starts it; null for the same.</summary>
    public string? User { get; init; }

    /// <summary>Shell commands before the start.</summary>
    public string PreStart { get; init; } = "";

    /// <summary>A script whose one line of output is added to the hypervisor's arguments.</summary>
    public string? ExtraArgsScript { get; init; }

    /// <summary>What the declaration adds to the runner's scripts.</summary>
    public IReadOnlyList<BinScript> BinScripts { get; init; } = [];

    /// <summary>Whether the process is named <c>microvm@NAME</c>.</summary>
    public bool PrettyProcessName { get; init; } = true;

    /// <summary>UUID of the machine, or null where none is wanted.</summary>
    public string? MachineId { get; init; }

    /// <summary>The disk with the guest's /nix/store, attached first and read-only; null for none.</summary>
    public string? StoreDisk { get; init; }

    public GraphicsOptions Graphics { get; init; } = new();
    public QemuOptions Qemu { get; init; } = new();
    public CloudHypervisorOptions CloudHypervisor { get; init; } = new();
    public CrosvmOptions Crosvm { get; init; } = new();
    public FirecrackerOptions Firecracker { get; init; } = new();
    public VfkitOptions Vfkit { get; init; } = new();
    public VirtiofsdOptions Virtiofsd { get; init; } = new();

    /// <summary>The package of kvmtool, stratovirt or alioth, whichever <see cref="Hypervisor"/> names; null for the PATH's.</summary>
    public string? Package { get; init; }

    /// <summary>Where each given option stands: <c>mem</c>, <c>qemu.machine</c>.</summary>
    public IReadOnlyDictionary<string, SourcePosition> Positions { get; init; } = new Dictionary<string, SourcePosition>();

    /// <summary>Where an option stands; where <c>microvm</c> stands, if it isn't given.</summary>
    public SourcePosition PositionOf(string option) => Positions.TryGetValue(option, out var at) ? at : At;
}
