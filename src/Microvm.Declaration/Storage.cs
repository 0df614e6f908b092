namespace Microvm.Declaration;

/// <summary>A disk image.</summary>
internal sealed record Volume
{
    public required string Image { get; init; }
    public string? Serial { get; init; }
    public bool Direct { get; init; }
    public bool ReadOnly { get; init; }
    public string? Label { get; init; }
    public string? MountPoint { get; init; }

    /// <summary>Size where the image is made; known whenever <see cref="AutoCreate"/> is set.</summary>
    public long? SizeMiB { get; init; }

    public bool AutoCreate { get; init; } = true;
    public IReadOnlyList<string> MkfsExtraArgs { get; init => field = ValueList<string>.Of(value); } = ValueList<string>.Empty;
    public string FsType { get; init; } = "ext4";
    public string ImageType { get; init; } = "raw";
    public SourcePosition At { get; init; }
}

/// <summary>A directory of the host that the guest mounts.</summary>
internal sealed record Share
{
    public required string Tag { get; init; }
    public required string Source { get; init; }
    public string? MountPoint { get; init; }

    /// <summary><c>9p</c> or <c>virtiofs</c>.</summary>
    public string Proto { get; init; } = "9p";

    public bool IsVirtiofs => Proto == "virtiofs";

    /// <summary>virtiofsd's socket; null for 9p.</summary>
    public string? Socket { get; init; }

    public string SecurityModel { get; init; } = "none";
    public bool ReadOnly { get; init; }
    public string Cache { get; init; } = "auto";
    public bool PosixAcl { get; init; } = true;
    public IReadOnlyList<string> ExtraArgs { get; init => field = ValueList<string>.Of(value); } = ValueList<string>.Empty;
    public SourcePosition At { get; init; }
}

/// <summary>A device of the host that the guest gets.</summary>
internal sealed record PassedDevice
{
    /// <summary><c>pci</c> or <c>usb</c>.</summary>
    public required string Bus { get; init; }

    /// <summary>PCI: domain:bus:slot.function. USB: properties as QEMU writes them.</summary>
    public required string Path { get; init; }

    public string? QemuId { get; init; }
    public string? QemuBus { get; init; }
    public string? ExtraArgs { get; init; }
    public SourcePosition At { get; init; }
}
