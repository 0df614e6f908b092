using System.Diagnostics;

namespace Microvm.Tests;

/// <summary>A real systemd in a container of its own, over an overlay of this machine's files; booted once for all tests of a
/// collection, with the host installed in it.</summary>
public sealed class SystemdHost : IDisposable
{
    private static readonly string s_scripts = Path.Combine(Binary.Root, "tests", "systemd");
    private readonly string _disk = Directory.CreateTempSubdirectory("microvm-systemd-").FullName;
    private Process? _boot;

    /// <summary>Where the guest's kernel and initrd stand inside.</summary>
    public const string Guest = "/var/lib/microvm-guest";

    /// <summary>The package of the stand-ins of hypervisors, inside.</summary>
    public const string StandIns = "/usr/local/standins";

    /// <summary>Where our Nix files stand inside, for a flake.</summary>
    public const string Flake = "/var/lib/microvm-flake";

    private string _pid = "";

    public SystemdHost()
    {
        try
        {
            Good(Binary.Run(Path.Combine(s_scripts, "prepare.sh"), null, _disk));
            Directory.CreateDirectory(Path.Combine(_disk, "upper/usr/local/bin"));
            File.Copy(Binary.Path, Path.Combine(_disk, "upper/usr/local/bin/microvm"));
            // The units see no /tmp but their own, and a checkout may stand there.
            Directory.CreateDirectory(Path.Combine(_disk, $"upper{Guest}"));
            foreach (var file in (string[])["vmlinuz", "initrd"])
            {
                File.Copy(Path.Combine(Binary.Root, "out/guest", file), Path.Combine(_disk, $"upper{Guest}", file));
            }
            Directory.CreateDirectory(Path.Combine(_disk, $"upper{StandIns}"));
            Good(Binary.Run("cp", null, "-r", Path.Combine(StandIn.Folder, "bin"), Path.Combine(_disk, $"upper{StandIns}/bin")));
            Directory.CreateDirectory(Path.Combine(_disk, $"upper{Flake}"));
            Good(Binary.Run("cp", null, "-r", Path.Combine(Binary.Root, "nix"), Path.Combine(_disk, $"upper{Flake}/nix")));
            Boot();
            Microvm("host", "install");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Boots the disk; files of an earlier boot are there.</summary>
    private void Boot()
    {
        _boot = Process.Start(new ProcessStartInfo(Path.Combine(s_scripts, "boot.sh"), [_disk]))!;
        Until("a systemd that is up", () =>
        {
            _pid = Children(_boot.Id).SelectMany(Children).FirstOrDefault("");
            return _pid.Length > 0 && Run("systemctl", "is-system-running").Out.Trim() is "running" or "degraded";
        });
    }

    /// <summary>Ends all that runs inside, as a power cut would after a stop, and boots the same disk.</summary>
    public void Reboot()
    {
        PowerOff();
        Boot();
    }

    internal Binary.Outcome Run(params string[] words) => Binary.Run(Inside[0], null, [.. Inside[1..], .. words]);

    /// <summary>The words before those of a program that runs inside.</summary>
    internal string[] Inside => ["nsenter", "-t", _pid, "-a", "--"];

    /// <summary>Runs a program inside that must succeed.</summary>
    public string Do(params string[] words) => Good(Run(words));

    public string Microvm(params string[] arguments) => Do(["/usr/local/bin/microvm", .. arguments]);

    public void Write(string path, string text) => Good(Binary.Run("nsenter", text, "-t", _pid, "-a", "--", "cp", "/dev/stdin", path));

    public string Property(string unit, string name) => Do("systemctl", "show", "--value", $"--property={name}", unit).Trim();

    /// <summary>The index of a link inside, or null where there is none.</summary>
    public string? Index(string link) => Run("cat", $"/sys/class/net/{link}/ifindex") is { Code: 0 } found ? found.Out.Trim() : null;

    public void Until(string what, Func<bool> isSo)
    {
        var limit = Stopwatch.StartNew();
        while (!isSo())
        {
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(90), $"waited in vain for {what}{(_pid.Length > 0 ? "\n" + Run("journalctl", "--no-pager", "-n", "60").Out : "")}");
            Thread.Sleep(50);
        }
    }

    public void Dispose()
    {
        PowerOff();
        Binary.Run("umount", null, "-l", _disk);
        Directory.Delete(_disk);
    }

    private void PowerOff()
    {
        if (_boot is { } boot)
        {
            // boot.sh ends all that runs inside and its cgroups.
            Binary.Run("kill", null, boot.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
            boot.WaitForExit();
            boot.Dispose();
        }
        (_boot, _pid) = (null, "");
    }

    private static IEnumerable<string> Children(int pid) => Children(pid.ToString(System.Globalization.CultureInfo.InvariantCulture));

    private static IEnumerable<string> Children(string pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/task/{pid}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static string Good(Binary.Outcome outcome)
    {
        Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
        return outcome.Out;
    }
}

[CollectionDefinition(nameof(SystemdHost))]
public sealed class SystemdHosts : ICollectionFixture<SystemdHost>;
