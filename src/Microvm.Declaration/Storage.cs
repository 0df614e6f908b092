namespace Microvm.Declaration;

/// <summary>A disk image.</summary>
/// <param name="SizeMiB">Size where the image is made; known whenever <paramref name="AutoCreate"/> is set.</param>
internal sealed record Volume(
    string Image, string? Serial, bool Direct, bool ReadOnly, string? Label, string? MountPoint, long? SizeMiB,
    bool AutoCreate, IReadOnlyList<string> MkfsExtraArgs, string FsType, string ImageType, SourcePosition At);

/// <summary>A directory of the host that the guest mounts.</summary>
/// <param name="Proto"><c>9p</c> or <c>virtiofs</c>.</param>
/// <param name="Socket">virtiofsd's socket; null for 9p.</param>
internal sealed record Share(
    string Tag, string Source, string? MountPoint, string Proto, string? Socket, string SecurityModel, bool ReadOnly,
    string Cache, bool PosixAcl, IReadOnlyList<string> ExtraArgs, SourcePosition At)
{
    public bool IsVirtiofs => Proto == "virtiofs";
}

/// <summary>A device of the host that the guest gets.</summary>
/// <param name="Bus"><c>pci</c> or <c>usb</c>.</param>
/// <param name="Path">PCI: domain:bus:slot.function. USB: properties as QEMU writes them.</param>
internal sealed record PassedDevice(
    string Bus, string Path, string? QemuId, string? QemuBus, string? ExtraArgs, SourcePosition At);
