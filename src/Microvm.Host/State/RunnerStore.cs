using System.Text;
using Microvm.Declaration;

namespace Microvm.Host;

/// <summary>Keeps runners in a VM's directory, one a content: <c>runners/HASH</c>, so that the same declaration built twice is
/// the same runner, and <c>current</c> equals <c>booted</c> exactly where no restart is needed.</summary>
public static class RunnerStore
{
    /// <summary>The name of a runner, from all its files.</summary>
    public static string Identity(IReadOnlyDictionary<string, string> files)
    {
        using var all = new MemoryStream();
        foreach (var (path, content) in files.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            var bytes = Encoding.UTF8.GetBytes(content);
            all.Write(Encoding.UTF8.GetBytes($"{path}\0{bytes.Length}\0"));
            all.Write(bytes);
        }
        return Convert.ToHexStringLower(Sha256.HashData(all.ToArray()))[..32];
    }

    /// <summary>Writes the runner and points <c>current</c> at it; runners that are neither current nor booted are removed.</summary>
    /// <returns>Whether <c>current</c> changed.</returns>
    public static bool Publish(VmDirectory vm, IReadOnlyDictionary<string, string> files)
    {
        const UnixFileMode Plain = (UnixFileMode)0b111_101_101;
        vm.Create();
        var target = $"runners/{Identity(files)}";
        if (!Directory.Exists(vm.At(target)))
        {
            var fresh = vm.At("runners/.new");
            if (Directory.Exists(fresh))
            {
                Directory.Delete(fresh, true);
            }
            RunnerDirectory.Write(fresh, files);
            File.SetUnixFileMode(vm.At("runners"), Plain);
            Directory.Move(fresh, vm.At(target));
        }
        var changed = vm.Current != target;
        if (changed)
        {
            vm.Point("current", target);
        }
        foreach (var old in Directory.EnumerateDirectories(vm.At("runners")).Where(d => $"runners/{Path.GetFileName(d)}" is var r && r != target && r != vm.Booted))
        {
            Directory.Delete(old, true);
        }
        return changed;
    }
}
