using Microvm.Linux;

namespace Microvm.Host;

/// <summary>VMs as earlier versions and microvm.nix lay them out: <c>current</c>, <c>booted</c>, <c>runners</c> and what they come from lie in the
/// VM's own directory, where its hypervisor may write. Moving them believes only what nobody else could have put there.</summary>
public static class Earlier
{
    private static readonly string[] s_notes = ["file", "flake"];

    /// <summary>What <c>current</c> points to in a VM's own directory, whoever wrote it: to be told, not to be followed. Null where there is none.</summary>
    internal static string? Current(VmDirectory vm) => FileStatus.Of(vm.Path) is { IsDirectory: true } ? new FileInfo(System.IO.Path.Combine(vm.Path, "current")).LinkTarget : null;

    /// <summary>Moves what steers a VM to where only root writes. The VM may run meanwhile; does nothing where it is moved already.</summary>
    /// <param name="adopt">Takes <c>current</c> and <c>booted</c> as they are, on the word of who asks.</param>
    /// <param name="told">Who asks has told what the VM is made from: without a <c>current</c> to believe it is moved too, and has none.</param>
    /// <exception cref="IOException">Somebody else may have written what is there; nothing was moved.</exception>
    public static void Move(StateDirectory state, VmDirectory vm, bool adopt = false, bool told = false)
    {
        if (vm.IsMoved || Current(vm) is null)
        {
            return;
        }
        using var above = state.Hold();
        using var host = state.HoldHost();
        using var running = StateDirectory.Lock(host);
        using var data = above.Find(vm.Name.Value);
        if (data is null || host.Look(vm.Name.Value) is not null)
        {
            return;
        }
        // In a directory of root's with the sticky bit, nobody replaces what is root's: only that is believed. In another's all may be theirs.
        var status = data.Status;
        var kept = (status.User == 0 || status.User == PosixProcess.EffectiveUser) && (status.IsTrusted || (status.Mode & 0x200 /* sticky */) != 0);
        string? Link(string name) => data.Look(name) is { IsLink: true, Links: 1 } link && (adopt || kept && link.IsTrusted) ? data.Link(name) : null;
        var current = Link("current");
        var runners = kept && data.Look("runners") is { IsDirectory: true, IsTrusted: true } ? data.Find("runners") : null;
        using (runners)
        {
            if (current is not null && !IsRunner(current, runners, adopt))
            {
                current = null;
            }
            if (current is null && !told)
            {
                var owner = data.Look("current")?.User;
                throw new IOException($"'{vm.Name}' was laid out by microvm.nix or an earlier version, and user {owner} could have written {vm.Path}/current, which leads to {Declaration.Printable.Of(Current(vm) ?? "")}; look whether it is right, then take it as it is: sudo microvm update --adopt {vm.Name}; or say what the VM is made from: sudo microvm update {vm.Name} --file FILE");
            }
            // Filled under another name first: killed half-way, the VM is as it was.
            var fresh = $".moving-{vm.Name}";
            host.Remove(fresh);
            using (var steering = host.Make(fresh, 0x1ed /* 0755 */))
            {
                if (runners is not null)
                {
                    Copy(runners, steering);
                }
                foreach (var note in s_notes)
                {
                    if (kept && data.Read(note, trusted: true) is { } text)
                    {
                        steering.Put(note, text);
                    }
                }
                if (Link("toplevel") is { } toplevel)
                {
                    steering.PutLink("toplevel", toplevel);
                }
                if (Link("booted") is { } booted && IsRunner(booted, runners, adopt))
                {
                    steering.PutLink("booted", booted);
                }
                if (current is not null)
                {
                    steering.PutLink("current", current);
                }
            }
            host.MoveTo(fresh, host, vm.Name.Value);
        }
        foreach (var link in (string[])["current", "booted"])
        {
            var target = vm.Target(link);
            vm.Show(link, target is null || target.StartsWith('/') ? target : $"../{StateDirectory.Host}/{vm.Name}/{target}");
        }
        // The copy stands; scripts that run out of the old one have read what they need.
        if (runners is not null)
        {
            data.Remove("runners");
        }
        if (kept)
        {
            data.Remove("file");
        }
    }

    /// <summary>Moves all VMs of a state directory.</summary>
    /// <returns>Why one could not be, each in a sentence.</returns>
    public static IReadOnlyList<string> MoveAll(StateDirectory state)
    {
        var left = new List<string>();
        foreach (var vm in state.All().Where(v => !v.IsMoved))
        {
            try
            {
                Move(state, vm);
            }
            catch (Exception e) when (e is IOException or LinuxException)
            {
                left.Add(e.Message);
            }
        }
        return left;
    }

    /// <summary>A runner that only root could have written: one of <c>runners/</c>, whose content is what its name says, or one of the nix store.</summary>
    private static bool IsRunner(string target, HeldFolder? runners, bool adopt)
    {
        if (target.StartsWith("runners/", StringComparison.Ordinal))
        {
            return runners is not null && RunnerStore.Fault(runners, target["runners/".Length..]) is null;
        }
        var path = Path.GetFullPath(target);
        return target.StartsWith("/nix/store/", StringComparison.Ordinal) && path == target && FileStatus.OfTarget(path) is { IsDirectory: true } store && (adopt || store.IsTrusted);
    }

    private static void Copy(HeldFolder runners, HeldFolder steering)
    {
        using var to = steering.Make("runners", 0x1ed /* 0755 */);
        foreach (var name in runners.Names().Where(n => RunnerStore.Fault(runners, n) is null))
        {
            to.PutTree(name, RunnerStore.Content(runners, name)!.Select(f => (f.Path, f.Content, RunnerDirectory.Mode(f.Path))), replace: false);
        }
    }
}
