namespace Microvm.Tests;

/// <summary>The Debian package.</summary>
public sealed class DebTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-deb-").FullName;
    public void Dispose() => Directory.Delete(_folder, true);

    private static string Good(params string[] words)
    {
        var outcome = Binary.Run(words[0], null, words[1..]);
        Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
        return outcome.Out;
    }

    private static string Build() => Path.Combine(Binary.Root, Good(Path.Combine(Binary.Root, "scripts", "deb.sh")).Trim());

    [Fact]
    public void The_package_has_what_a_host_needs_and_keeps_to_Debians_rules()
    {
        var deb = Build();
        Good("dpkg-deb", "--raw-extract", deb, _folder + "/root");
        var root = _folder + "/root";
        var files = Directory.GetFiles(root, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(root, f)).ToHashSet();
        Assert.Superset(new HashSet<string>
        {
            "usr/bin/microvm", "usr/lib/systemd/system/microvm@.service", "usr/lib/systemd/system/microvm-interfaces@.service", "usr/lib/sysusers.d/microvm.conf", "usr/lib/tmpfiles.d/microvm.conf",
            "usr/share/man/man1/microvm.1.gz", "usr/share/bash-completion/completions/microvm", "usr/share/zsh/vendor-completions/_microvm", "usr/share/fish/vendor_completions.d/microvm.fish",
            "usr/share/doc/microvm/copyright", "usr/share/doc/microvm/changelog.gz", "usr/share/doc/microvm/README.md", "usr/share/doc/microvm/docs/README.md",
        }, files);
        // Everything below /usr, as root's, writable by root only.
        Assert.All(files, f => Assert.True(f.StartsWith("usr/", StringComparison.Ordinal) || f.StartsWith("DEBIAN/", StringComparison.Ordinal), f));
        foreach (var line in Good("dpkg-deb", "--contents", deb).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Assert.Contains(" root/root ", line, StringComparison.Ordinal);
            Assert.True(line[0] == 'l' || (line[5] == '-' && line[8] == '-' && !line[..10].Contains('s')), line);
        }
        // The manuals and the changelog carry no time of the build.
        Assert.All(files.Where(f => f.EndsWith(".gz", StringComparison.Ordinal)), f => Assert.Equal([0, 0, 0, 0], File.ReadAllBytes(Path.Combine(root, f))[4..8]));
        Assert.Contains("ExecStop=-/usr/bin/microvm host release %i", File.ReadAllText(Path.Combine(root, "usr/lib/systemd/system/microvm-interfaces@.service")), StringComparison.Ordinal);
        foreach (var script in (string[])["postinst", "prerm", "postrm"])
        {
            Assert.StartsWith("#!/bin/sh\nset -e\n", File.ReadAllText($"{root}/DEBIAN/{script}"), StringComparison.Ordinal);
            Good("sh", "-n", $"{root}/DEBIAN/{script}");
        }
        var copyright = File.ReadAllText($"{root}/usr/share/doc/microvm/copyright");
        Assert.Contains("\nLicense: Expat\n Permission is hereby granted", copyright, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"(?m)^\S(?!.*: )", copyright);
        Good("env", "-C", root, "md5sum", "--check", "--quiet", "DEBIAN/md5sums");
        Assert.Equal(files.Count(f => !f.StartsWith("DEBIAN/", StringComparison.Ordinal) && new FileInfo(Path.Combine(root, f)).LinkTarget is null), File.ReadAllLines($"{root}/DEBIAN/md5sums").Length);
        Assert.Equal(["microvm", Good("dpkg", "--print-architecture").Trim()], Good("dpkg-deb", "--field", deb, "Package", "Architecture").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(": ")[1]));
        // No library beyond what it depends on: the C library and its companions.
        var needed = Good("ldd", $"{root}/usr/bin/microvm").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Trim().Split(' ')[0].Split('/')[^1]);
        Assert.Empty(needed.Except(["linux-vdso.so.1", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"]));
    }

    [Fact]
    public void It_installs_on_a_clean_Debian_runs_and_leaves_nothing_when_purged()
    {
        if (Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is null)
        {
            Assert.Skip("A Debian of its own is some minutes' work: ./test.sh --all");
        }
        var told = Good(Path.Combine(Binary.Root, "tests/deb/clean.sh"), Build(), Path.Combine(Binary.Root, "out/debian")).Split('\n').Select(l => l.Split(": ", 2)).Where(l => l.Length == 2).ToDictionary(l => l[0], l => l[1].Trim());
        Assert.Contains("systemd", told["dependencies"].Split(' '));
        Assert.Matches(@"^\d+\.\d+\.\d+", told["version"]);
        Assert.Contains("all right", told["check"], StringComparison.Ordinal);
        Assert.Equal("uid=(microvm) gid=(microvm) groups=(microvm),(kvm)", told["user"]);
        Assert.Equal("0 complaints", told["units"]);
        // A package must not delete a group that others share with it.
        Assert.Equal(("kvm", ""), (told["groups"], told["users"]));
        Assert.Empty(told["left"].Split(' ', StringSplitOptions.RemoveEmptyEntries).Except(["./etc/group", "./etc/group-", "./etc/gshadow", "./etc/gshadow-", "./etc/passwd-", "./etc/shadow-"]));
    }
}
