using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>virtiofsd, the daemon behind a share of proto virtiofs. There are two programs of that name: the one in Rust (1.0 and later,
/// its README.md), and the one in C that came with QEMU up to 7.2 (virtiofsd(1)), which takes other arguments and needs root.</summary>
/// <param name="Path">The program.</param>
/// <param name="IsOfQemu">Whether it is the one in C.</param>
internal sealed record VirtiofsdProgram(string Path, bool IsOfQemu)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <summary>Where distributions keep it besides the PATH: Debian 13 and Fedora, Arch, Debian 12 and Ubuntu 22.04.</summary>
    public static IReadOnlyList<string> Places { get; } = ["/usr/libexec/virtiofsd", "/usr/lib/virtiofsd", "/usr/lib/qemu/virtiofsd"];

    /// <summary>The declared package's, else the PATH's, else that at a usual place.</summary>
    /// <exception cref="IOException">There is none, or it does not start.</exception>
    public static VirtiofsdProgram Find(MicrovmConfig vm)
    {
        var path = vm.Virtiofsd.Package is { } package ? $"{package.TrimEnd('/')}/bin/virtiofsd"
            : SearchPath.Find("virtiofsd") ?? Places.FirstOrDefault(File.Exists)
                ?? throw new IOException("there is no virtiofsd on the PATH or at its usual places; install it (Debian 12: sudo apt install qemu-system-common, later: virtiofsd), or set microvm.virtiofsd.package");
        if (vm.Virtiofsd.Package is not null && PosixProcess.EffectiveUser == 0 && FileStatus.OpenToOthers(path) is { } part)
        {
            throw new IOException($"microvm.virtiofsd.package has {path} run as root, and others than root could change {part}; give the package to root, or leave the option out");
        }
        try
        {
            var text = ProgramAnswer.Of(path, "--version", s_patience)
                ?? throw new IOException($"{path} doesn't print its version within {s_patience.TotalSeconds:0} s; is it a virtiofsd?");
            return new(path, text.Contains("FUSE kernel interface", StringComparison.Ordinal));
        }
        catch (Win32Exception e)
        {
            throw new IOException($"{path} can't be started: {e.Message}");
        }
    }

    /// <summary>The command line that serves one share, with what microvm.nix asks for. Nothing is quoted for a shell.</summary>
    /// <exception cref="IOException">This virtiofsd has no such option.</exception>
    public IReadOnlyList<string> Words(MicrovmConfig vm, Share share)
    {
        var options = vm.Virtiofsd;
        // `nproc` is what the option's default says, in words of a shell.
        var threads = options.ThreadPoolSize == "`nproc`" ? Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture) : options.ThreadPoolSize;
        List<string> words = [Path, $"--socket-path={System.IO.Path.GetFullPath(share.Socket!)}", $"--thread-pool-size={threads}"];
        if (options.Group is { } group)
        {
            words.Add(AccountFile.Number(AccountFile.Groups, group) is not null ? $"--socket-group={group}"
                : throw new IOException($"there is no group '{Printable.Of(group)}' on this host, to which microvm.virtiofsd.group gives the socket; make it (sudo groupadd --system {Shell.Quote(group)}), name another, or set it to null"));
        }
        words.AddRange(IsOfQemu ? OfQemu(options, share) : OfRust(vm, share));
        return [.. words, .. options.ExtraArgs, .. share.ExtraArgs];
    }

    private static IEnumerable<string> OfRust(MicrovmConfig vm, Share share) =>
    [
        $"--shared-dir={share.Source}", $"--cache={share.Cache}",
        .. vm.Virtiofsd.InodeFileHandles is { } handles ? (string[])[$"--inode-file-handles={handles}"] : [],
        .. share.PosixAcl ? (string[])["--posix-acl", "--xattr"] : [],
        .. vm.Hypervisor == "crosvm" ? (string[])[$"--tag={share.Tag}"] : [],
        .. share.ReadOnly ? (string[])["--readonly"] : [],
    ];

    private IEnumerable<string> OfQemu(VirtiofsdOptions options, Share share)
    {
        var wrong = share.ReadOnly ? "serve a share read-only" : share.Cache == "metadata" ? "cache metadata alone"
            : options.InodeFileHandles == "mandatory" ? "refer to inodes by handle" : null;
        if (wrong is not null)
        {
            throw new IOException($"{Path} is the virtiofsd of QEMU 7 and can't {wrong}, as the share '{Printable.Of(share.Tag)}' asks for; install virtiofsd 1.0 or later and set microvm.virtiofsd.package");
        }
        // FUSE's option parser splits at a comma and reads a backslash as a quote.
        var source = share.Source.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal);
        yield return "-o";
        yield return $"source={source}";
        yield return "-o";
        yield return $"cache={(share.Cache == "never" ? "none" : share.Cache)}";
        if (share.PosixAcl)
        {
            yield return "-o";
            yield return "xattr";
            yield return "-o";
            yield return "posix_acl";
        }
    }
}
