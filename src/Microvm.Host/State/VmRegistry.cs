using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>Creates, updates and removes VMs in the state directory. Starting them is systemd's.</summary>
/// <param name="binary">The path of the <c>microvm</c> binary that runners call.</param>
public sealed class VmRegistry(StateDirectory state, string binary)
{
    /// <summary>What a VM's directory holds besides what its hypervisor and its owner put there.</summary>
    private static readonly string[] s_ours = ["current", "booted", "runners", "file", "flake", "toplevel"];

    /// <summary>Writes a VM's runner from its declaration, and notes which file it came from.</summary>
    /// <returns>Whether <c>current</c> changed.</returns>
    internal bool Publish(VmName name, MicrovmConfig config, ObjectNode declaration, string file)
    {
        var vm = state.Of(name);
        Claim(vm);
        var changed = RunnerStore.Publish(vm, Runner.Files(config, declaration, binary));
        Note(vm, "file", Path.GetFullPath(file));
        return changed;
    }

    /// <summary>Builds a VM's runner from a flake, and notes the flake.</summary>
    /// <returns>Whether <c>current</c> changed.</returns>
    public bool Publish(VmName name, string flake)
    {
        var vm = state.Of(name);
        Claim(vm);
        var before = vm.Current;
        var isNew = !vm.Exists;
        vm.Create();
        try
        {
            FlakeBuild.Run(flake, name, vm.At("current"));
        }
        catch when (isNew)
        {
            Directory.Delete(vm.Path, true);
            throw;
        }
        Note(vm, "flake", flake);
        return vm.Current != before;
    }

    /// <summary>Files in the VM's directory that are neither ours nor sockets of its hypervisor: its disks, say.</summary>
    public IReadOnlyList<string> Data(VmName name) =>
    [
        .. new DirectoryInfo(state.Of(name).Path).EnumerateFileSystemInfos()
            .Where(f => !s_ours.Contains(f.Name) && (f is DirectoryInfo || f.LinkTarget is not null || IsData(f.FullName)))
            .Select(f => f.Name).Order(StringComparer.Ordinal),
    ];

    /// <summary>Removes the VM's directory and all in it; links are removed, never followed.</summary>
    public void Remove(VmName name) => Directory.Delete(state.Of(name).Path, true);

    // A socket has no length and can't be opened as a file.
    private static bool IsData(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static void Claim(VmDirectory vm)
    {
        if ((Directory.Exists(vm.Path) || File.Exists(vm.Path)) && !vm.Exists)
        {
            throw new IOException($"{vm.Path} is in the way: it is no directory of a VM");
        }
        if (vm.Source == VmSource.Toplevel)
        {
            throw new IOException($"'{vm.Name}' is declared in this host's NixOS configuration; change it there and rebuild the host");
        }
    }

    private static void Note(VmDirectory vm, string what, string text)
    {
        foreach (var other in (string[])["file", "flake"])
        {
            if (other != what)
            {
                File.Delete(vm.At(other));
            }
        }
        // The hypervisor's group may write here too, so under a name that it can't guess.
        AtomicFile.Write(vm.At(what), text + "\n");
    }
}
