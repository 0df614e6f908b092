using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>The files of this host that a VM starts from: a kernel, an initial ramdisk, disks. A hypervisor that misses one ends in words of its own.</summary>
internal static class BootFiles
{
    /// <summary>Those that are not there, as far as this user may look, each with the option that names it.</summary>
    /// <param name="directory">Where the hypervisor works, and relative paths begin; null to leave these out.</param>
    internal static IEnumerable<(SourcePosition At, string Fault)> Missing(MicrovmConfig vm, string? directory)
    {
        IEnumerable<(SourcePosition At, string Option, string? Path)> files =
        [
            (vm.PositionOf("kernel"), "microvm.kernel", vm.Kernel),
            (vm.PositionOf("initrdPath"), "microvm.initrdPath", vm.InitrdPath),
            (vm.PositionOf("storeDisk"), "microvm.storeDisk", vm.StoreDisk),
            .. vm.Volumes.Where(v => !v.AutoCreate).Select(v => (v.At, "microvm.volumes", (string?)v.Image)),
        ];
        foreach (var (at, option, path) in files)
        {
            if (path is { Length: > 0 } && (path.StartsWith('/') || directory is not null) && PosixProcess.IsAbsent(Path.Combine(directory ?? "/", path)))
            {
                yield return (at, $"there is no '{Printable.Of(path)}', from which '{vm.Name}' starts ({option})");
            }
        }
    }
}
