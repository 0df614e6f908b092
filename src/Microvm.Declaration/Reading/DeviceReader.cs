using System.Text.RegularExpressions;

namespace Microvm.Declaration;

/// <summary>The rules of volumes, shares and devices, one entry at a time.</summary>
internal sealed partial class DeviceReader(DiagnosticBag diagnostics, string vm)
{
    private static readonly string[] s_fileSystems = ["ext2", "ext3", "ext4", "xfs", "btrfs", "vfat"];

    internal Volume? Volume(ObjectNode it)
    {
        var autoCreate = it.Flag("autoCreate", true);
        var fileSystem = it.Text("fsType") ?? "ext4";
        var size = (it["size"] as NumberNode)?.Integer;
        if (it.Text("image") is not { } image)
        {
            return null;
        }
        if (autoCreate && size is null)
        {
            diagnostics.Error(it.At, $"the volume '{Printable.Of(image)}' is made before the first start and needs a 'size' in MiB; or set autoCreate = false");
        }
        if (autoCreate && !s_fileSystems.Contains(fileSystem))
        {
            diagnostics.Error(it.PositionOf("fsType"), $"no way is known to make a file system '{Printable.Of(fileSystem)}'; use {string.Join(", ", s_fileSystems)}, or make the image yourself and set autoCreate = false");
        }
        if (!autoCreate && it["label"] is { } label)
        {
            diagnostics.Warning(label.At, "'label' is written only where autoCreate makes the image; label this one yourself");
        }
        return new()
        {
            Image = image,
            Serial = it.Text("serial"),
            Direct = it.Flag("direct", false),
            ReadOnly = it.Flag("readOnly", false),
            Label = it.Text("label"),
            MountPoint = it.Text("mountPoint"),
            SizeMiB = size,
            AutoCreate = autoCreate,
            MkfsExtraArgs = it.Texts("mkfsExtraArgs"),
            FsType = fileSystem,
            ImageType = it.Text("imageType") ?? "raw",
            At = it.At,
        };
    }

    internal Share? Share(ObjectNode it)
    {
        var proto = it.Text("proto") ?? "9p";
        if (it.Text("tag") is not { } tag || it.Text("source") is not { } source)
        {
            return null;
        }
        if (tag.Contains('/') && proto == "virtiofs" && it["socket"] is null)
        {
            diagnostics.Error(it.PositionOf("tag"), $"the tag '{Printable.Of(tag)}' has a '/' and becomes part of the socket's name; choose another, or set 'socket'");
        }
        if (proto == "9p" && it["socket"] is { } stray)
        {
            diagnostics.Error(stray.At, "'socket' goes with proto virtiofs, not with 9p");
        }
        return new()
        {
            Tag = tag,
            Source = source,
            MountPoint = it.Text("mountPoint"),
            Proto = proto,
            Socket = it.Text("socket") ?? (proto == "virtiofs" ? $"{vm}-virtiofs-{tag}.sock" : null),
            SecurityModel = it.Text("securityModel") ?? "none",
            ReadOnly = it.Flag("readOnly", false),
            Cache = it.Text("cache") ?? "auto",
            PosixAcl = it.Flag("posixAcl", true),
            ExtraArgs = it.Texts("extraArgs"),
            At = it.At,
        };
    }

    internal PassedDevice? Device(ObjectNode it)
    {
        if (it.Text("bus") is not { } bus || it.Text("path") is not { } path)
        {
            return null;
        }
        if (bus == "pci" && !PciAddress().IsMatch(path))
        {
            diagnostics.Error(it.PositionOf("path"), $"'{Printable.Of(path)}' is not a PCI address; lspci -D prints them, like 0000:01:00.0");
        }
        if (bus == "usb" && !UsbProperties().IsMatch(path))
        {
            diagnostics.Error(it.PositionOf("path"), $"'{Printable.Of(path)}' does not name a USB device; write vendorid=0xabcd,productid=0x0123 or hostbus=1,hostaddr=2, as lsusb prints them");
        }
        var qemu = it.Set("qemu");
        return new()
        {
            Bus = bus,
            Path = path,
            QemuId = qemu.Text("id"),
            QemuBus = qemu.Text("bus"),
            ExtraArgs = qemu.Text("deviceExtraArgs") ?? it.Text("deviceExtraArgs"),
            At = it.At,
        };
    }

    [GeneratedRegex(@"\A([0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]\z")] private static partial Regex PciAddress();
    [GeneratedRegex(@"\A(vendorid|productid|hostbus|hostaddr|hostport)=[0-9a-fA-Fx.]+(,(vendorid|productid|hostbus|hostaddr|hostport)=[0-9a-fA-Fx.]+)*\z")] private static partial Regex UsbProperties();
}
