using System.Text;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>Keeps runners among what steers a VM, one a content: <c>runners/HASH</c>, so that the same declaration built twice is
/// the same runner, and <c>current</c> equals <c>booted</c> exactly where no restart is needed.</summary>
public static class RunnerStore
{
    private const string Runners = "runners";

    /// <summary>The name of a runner, from all its files.</summary>
    public static string Identity(IReadOnlyDictionary<string, string> files) => Identity(files.Select(f => (f.Key, Encoding.UTF8.GetBytes(f.Value))));

    private static string Identity(IEnumerable<(string Path, byte[] Content)> files)
    {
        using var all = new MemoryStream();
        foreach (var (path, content) in files.OrderBy(f => f.Path, StringComparer.Ordinal))
        {
            all.Write(Encoding.UTF8.GetBytes($"{path}\0{content.Length}\0"));
            all.Write(content);
        }
        return Convert.ToHexStringLower(Sha256.HashData(all.ToArray()))[..32];
    }

    /// <summary>Writes the runner and points <c>current</c> at it; one that is there and is not what its name says is made anew. Runners that
    /// are neither current nor booted are removed.</summary>
    /// <param name="note">Notes where it comes from, before <c>current</c> points at it.</param>
    /// <returns>Whether <c>current</c> changed, or what it points to.</returns>
    internal static bool Publish(VmDirectory vm, IReadOnlyDictionary<string, string> files, Action<HeldFolder> note)
    {
        using var steering = vm.Hold();
        using var alone = StateDirectory.Lock(steering);
        steering.RemoveLeftovers();
        note(steering);
        using var runners = steering.FindOrMake(Runners, 0x1ed /* 0755 */);
        runners.RemoveLeftovers();
        var name = Identity(files);
        var target = $"{Runners}/{name}";
        var changed = Fault(runners, name) is not null;
        if (changed)
        {
            runners.PutTree(name, files.Select(f => (f.Key, Encoding.UTF8.GetBytes(f.Value), RunnerDirectory.Mode(f.Key))), replace: runners.Look(name) is not null);
        }
        if (vm.Current != target)
        {
            changed = true;
            vm.Point(steering, "current", target);
        }
        foreach (var old in runners.Names().Where(n => n != name && $"{Runners}/{n}" != vm.Booted))
        {
            runners.Remove(old);
        }
        return changed;
    }

    /// <summary>Why a VM's current runner can't be started, or null. One of the nix store is nix's to verify: it need only be there.</summary>
    public static string? Fault(VmDirectory vm)
    {
        if (vm.Current is not { } current || !vm.IsMoved)
        {
            return null;
        }
        if (!current.StartsWith(Runners + "/", StringComparison.Ordinal))
        {
            return Directory.Exists(vm.Steer("current")) ? null : $"{current} is not there";
        }
        using var steering = vm.Hold();
        using var runners = steering.Find(Runners);
        return runners is null ? $"{vm.Steer(Runners)} is not there" : Fault(runners, current[(Runners.Length + 1)..]);
    }

    /// <summary>Why a runner is not what its name says, or null.</summary>
    internal static string? Fault(HeldFolder runners, string name) =>
        Content(runners, name) is not { } files ? $"{runners.Path}/{name} is not whole"
        : Identity(files) != name ? $"the content of {runners.Path}/{name} is not what its name says" : null;

    /// <summary>All files of a runner; null where it is not there, or holds what no runner has, or what others may write.</summary>
    internal static List<(string Path, byte[] Content)>? Content(HeldFolder runners, string name)
    {
        if (name.Contains('/') || name.Length == 0 || runners.Find(name) is not { } runner)
        {
            return null;
        }
        using (runner)
        {
            var files = new List<(string, byte[])>();
            return Collect(runner, "", files) ? files : null;
        }
    }

    private static bool Collect(HeldFolder folder, string path, List<(string, byte[])> files)
    {
        const int MostBytes = 128 << 20, Deepest = 8;
        if (!folder.Status.IsTrusted || path.Count(c => c == '/') > Deepest)
        {
            return false;
        }
        foreach (var name in folder.Names())
        {
            if (folder.Look(name) is { IsDirectory: true } && folder.Find(name) is { } below)
            {
                using (below)
                {
                    if (!Collect(below, $"{path}{name}/", files))
                    {
                        return false;
                    }
                }
            }
            else if (folder.Look(name) is { } file && ((file.Mode & 0x40 /* 0100 */) != 0) == RunnerDirectory.IsExecutable(path + name) && folder.Read(name, MostBytes, trusted: true) is { } content)
            {
                files.Add((path + name, content));
            }
            else
            {
                return false;
            }
        }
        return true;
    }
}
