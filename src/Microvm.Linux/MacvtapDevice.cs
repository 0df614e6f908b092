using System.Globalization;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>A macvtap's character device: which it is, its node, who may open it (drivers/net/macvtap.c).</summary>
/// <param name="Path">The node: <c>/dev/tapN</c> with the link's ifindex as N where that is this device, else a private one.</param>
/// <param name="User">Who owns the node.</param>
/// <param name="Present">Whether the node is there and stands for this device.</param>
public sealed record MacvtapNode(string Path, uint Major, uint Minor, uint User, uint Group, uint Mode, bool Present);

/// <summary>The character devices of macvtaps, found without /sys/class/net, which shows the namespace of its mount and not ours.</summary>
public static unsafe class MacvtapDevice
{
    // Beside the kernel's own nodes: /run is mounted nodev on most systems, and a node there could not be opened.
    private const string Private = "/dev/microvm";
    private const string DeviceFolder = "/sys/dev/char";
    private const int O_RDWR = 2, O_PATH = 0x200000, O_CLOEXEC = 0x80000, AT_EMPTY_PATH = 0x1000;

    /// <summary>The numbers N of every tapN device on the machine, in whichever network namespace: devtmpfs is one for all.</summary>
    internal static IReadOnlySet<int> UsedNumbers() => Devices().Select(d => d.Number).ToHashSet();

    /// <summary>Finds the devices of many macvtaps by name and ifindex; a link that has none is left out.</summary>
    /// <exception cref="LinuxException">Two namespaces have a macvtap of the same name and ifindex, and /sys can't tell which is ours.</exception>
    public static IReadOnlyDictionary<int, MacvtapNode> Find(IEnumerable<(string Name, int Index)> links)
    {
        var wanted = links.ToList();
        var devices = wanted.Count == 0 ? null : Devices().ToLookup(d => (d.Name, d.Number));
        var found = new Dictionary<int, MacvtapNode>();
        foreach (var (name, index) in wanted)
        {
            var candidates = devices![(name, index)].ToList();
            if (candidates.Count > 1)
            {
                candidates = [.. candidates.Where(c => IsOurs(name, index, c.Major, c.Minor))];
                if (candidates.Count != 1)
                {
                    throw new LinuxException($"find the device of macvtap '{name}': another network namespace has one of the same name and ifindex {index}", Errno.EEXIST);
                }
            }
            if (candidates.Count == 1)
            {
                found[index] = Look(index, candidates[0].Major, candidates[0].Minor);
            }
        }
        return found;
    }

    /// <summary>Gives the node to a user and group and takes all others' access away; makes a private node where /dev has another
    /// namespace's device under that name, or none.</summary>
    /// <exception cref="LinuxException">EPERM: no CAP_CHOWN, CAP_FOWNER or CAP_MKNOD.</exception>
    public static void Grant(MacvtapNode node, uint? user, uint? group)
    {
        if (!node.Present)
        {
            var path = PrivatePath(node.Major, node.Minor);
            using (var folder = HeldFolder.OpenOrMake(Private))
            {
                folder.PutCharacterDevice(Path.GetFileName(path), FileStatus.Pack(node.Major, node.Minor));
            }
            node = node with { Path = path };
        }
        // Opened once and checked: a path looked up twice could name two things.
        using var file = new FileDescriptor((int)Libc.Check(Libc.open(node.Path, O_PATH | Libc.O_NOFOLLOW | O_CLOEXEC), $"open {node.Path}"));
        if (FileStatus.Of(file) is not { IsCharacterDevice: true } status || status.Device != FileStatus.Pack(node.Major, node.Minor))
        {
            throw new LinuxException($"give {node.Path} to its user: it is not the device {node.Major}:{node.Minor}", Errno.EIO);
        }
        Libc.Check(Libc.fchownat(file.Value, "", user ?? 0, group ?? 0, AT_EMPTY_PATH), $"set the owner of {node.Path}");
        // fchmod(2) takes no O_PATH descriptor; its /proc name follows the descriptor, not the path.
        Libc.Check(Libc.fchmodat(-100, $"/proc/self/fd/{file.Value}", Permissions(group), 0), $"set the mode of {node.Path}");
    }

    /// <summary>Permission bits of a node that a user and perhaps a group may open.</summary>
    internal static uint Permissions(uint? group) => group is null ? 0x180u /* 0600 */ : 0x1b0u /* 0660 */;

    /// <summary>Opens one queue of the device; as many as the VM has queue pairs. The caller owns the handle.</summary>
    /// <exception cref="LinuxException">EACCES: the node belongs to somebody else; EBUSY: all 256 queues are open.</exception>
    public static SafeHandle OpenQueue(MacvtapNode node)
    {
        var file = new FileDescriptor((int)Libc.Check(Libc.open(node.Path, O_RDWR | Libc.O_NOFOLLOW | O_CLOEXEC), $"open {node.Path}"));
        if (FileStatus.Of(file).Device != FileStatus.Pack(node.Major, node.Minor))
        {
            file.Dispose();
            throw new LinuxException($"open {node.Path}: it is not the device {node.Major}:{node.Minor}", Errno.EIO);
        }
        return file;
    }

    /// <summary>Deletes private nodes whose device is gone.</summary>
    internal static void Sweep()
    {
        var nodes = FolderNames.Of(Private);
        if (nodes.Count == 0)
        {
            return;
        }
        var alive = Devices().Select(d => PrivatePath(d.Major, d.Minor)).ToHashSet();
        foreach (var stale in nodes.Select(n => $"{Private}/{n}").Where(n => !alive.Contains(n)))
        {
            try
            {
                HeldFolder.RemoveAt(stale);
            }
            catch (LinuxException)
            {
                // Somebody else's to sweep.
            }
        }
    }

    private static MacvtapNode Look(int index, uint major, uint minor)
    {
        var device = FileStatus.Pack(major, minor);
        foreach (var path in (string[])[$"/dev/tap{index}", PrivatePath(major, minor)])
        {
            if (FileStatus.Of(path) is { IsCharacterDevice: true } status && status.Device == device)
            {
                return new(path, major, minor, status.User, status.Group, status.Mode & 0x1ff, true);
            }
        }
        return new($"/dev/tap{index}", major, minor, 0, 0, 0, false);
    }

    private static string PrivatePath(uint major, uint minor) => $"{Private}/{major}-{minor}";

    // /sys/dev/char is not divided by namespace: MAJOR:MINOR -> ../../devices/…/net/NAME/macvtap/tapN
    private static IEnumerable<(string Name, int Number, uint Major, uint Minor)> Devices()
    {
        if (Major() is not { } major)
        {
            yield break;
        }
        var prefix = $"{major}:";
        foreach (var entry in FolderNames.Of(DeviceFolder))
        {
            if (entry.StartsWith(prefix, StringComparison.Ordinal)
                && uint.TryParse(entry.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var minor)
                && (new FileInfo($"{DeviceFolder}/{entry}").LinkTarget ?? "").Split('/') is [.., "net", var name, "macvtap", ['t', 'a', 'p', .. var number]]
                && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var n))
            {
                yield return (name, n, major, minor);
            }
        }
    }

    private static uint? Major() => File.ReadLines("/proc/devices").Select(l => l.Trim().Split(' '))
        .Where(w => w is [_, "macvtap"]).Select(w => (uint?)uint.Parse(w[0], CultureInfo.InvariantCulture)).FirstOrDefault();

    private static bool IsOurs(string name, int index, uint major, uint minor)
    {
        try
        {
            return File.ReadAllText($"/sys/class/net/{name}/tap{index}/dev").Trim() == $"{major}:{minor}";
        }
        catch (IOException)
        {
            return false;
        }
    }
}
