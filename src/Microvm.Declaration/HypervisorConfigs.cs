namespace Microvm.Declaration;

/// <summary><c>microvm.graphics</c>.</summary>
internal sealed record GraphicsOptions(bool Enable = false, string Backend = "gtk", string Socket = "", string? Vulkan = null, string HostMemory = "256M");

/// <summary><c>microvm.qemu</c>.</summary>
/// <param name="Machine">Null for the architecture's own: microvm on x86_64, virt on aarch64.</param>
/// <param name="MachineOpts">Instead of ours; null for ours.</param>
internal sealed record QemuOptions(
    string? Machine = null, IReadOnlyList<KeyValuePair<string, string>>? MachineOpts = null, IReadOnlyList<string>? ExtraArgs = null,
    bool SerialConsole = true, IReadOnlyList<PcieRootPort>? PcieRootPorts = null, string? Package = null);

/// <summary>One of <c>microvm.qemu.pcieRootPorts</c>.</summary>
internal sealed record PcieRootPort(string Id, string? Bus, int? Chassis, string? Slot, string? Addr);

/// <summary><c>microvm.cloud-hypervisor</c>.</summary>
internal sealed record CloudHypervisorOptions(IReadOnlyList<string>? OemStrings = null, IReadOnlyList<string>? ExtraArgs = null, string? Package = null);

/// <summary><c>microvm.crosvm</c>.</summary>
internal sealed record CrosvmOptions(IReadOnlyList<string>? ExtraArgs = null, string? PivotRoot = null, string? Package = null);

/// <summary><c>microvm.firecracker</c>.</summary>
/// <param name="Cpu">A CPU template, or null.</param>
/// <param name="ExtraConfig">Merged into the configuration, or null.</param>
internal sealed record FirecrackerOptions(
    Node? Cpu = null, string DriveIoEngine = "Async", IReadOnlyList<string>? ExtraArgs = null, ObjectNode? ExtraConfig = null, string? Package = null);

/// <summary><c>microvm.vfkit</c>.</summary>
/// <param name="LogLevel">Null for vfkit's own.</param>
internal sealed record VfkitOptions(
    IReadOnlyList<string>? ExtraArgs = null, string? LogLevel = "info", bool Rosetta = false, bool RosettaInstall = false,
    bool RosettaIgnoreIfMissing = false, string? Package = null);

/// <summary><c>microvm.virtiofsd</c>.</summary>
/// <param name="ThreadPoolSize">A number, or <c>`nproc`</c> for as many as the host has CPUs.</param>
internal sealed record VirtiofsdOptions(
    string? InodeFileHandles = "prefer", string ThreadPoolSize = "`nproc`", string? Group = "kvm", IReadOnlyList<string>? ExtraArgs = null, string? Package = null);
