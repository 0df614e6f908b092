using System.Diagnostics;
using System.Globalization;
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
            // Under another name until it is whole, beside its place so that the rename is atomic.
            var fresh = $"{volume.Image}.{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}.new";
            try
            {
                using (var file = new FileStream(fresh, FileMode.CreateNew, FileAccess.Write))
                {
                    file.SetLength(volume.SizeMiB!.Value * 1024 * 1024);
                }
                MakeFileSystem(volume, fresh);
                File.Move(fresh, volume.Image);
            }
            finally
            {
                File.Delete(fresh);
            }
        }
    }

    private static void MakeFileSystem(Volume volume, string path)
    {
        string[] label = volume.Label is not { } text ? [] : [volume.FsType is "vfat" or "fat" or "msdos" ? "-n" : volume.FsType is "f2fs" ? "-l" : "-L", text];
        var start = new ProcessStartInfo($"mkfs.{volume.FsType}", [.. label, .. volume.MkfsExtraArgs, path]) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var mkfs = SearchPath.Start(start);
            var errors = mkfs.StandardError.ReadToEndAsync();
            mkfs.StandardOutput.ReadToEnd();
            mkfs.WaitForExit();
            if (mkfs.ExitCode != 0)
            {
                throw new IOException($"mkfs.{volume.FsType} could not format {volume.Image}: {Printable.Of(errors.Result.Trim())}");
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new IOException($"the volume {volume.Image} wants the file system {volume.FsType}, and there is no mkfs.{volume.FsType} on the PATH; install it, or make the image yourself");
        }
    }
}
