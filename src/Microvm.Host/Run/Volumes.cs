using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>Makes the disk images that a declaration wants made (<c>volumes.*.autoCreate</c>).</summary>
public static class Volumes
{
    /// <summary>Makes each image that is not there: sparse, of the declared size, with a file system. One that is there is left alone.</summary>
    /// <param name="tell">Called with the image's path before it is made.</param>
    /// <exception cref="IOException">It can't be made, or mkfs failed; nothing is left then.</exception>
    internal static void Create(IEnumerable<Volume> volumes, Action<string> tell)
    {
        foreach (var volume in volumes.Where(v => v.AutoCreate && !File.Exists(v.Image)))
        {
            tell(volume.Image);
            // Under another name until it is whole.
            var full = Path.GetFullPath(volume.Image);
            using var folder = HeldFolder.Open(Path.GetDirectoryName(full)!);
            folder.PutFilled(Path.GetFileName(full), volume.SizeMiB!.Value * 1024 * 1024, fresh => MakeFileSystem(volume, fresh));
        }
    }

    /// <summary>On a slow disk, for a large volume.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(30);

    private static void MakeFileSystem(Volume volume, string path)
    {
        string[] label = volume.Label is not { } text ? [] : [volume.FsType is "vfat" or "fat" or "msdos" ? "-n" : volume.FsType is "f2fs" ? "-l" : "-L", text];
        var start = new ProcessStartInfo($"mkfs.{volume.FsType}", [.. label, .. volume.MkfsExtraArgs, path]) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            var (code, _, errors) = FinishedProgram.Run(start, s_patience);
            if (code != 0)
            {
                throw new IOException($"mkfs.{volume.FsType} could not format {volume.Image}: {Printable.Of(errors.Trim())}");
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new IOException($"the volume {volume.Image} wants the file system {volume.FsType}, and there is no mkfs.{volume.FsType} on the PATH; install it, or make the image yourself");
        }
    }
}
