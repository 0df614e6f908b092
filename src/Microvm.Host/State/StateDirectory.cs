using Microvm.Linux;

namespace Microvm.Host;

/// <summary>The directory that holds all VMs' directories, and in <c>.host</c> what steers them: what root acts on, only root can write.</summary>
public sealed class StateDirectory(string path)
{
    /// <summary>Below it, root's own: a directory for each VM, with <c>current</c>, <c>booted</c>, <c>runners</c> and where they come from.</summary>
    internal const string Host = ".host";

    /// <summary>What is done under a lock takes milliseconds; whoever holds one for so long is stuck.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>Its path.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <summary>The VM of that name, whether it is there or not.</summary>
    public VmDirectory Of(VmName name) => new(this, name);

    /// <summary>All VMs that have a runner, by name. What else lies here is passed over.</summary>
    public IReadOnlyList<VmDirectory> All() =>
    [
        .. Names(System.IO.Path.Combine(Path, Host)).Union(Names(Path)).Order(StringComparer.Ordinal)
            .Select(n => VmName.TryParse(n, out var name) ? Of(name) : null).OfType<VmDirectory>().Where(v => v.Exists && v.Current is not null),
    ];

    /// <summary>Opens it, made where it is not there, to change what is in it.</summary>
    /// <exception cref="IOException">Others may write in it.</exception>
    internal HeldFolder Hold()
    {
        var held = HeldFolder.OpenOrMake(Path);
        if (!held.Status.IsTrusted)
        {
            var owner = held.Status.User;
            held.Dispose();
            throw new IOException($"others may write in {Path} (it belongs to user {owner}), so what is in it can't steer a VM; choose another --state-dir, or: sudo chown root {Path} && sudo chmod go-w {Path}");
        }
        return held;
    }

    /// <summary>Opens what steers the VMs, made where it is not there.</summary>
    internal HeldFolder HoldHost()
    {
        using var state = Hold();
        var host = state.FindOrMake(Host, 0x1ed /* 0755 */);
        if (host.Status.IsTrusted)
        {
            return host;
        }
        host.Dispose();
        throw new IOException($"others may write in {Path}/{Host}, which was not made by microvm; move it away");
    }

    /// <summary>One at a time makes, moves and removes VMs here, and writes what the host keeps for them.</summary>
    internal FileLock Lock()
    {
        using var host = HoldHost();
        return Lock(host);
    }

    internal static FileLock Lock(HeldFolder folder) =>
        FileLock.Take(folder, "lock", s_patience, () => Console.Error.WriteLine($"microvm: another microvm is at work in {folder.Path}; waiting for it"));

    private static List<string> Names(string path) => FolderNames.Of(path);
}
