namespace Microvm.Declaration;

/// <summary><c>microvm.graphics</c>.</summary>
internal sealed record GraphicsOptions
{
    public bool Enable { get; init; }
    public string Backend { get; init; } = "gtk";
    public string Socket { get; init; } = "";
    public string? Vulkan { get; init; }
    public string HostMemory { get; init; } = "256M";
}

/// <summary>What every hypervisor that has options of its own has.</summary>
internal abstract record ProgramOptions
{
    public IReadOnlyList<string> ExtraArgs { get; init => field = ValueList<string>.Of(value); } = ValueList<string>.Empty;

    /// <summary>The package that the program is taken from; null for the PATH's.</summary>
    public string? Package { get; init; }
}

/// <summary><c>microvm.qemu</c>.</summary>
internal sealed record QemuOptions : ProgramOptions
{
    /// <summary>Null for the architecture's own: microvm on x86_64, virt on aarch64.</summary>
    public string? Machine { get; init; }

    /// <summary>Instead of ours; null for ours.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? MachineOpts
    {
        get;
        init => field = value is null ? null : ValueList<KeyValuePair<string, string>>.Of(value);
    }

    public bool SerialConsole { get; init; } = true;
    public IReadOnlyList<PcieRootPort> PcieRootPorts { get; init => field = ValueList<PcieRootPort>.Of(value); } = ValueList<PcieRootPort>.Empty;
}

/// <summary>One of <c>microvm.qemu.pcieRootPorts</c>.</summary>
internal sealed record PcieRootPort(string Id, string? Bus, int? Chassis, string? Slot, string? Addr);

/// <summary><c>microvm.cloud-hypervisor</c>.</summary>
internal sealed record CloudHypervisorOptions : ProgramOptions
{
    public IReadOnlyList<string> OemStrings { get; init => field = ValueList<string>.Of(value); } = ValueList<string>.Empty;
}

/// <summary><c>microvm.crosvm</c>.</summary>
internal sealed record CrosvmOptions : ProgramOptions
{
    public string? PivotRoot { get; init; }
}

/// <summary><c>microvm.firecracker</c>.</summary>
internal sealed record FirecrackerOptions : ProgramOptions
{
    /// <summary>A CPU template, or null.</summary>
    public Node? Cpu { get; init; }

    public string DriveIoEngine { get; init; } = "Async";

    /// <summary>Merged into the configuration, or null.</summary>
    public ObjectNode? ExtraConfig { get; init; }
}

/// <summary><c>microvm.vfkit</c>.</summary>
internal sealed record VfkitOptions : ProgramOptions
{
    /// <summary>Null for vfkit's own.</summary>
    public string? LogLevel { get; init; } = "info";

    public bool Rosetta { get; init; }
    public bool RosettaInstall { get; init; }
    public bool RosettaIgnoreIfMissing { get; init; }
}

/// <summary><c>microvm.virtiofsd</c>.</summary>
internal sealed record VirtiofsdOptions : ProgramOptions
{
    public string? InodeFileHandles { get; init; } = "prefer";

    /// <summary>A number, or <c>`nproc`</c> for as many as the host has CPUs.</summary>
    public string ThreadPoolSize { get; init; } = "`nproc`";

    public string? Group { get; init; } = "kvm";
}
