using System.Globalization;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>A process that has a tap or macvtap open.</summary>
/// <param name="Pid">The process, as this process sees it.</param>
/// <param name="Name">What it calls itself (<c>/proc/PID/comm</c>): not to be trusted, nor printed unescaped.</param>
/// <param name="Link">The link's name.</param>
/// <param name="Queues">How many queues it has of it: open files, for duplicates of a descriptor are the same queue. Those that it shares with a
/// process that was found before, as a jailed child does with its parent, are that one's.</param>
public sealed record LinkHolder(int Pid, string Name, string Link, int Queues)
{
    /// <summary>The words that it was started with (<c>/proc/PID/cmdline</c>), which it may have changed: not to be trusted. None where it does not tell.</summary>
    internal IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>All holders of links in this thread's network namespace, found in <c>/proc/PID/fd</c>. Processes that this one may not look into are left out
    /// (another user's need CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH).</summary>
    /// <param name="links">The links of this network namespace: a macvtap is known by its index.</param>
    /// <remarks>A tap says its name in <c>fdinfo</c> (<c>iff:</c>), and not its network namespace; that of the process stands for it.
    /// A macvtap is known by its device number, which no other has.</remarks>
    public static IReadOnlyList<LinkHolder> Scan(IReadOnlyList<Link> links)
    {
        var here = LinkText("/proc/thread-self/ns/net");
        var macvtaps = links.Where(l => l.Kind == "macvtap").ToList();
        var devices = macvtaps.Count == 0 ? [] : MacvtapDevice.Find(macvtaps.Select(l => (l.Name, l.Index)))
            .ToDictionary(n => FileStatus.Pack(n.Value.Major, n.Value.Minor), n => macvtaps.First(l => l.Index == n.Key).Name);
        var holders = new List<LinkHolder>();
        var open = new Dictionary<string, List<(int Process, int Descriptor)>>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                Scan(pid, devices, here, open, holders);
            }
        }
        return holders;
    }

    /// <summary>The first process that has one of these files open, as its descriptors' links name them ("socket:[123]"); null where there is none that may be looked into.</summary>
    internal static int? Owner(IReadOnlySet<string> targets)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                    && Directory.EnumerateFileSystemEntries($"{folder}/fd").Any(fd => LinkText(fd) is { } target && targets.Contains(target)))
                {
                    return pid;
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended meanwhile, or is not ours to look into.
            }
        }
        return null;
    }

    private static void Scan(int pid, Dictionary<ulong, string> devices, string? here, Dictionary<string, List<(int Process, int Descriptor)>> open, List<LinkHolder> holders)
    {
        Dictionary<string, int>? queues = null;
        foreach (var fd in Names($"/proc/{pid}/fd"))
        {
            if (LinkText(fd) is { } target && Look(() => LinkOf(pid, fd, target, devices, here)) is { } link)
            {
                if (!open.TryGetValue(link, out var known))
                {
                    open[link] = known = [];
                }
                var file = (pid, int.Parse(Path.GetFileName(fd.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture));
                if (!known.Any(other => PosixProcess.IsSameFile(file, other) == true))
                {
                    known.Add(file);
                    queues ??= [];
                    queues[link] = queues.GetValueOrDefault(link) + 1;
                }
            }
        }
        if (queues is not null && RunningProcess.Name(pid) is { } name)
        {
            var words = RunningProcess.Words(pid);
            holders.AddRange(queues.Select(q => new LinkHolder(pid, name, q.Key, q.Value) { Words = words }));
        }
    }

    /// <summary>What a process has open, as far as it lives while it is looked at and is ours to look into.</summary>
    private static List<string> Names(string folder) => Look(() => Directory.EnumerateFileSystemEntries(folder).ToList()) ?? [];

    // A process may end, and a descriptor be closed, between any two calls: ENOENT, ESRCH or EACCES, by one way or another.
    private static T? Look<T>(Func<T?> look) where T : class
    {
        try
        {
            return look();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or LinuxException)
        {
            return null;
        }
    }

    private static string? LinkOf(int pid, string fd, string target, Dictionary<ulong, string> devices, string? here)
    {
        if (target.EndsWith("/net/tun", StringComparison.Ordinal))
        {
            return LinkText($"/proc/{pid}/ns/net") == here && File.ReadLines($"/proc/{pid}/fdinfo/{Path.GetFileName(fd)}")
                .FirstOrDefault(l => l.StartsWith("iff:", StringComparison.Ordinal))?[4..].Trim() is { Length: > 0 } name ? name : null;
        }
        // Only a device's file is looked at: a look at one on a dead network mount would hang.
        return devices.Count > 0 && target.StartsWith("/dev/", StringComparison.Ordinal) && FileStatus.OfTarget(fd) is { IsCharacterDevice: true } status
            ? devices.GetValueOrDefault(status.Device) : null;
    }

    private static unsafe string? LinkText(string path)
    {
        const int most = 512;
        var buffer = stackalloc byte[most];
        var length = Libc.readlink(path, buffer, most);
        return length < 0 ? null : Marshal.PtrToStringUTF8((nint)buffer, (int)length);
    }
}
