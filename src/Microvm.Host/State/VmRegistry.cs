using Microvm.Declaration;
using Microvm.Host.Run;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>Creates, updates and removes VMs in the state directory. Starting them is systemd's.</summary>
/// <param name="binary">The path of the <c>microvm</c> binary that runners call.</param>
public sealed class VmRegistry(StateDirectory state, string binary)
{
    /// <summary>The link that keeps a runner of a flake from nix's garbage collection.</summary>
    private const string Root = "built";

    /// <summary>What a VM's directory shows for people and scripts, and what earlier versions kept there, besides the VM's own data.</summary>
    private static readonly string[] s_ours = ["current", "booted", "runners", "file", "flake", "toplevel"];

    /// <summary>Writes a VM's runner from its declaration, and notes which file it came from.</summary>
    /// <returns>Whether <c>current</c> changed.</returns>
    /// <param name="arguments">What the file was evaluated with besides, one a line: the next update evaluates it so.</param>
    internal bool Publish(VmName name, MicrovmConfig config, ObjectNode declaration, string file, IReadOnlyList<string> arguments)
    {
        var vm = state.Of(name);
        Claim(vm);
        return RunnerStore.Publish(vm, Runner.Files(config, declaration, binary), steering =>
        {
            Keep(steering, arguments);
            vm.Note(steering, "file", Path.GetFullPath(file));
        });
    }

    private static void Keep(HeldFolder steering, IReadOnlyList<string> arguments)
    {
        if (arguments.Count > 0)
        {
            steering.Put("arguments", System.Text.Encoding.UTF8.GetBytes(string.Concat(arguments.Select(a => a + "\n"))));
        }
        else
        {
            steering.Remove("arguments");
        }
    }

    /// <summary>Builds a VM's runner from a flake, and notes the flake.</summary>
    /// <returns>Whether <c>current</c> changed.</returns>
    public bool Publish(VmName name, string flake) => Publish(name, flake, null, []);

    /// <summary>As the other, with arguments for the flake's modules.</summary>
    /// <param name="given">The arguments, a Nix expression of a set; null for none.</param>
    /// <param name="arguments">The same, one a line: the next update gives them again.</param>
    internal bool Publish(VmName name, string flake, string? given, IReadOnlyList<string> arguments)
    {
        var vm = state.Of(name);
        var isNew = !vm.Exists;
        Claim(vm);
        var before = vm.Current;
        if (before is null)
        {
            Note(vm, flake, arguments);
        }
        try
        {
            // Minutes perhaps: not under the lock that a start waits for.
            var runner = new FlakeBuild(binary).Run(flake, name, given, vm.Steer(Root));
            using var steering = vm.Hold();
            using var alone = StateDirectory.Lock(steering);
            if (before != runner)
            {
                vm.Point(steering, "current", runner);
            }
        }
        catch when (isNew)
        {
            Remove(name);
            throw;
        }
        Note(vm, flake, arguments);
        return vm.Current != before;
    }

    private static void Note(VmDirectory vm, string flake, IReadOnlyList<string> arguments)
    {
        using var steering = vm.Hold();
        using var alone = StateDirectory.Lock(steering);
        steering.RemoveLeftovers();
        Keep(steering, arguments);
        vm.Note(steering, "flake", flake);
    }

    /// <summary>Files in the VM's directory that are neither ours nor sockets of its hypervisor: its disks, say. None is opened.</summary>
    public IReadOnlyList<string> Data(VmName name)
    {
        using var above = state.Hold();
        using var data = above.Find(name.Value);
        // The lock on a control socket stays beside it.
        return data is null ? [] : [.. data.Names().Where(n => !s_ours.Contains(n) && !n.EndsWith(".sock.lock", StringComparison.Ordinal) && data.Look(n) is not { IsSocket: true } && !IsMadeAnew(name, data, n)).Order(StringComparer.Ordinal)];
    }

    /// <summary>What each start makes anew: Firecracker's configuration, and the folders of kvmtool's socket and of crosvm's jail, where nothing else is in them.</summary>
    private static bool IsMadeAnew(VmName vm, HeldFolder data, string entry)
    {
        if (entry == $"{vm}-firecracker.json")
        {
            return data.Look(entry) is { IsRegular: true };
        }
        if (entry is not (".lkvm" or HypervisorProcess.JailRoot) || data.Look(entry) is not { IsDirectory: true })
        {
            return false;
        }
        using var folder = data.Find(entry);
        return folder is null || folder.Names().All(n => folder.Look(n) is { IsSocket: true });
    }

    /// <summary>Removes the VM's directory and all in it, then what steered it; links are removed, never followed.</summary>
    public void Remove(VmName name)
    {
        using var above = state.Hold();
        using var host = state.HoldHost();
        using var alone = StateDirectory.Lock(host);
        above.Remove(name.Value);
        host.Remove(name.Value);
        host.RemoveLeftovers();
        above.RemoveLeftovers();
    }

    /// <summary>Gives a stopped VM another name: its directory, with all that is in it, and what steers it. Its runner still has the old one.</summary>
    /// <exception cref="IOException">The new name is taken.</exception>
    public void Rename(VmName from, VmName to)
    {
        using var above = state.Hold();
        using var host = state.HoldHost();
        using var alone = StateDirectory.Lock(host);
        if (above.Look(to.Value) is not null || host.Look(to.Value) is not null)
        {
            throw new IOException($"'{to}' exists already in {state.Path}");
        }
        // What steers it goes first, and comes back if the rest can't follow.
        host.MoveTo(from.Value, host, to.Value);
        try
        {
            if (above.Look(from.Value) is not null)
            {
                above.MoveTo(from.Value, above, to.Value);
            }
        }
        catch
        {
            host.MoveTo(to.Value, host, from.Value);
            throw;
        }
        var vm = state.Of(to);
        using var steering = vm.Hold();
        if (vm.Current is { } current)
        {
            vm.Point(steering, "current", current);
        }
    }

    private static void Claim(VmDirectory vm)
    {
        if (vm.Source == VmSource.Toplevel)
        {
            throw new IOException($"'{vm.Name}' is declared in this host's NixOS configuration; change it there and rebuild the host");
        }
        vm.Create();
    }
}
