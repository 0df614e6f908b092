using Microvm.Linux;

namespace Microvm.Cli.Guests;

/// <summary>The files of a guest beside its declaration: disk, kernel, initial RAM disk and, where the person has no ssh key, a pair of keys.</summary>
internal sealed class GuestFiles
{
    private readonly string _name, _folder;

    /// <param name="name">The VM's name, which is the guest's host name and begins the files' names.</param>
    /// <param name="output">The declaration, in whose folder they are put.</param>
    /// <exception cref="UsageException">The name is no host name, or there can't be files beside the declaration.</exception>
    internal GuestFiles(string name, string output)
    {
        if (name.Length is 0 or > 63 || name.StartsWith('-') || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'))
        {
            throw new UsageException("with --guest the VM's name becomes the guest's host name: 1 to 63 letters, digits and hyphens, no hyphen first");
        }
        if (output == "-")
        {
            throw new UsageException("--guest writes files beside the declaration, so that can't go to standard output: name a file with -o");
        }
        (_name, _folder) = (name, Path.GetDirectoryName(Path.GetFullPath(output)) ?? "/");
    }

    private string At(string ending) => Path.Combine(_folder, $"{_name}.{ending}");

    /// <summary>Made by mmdebstrap as the first, put in place as the second.</summary>
    private (string From, string To)[] Moves => [("disk", At("img")), ("kernel", At("vmlinuz")), ("initrd", At("initrd"))];

    internal IEnumerable<string> Names => Moves.Select(m => Path.GetFileName(m.To));

    internal StartingGuest Starting(int sshPort) => sshPort is > 0 and < 65536
        ? new(At("vmlinuz"), At("initrd"), At("img"), sshPort) : throw new UsageException("--ssh-port takes 1 to 65535");

    /// <summary>Makes them all, or none.</summary>
    /// <param name="key">A file with a public key; null for the person's own, or a new pair.</param>
    /// <returns>The private key that was made; null where the person had one.</returns>
    internal string? Make(string release, string? mirror, string? key, int sizeGiB)
    {
        if (sizeGiB is < 2 or > 65536)
        {
            throw new UsageException("--size takes 2 to 65536 GiB");
        }
        if (release.StartsWith('-') || mirror?.StartsWith('-') == true)
        {
            throw new UsageException("a release and a mirror don't begin with a hyphen");
        }
        if (PosixProcess.EffectiveUser == 0 && Environment.GetEnvironmentVariable("SUDO_UID") is { Length: > 0 } and not "0")
        {
            throw new IOException("init --guest makes the disk without root, and its files shall be yours: run it again without sudo");
        }
        if (PosixProcess.EffectiveUser == 0 && FileStatus.OpenToOthers(_folder) is { } open)
        {
            throw new IOException($"{open} may be changed by others than root, so root makes no disk in {_folder}: run it as the user who shall have the VM, or in a folder of root's");
        }
        key ??= Own();
        var made = key is null ? At("key") : null;
        foreach (var path in (string?[])[.. Moves.Select(m => m.To), made, made is null ? null : $"{made}.pub"])
        {
            if (path is not null && Path.Exists(path))
            {
                throw new IOException($"{path} already exists, and init never overwrites a file: choose another name, or move it away");
            }
        }
        if (DebianDisk.Missing(makesKey: key is null).ToList() is { Count: > 0 } missing)
        {
            throw new IOException(string.Join("\n", missing));
        }
        using var interrupts = new Interrupts();
        using var folder = HeldFolder.Open(_folder);
        var work = $".{_name}-{Path.GetRandomFileName()}";
        using var inside = folder.Make(work, 0x1c0 /* 0700 */);
        try
        {
            var at = Path.Combine(_folder, work);
            if (made is not null)
            {
                _ = FinishedProgram.Run(new("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", _name, "-f", Path.Combine(at, "key")]), TimeSpan.FromMinutes(1));
                key = Path.Combine(at, "key.pub");
            }
            Console.Error.WriteLine($"microvm: making {At("img")}: Debian {release}; this downloads about 120 MB and takes some minutes");
            new DebianDisk(_name, release, mirror, PublicKey(key!), sizeGiB).Make(at);
            (string From, string To)[] moves = made is null ? Moves : [.. Moves, ("key", made), ("key.pub", $"{made}.pub")];
            foreach (var (from, to) in moves)
            {
                inside.MoveTo(from, folder, Path.GetFileName(to));
            }
        }
        finally
        {
            folder.Remove(work);
        }
        return made;
    }

    /// <summary>The person's public key, in the order in which ssh offers them.</summary>
    private static string? Own() => Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home
        ? ((string[])["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"]).Select(n => Path.Combine(home, ".ssh", n)).FirstOrDefault(File.Exists) : null;

    private static string PublicKey(string file)
    {
        var line = File.ReadLines(file).FirstOrDefault()?.Trim() ?? "";
        return line.StartsWith("ssh-", StringComparison.Ordinal) || line.StartsWith("ecdsa-", StringComparison.Ordinal) || line.StartsWith("sk-", StringComparison.Ordinal)
            ? line : throw new IOException($"{file} is no public key of OpenSSH: name one that ends in .pub");
    }
}
