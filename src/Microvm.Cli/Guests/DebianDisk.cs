using System.Diagnostics;
using System.Globalization;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Linux;

namespace Microvm.Cli.Guests;

/// <summary>A root disk with Debian on it, and the kernel and initial RAM disk that boot it, made by mmdebstrap: an ordinary user's in a user namespace.</summary>
/// <param name="Release">Debian's word for it: <c>bookworm</c>, <c>stable</c>.</param>
/// <param name="Mirror">Where the packages come from; null for Debian's own mirrors.</param>
/// <param name="Key">The line of a public key that may log in as root.</param>
/// <param name="SizeGiB">How large the disk looks to the guest, whose file system grows to that at its first boot; the file is sparse.</param>
internal sealed record DebianDisk(string Name, string Release, string? Mirror, string Key, int SizeGiB)
{
    private const string Packages = "linux-image-cloud-amd64,systemd-sysv,systemd-resolved,dbus,udev,openssh-server,iproute2,iputils-ping,ca-certificates";

    /// <summary>Runs as root of the namespace with the new system's root folder as its argument; mmdebstrap has /proc, /sys and /dev mounted below it then,
    /// so the disk is filled from a bind mount, which leaves them out.</summary>
    private const string Finish = """
        set -eu
        root=$1
        PATH=$PATH:/usr/sbin:/sbin
        echo "$MICROVM_NAME" > "$root/etc/hostname"
        printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$MICROVM_NAME" > "$root/etc/hosts"
        echo 'LABEL=root / ext4 errors=remount-ro,x-systemd.growfs 0 1' > "$root/etc/fstab"
        printf '[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n' > "$root/etc/systemd/network/80-dhcp.network"
        chroot "$root" systemctl --quiet enable systemd-networkd systemd-resolved
        login=$root/etc/systemd/system/serial-getty@.service.d
        mkdir -p "$login"
        printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200,57600,38400,9600 - $TERM\n' > "$login/autologin.conf"
        mkdir -p "$root/root/.ssh"
        chmod 700 "$root/root/.ssh"
        echo "$MICROVM_KEY" > "$root/root/.ssh/authorized_keys"
        chmod 600 "$root/root/.ssh/authorized_keys"
        : > "$root/etc/machine-id"
        rm -rf "$root"/var/lib/dbus/machine-id "$root"/var/cache/apt/archives/*.deb
        out=$(mktemp -d)
        trap 'umount "$out/root" 2>/dev/null || true; rm -rf "$out"' EXIT
        mkdir "$out/root"
        mount --bind "$root" "$out/root"
        used=$(du -sxm "$out/root" | cut -f 1)
        mke2fs -q -t ext4 -L root -d "$out/root" "$out/disk" "$((used * 5 / 4 + 200))M"
        umount "$out/root"
        rmdir "$out/root"
        cp -L "$root/vmlinuz" "$out/kernel"
        cp -L "$root/initrd.img" "$out/initrd"
        mv "$out" "$root/microvm"
        """;

    /// <summary>Makes the three files, owned by the user of this process, in a folder that is there.</summary>
    /// <exception cref="IOException">mmdebstrap failed; its words went to standard error.</exception>
    internal void Make(string folder)
    {
        // What follows copy-out is split into words as a shell would.
        List<string> words = ["--variant=minbase", $"--include={Packages}", "--format=null", $"--customize-hook={Finish}",
            $"--customize-hook=copy-out /microvm/disk /microvm/kernel /microvm/initrd {Shell.Quote(folder)}", Release, "-"];
        if (PosixProcess.EffectiveUser != 0)
        {
            words.Insert(0, "--mode=unshare");
        }
        if (Mirror is not null)
        {
            words.Add(Mirror);
        }
        var start = new ProcessStartInfo("mmdebstrap", words);
        start.Environment["MICROVM_NAME"] = Name;
        start.Environment["MICROVM_KEY"] = Key;
        using var process = SearchPath.Start(start);
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new IOException($"mmdebstrap could not make the disk (its words are above; exit code {process.ExitCode}); nothing was written");
        }
        var path = Path.Combine(folder, "disk");
        // The guest's private keys are on it.
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var disk = File.OpenWrite(path);
        disk.SetLength(Math.Max(disk.Length, (long)SizeGiB << 30));
    }

    /// <summary>What is missing on this host to make one, each with what to type.</summary>
    /// <param name="makesKey">Whether a pair of keys has to be made too.</param>
    internal static IEnumerable<string> Missing(bool makesKey)
    {
        (string Program, string Package, bool Needed)[] programs = [("mmdebstrap", "mmdebstrap", true), ("mke2fs", "e2fsprogs", true),
            ("newuidmap", "uidmap", PosixProcess.EffectiveUser != 0), ("ssh-keygen", "openssh-client", makesKey)];
        var missing = programs.Where(p => p.Needed && SearchPath.Find(p.Program) is null && !File.Exists($"/usr/sbin/{p.Program}") && !File.Exists($"/sbin/{p.Program}")).ToList();
        if (missing.Count > 0)
        {
            yield return $"there is no {string.Join(", no ", missing.Select(m => m.Program))} on this host; install with: sudo apt-get install {string.Join(' ', missing.Select(m => m.Package))}";
        }
        if (PosixProcess.EffectiveUser is not 0 and var user)
        {
            var number = user.ToString(CultureInfo.InvariantCulture);
            var name = AccountFile.Entries(AccountFile.Users).FirstOrDefault(f => f[2] == number)?[0] ?? number;
            // subuid(5): by name or by number.
            if (((string[])["/etc/subuid", "/etc/subgid"]).Any(f => !File.Exists(f) || !File.ReadLines(f).Any(l => l.StartsWith($"{name}:", StringComparison.Ordinal) || l.StartsWith($"{number}:", StringComparison.Ordinal))))
            {
                yield return $"user {name} has no range of subordinate ids, which a user namespace takes; give it one with: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {Shell.Quote(name)}";
            }
        }
    }

    /// <summary>This host's own release where it is a Debian, whose keys for it are installed; else <c>stable</c>.</summary>
    internal static string UsualRelease()
    {
        try
        {
            var values = File.ReadLines("/etc/os-release").Select(l => l.Split('=', 2)).Where(p => p.Length == 2).ToLookup(p => p[0], p => p[1].Trim('"'));
            return values["ID"].FirstOrDefault() == "debian" && values["VERSION_CODENAME"].FirstOrDefault() is { Length: > 0 } name ? name : "stable";
        }
        catch (IOException)
        {
            return "stable";
        }
    }
}
