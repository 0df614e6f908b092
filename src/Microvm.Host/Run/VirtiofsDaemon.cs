using System.Globalization;
using Microvm.Declaration;

namespace Microvm.Host.Run;

/// <summary>virtiofsd, the daemon behind a share of proto virtiofs. It outlives the VM and may need root, so it is not ours to start: we say which one is needed.</summary>
public static class VirtiofsDaemon
{
    /// <summary>The command line for one share (virtiofsd(1), the Rust one), with the options that microvm.nix gives it.</summary>
    internal static IReadOnlyList<string> Words(MicrovmConfig vm, Share share)
    {
        var options = vm.Virtiofsd;
        var words = new List<string>
        {
            options.Package is { } package ? $"{package.TrimEnd('/')}/bin/virtiofsd" : "virtiofsd",
            $"--socket-path={share.Socket}", $"--shared-dir={share.Source}", $"--cache={share.Cache}",
            // `nproc` is what the option's default says, in words of a shell.
            $"--thread-pool-size={(options.ThreadPoolSize == "`nproc`" ? Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture) : options.ThreadPoolSize)}",
        };
        words.AddRange(options.Group is { } group ? [$"--socket-group={group}"] : []);
        words.AddRange(options.InodeFileHandles is { } handles ? [$"--inode-file-handles={handles}"] : []);
        words.AddRange(share.PosixAcl ? ["--posix-acl", "--xattr"] : []);
        words.AddRange(vm.Hypervisor == "crosvm" ? [$"--tag={share.Tag}"] : []);
        words.AddRange(share.ReadOnly ? ["--readonly"] : []);
        return [.. words, .. options.ExtraArgs ?? [], .. share.ExtraArgs];
    }

    /// <summary>The shares behind which nobody listens, each with the command that mends it. vfkit serves its shares itself.</summary>
    public static IEnumerable<string> Faults(MicrovmConfig vm) =>
        from share in vm.Shares
        where share.IsVirtiofs && vm.Hypervisor != "vfkit" && !File.Exists(share.Socket)
        select $"the share '{Printable.Of(share.Tag)}' needs a virtiofsd, and there is no socket {Printable.Of(share.Socket ?? "")}; start it, and leave it running: {string.Join(' ', Words(vm, share).Select(Shell.Quote))}";
}
