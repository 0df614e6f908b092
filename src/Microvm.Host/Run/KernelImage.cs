using System.Runtime.InteropServices;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>The kernel of a VM, looked at before its hypervisor is started: one of a format that it doesn't boot ends in a message about
/// magic numbers, or in a guest that dies without a word.</summary>
public static class KernelImage
{
    private const int Head = 0x206;

    /// <summary>The format, by the first bytes (Documentation/arch/x86/boot.rst and elf(5)); None for another, or where the file can't be read.</summary>
    public static KernelFormats Format(ReadOnlySpan<byte> head) =>
        head.StartsWith("\u007fELF"u8) ? KernelFormats.Vmlinux
        : head.Length >= Head && head[0x1fe] == 0x55 && head[0x1ff] == 0xaa && head[0x202..Head].SequenceEqual("HdrS"u8) ? KernelFormats.BzImage
        : KernelFormats.None;

    /// <summary>The program that packed a file, by its first bytes, as scripts/extract-vmlinux of the kernel knows them: no hypervisor on x86_64
    /// unpacks one by itself. The payload of a bzImage is unpacked by the bzImage.</summary>
    private static string? Compression(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b, 0x08]) ? "gzip"
        : head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]) ? "zstd"
        : head.StartsWith((ReadOnlySpan<byte>)[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) ? "xz"
        : head.StartsWith((ReadOnlySpan<byte>)[0x5d, 0x00, 0x00, 0x00]) ? "lzma"
        : head.StartsWith("BZh"u8) ? "bzip2"
        : head.StartsWith((ReadOnlySpan<byte>)[0x02, 0x21, 0x4c, 0x18]) || head.StartsWith((ReadOnlySpan<byte>)[0x04, 0x22, 0x4d, 0x18]) ? "lz4"
        : head.StartsWith((ReadOnlySpan<byte>)[0x89, 0x4c, 0x5a, 0x4f]) ? "lzop"
        : null;

    /// <summary>Why the hypervisor won't boot the VM's kernel, with the way out; null where nothing tells that it won't.</summary>
    /// <param name="host">With the version of the hypervisor, where that decides and is known.</param>
    /// <param name="read">Reads the first bytes of a file; empty where it can't.</param>
    public static string? Fault(MicrovmConfig vm, HostFacts host, Func<string, byte[]> read)
    {
        if (host.Architecture != Architecture.X64 || HypervisorTable.Find(vm.Hypervisor) is not { } hypervisor || HypervisorTable.KernelPath(vm, host) is not { } path)
        {
            return null;
        }
        var facts = hypervisor.Facts;
        var head = read(path);
        var format = Format(head);
        var boots = format == KernelFormats.None || (facts.Boots.HasFlag(format)
            && !(format == KernelFormats.BzImage && facts.BootsBzImageFrom is { } from && host.Version is { } version && version < from));
        var name = Printable.Of(path, int.MaxValue);
        if (format == KernelFormats.None && Compression(head) is { } tool)
        {
            return $"{name} is compressed with {tool}, and {hypervisor.Name} boots {facts.Kernels}; unpack it, and set microvm.kernel to what comes out: {(tool == "lzma" ? "xz --format=lzma" : tool)} -dc {Shell.Quote(path)} > vmlinux";
        }
        if (boots)
        {
            return CommandLineDevices(vm, path, read);
        }
        return format == KernelFormats.Vmlinux
            ? $"{name} is an ELF (vmlinux), and {hypervisor.Name} boots {facts.Kernels}; set microvm.kernel to the bzImage of the same build (arch/x86/boot/bzImage; distributions install it as /boot/vmlinuz-VERSION)"
            : $"{name} is a bzImage, and {hypervisor.Name} {host.Version} boots {facts.Kernels}; set microvm.kernel to the vmlinux of the same build, unpacked, whatever its compression, by scripts/extract-vmlinux of the kernel's sources: extract-vmlinux {Shell.Quote(path)} > vmlinux";
    }

    /// <summary>The first bytes of a file, as the one who will start the hypervisor may read it.</summary>
    public static byte[] Read(string path)
    {
        try
        {
            using var _ = Caller.ActAsStarter();
            // A pipe or a device would wait for somebody.
            if (FileStatus.OfTarget(path) is not { IsRegular: true })
            {
                return [];
            }
            using var file = File.OpenRead(path);
            var bytes = new byte[path.Contains("/config-", StringComparison.Ordinal) ? 1024 * 1024 : Head];
            return bytes[..file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or LinuxException)
        {
            // The hypervisor will tell.
            return [];
        }
    }

    /// <summary>StratoVirt tells the guest of its devices in words of the kernel's command line. Distributions keep a kernel's configuration beside it.</summary>
    private static string? CommandLineDevices(MicrovmConfig vm, string path, Func<string, byte[]> read)
    {
        const string Option = "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES";
        var file = Path.GetFileName(path);
        if (vm.Hypervisor != "stratovirt" || !file.StartsWith("vmlinuz-", StringComparison.Ordinal))
        {
            return null;
        }
        var configuration = System.Text.Encoding.ASCII.GetString(read(Path.Combine(Path.GetDirectoryName(path) ?? "", $"config-{file["vmlinuz-".Length..]}")));
        return configuration.Contains($"# {Option} is not set", StringComparison.Ordinal)
            ? $"{Printable.Of(path, int.MaxValue)} is built without {Option}, by which StratoVirt's guest finds its disks and cards; use a kernel that has it, or another hypervisor" : null;
    }
}
