using System.Diagnostics;

namespace Microvm.Tests;

/// <summary><c>init --guest debian</c>: a real mmdebstrap as the user nobody, who gets subordinate ids in a mount namespace. The whole way into a guest
/// downloads packages and boots twice, some minutes: with MICROVM_TEST_ALL.</summary>
public sealed class DebianGuestTests : IDisposable
{
    private const string Nobody = "65534";
    private readonly Folder _folder = new();
    private readonly string _home, _work;

    public DebianGuestTests()
    {
        _home = _folder.File("x", "")[..^2];
        _folder.File("subids", "nobody:100000:65536\n");
        File.Copy(Binary.Path, Path.Combine(_home, "microvm"));
        _work = Directory.CreateDirectory(Path.Combine(_home, "work")).FullName;
        Binary.Run("chmod", null, "-R", "a+rX", _home);
        Binary.Run("chown", null, Nobody, _work);
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>As the user nobody in the folder that is theirs; set-user-ID newuidmap works.</summary>
    private string[] AsNobody(params string[] words) => ["--mount", "sh", "-c", "mount --bind \"$0\" /etc/subuid && mount --bind \"$0\" /etc/subgid && cd \"$1\" && shift && exec \"$@\"",
        Path.Combine(_home, "subids"), _work, "setpriv", "--reuid", Nobody, "--regid", Nobody, "--clear-groups", "--", "env", $"HOME={_work}", .. words];

    private string Program => File.Exists(Binary.Path + ".dll") ? Binary.Path : Path.Combine(_home, "microvm");

    private Binary.Outcome Init(params string[] arguments) => Binary.Run("unshare", null, AsNobody([Program, "init", "--guest", "debian", .. arguments]));

    private void NothingIsThere(params string[] but) => Assert.Equal(but, Directory.EnumerateFileSystemEntries(_work).Select(Path.GetFileName));

    [Fact]
    public void Where_packages_cannot_be_fetched_mmdebstraps_words_are_seen_and_nothing_is_left()
    {
        var told = Init("web", "--mirror", "http://127.0.0.1:9/debian");
        Assert.Equal(1, told.Code);
        Assert.Contains("127.0.0.1", told.Err, StringComparison.Ordinal);
        Assert.Contains("mmdebstrap could not make the disk", told.Err, StringComparison.Ordinal);
        NothingIsThere();
    }

    [Fact]
    public void What_is_not_installed_is_named_with_what_to_type()
    {
        var told = Binary.Run("unshare", null, AsNobody("env", "PATH=/nonexistent", Program, "init", "--guest", "debian", "web"));
        Assert.Equal(1, told.Code);
        Assert.Contains("sudo apt-get install mmdebstrap", told.Err, StringComparison.Ordinal);
        NothingIsThere();
    }

    [Fact]
    public void Without_subordinate_ids_the_command_that_gives_them_is_named()
    {
        File.WriteAllText(Path.Combine(_home, "subids"), "somebody:100000:65536\n");
        var told = Init("web");
        Assert.Equal(1, told.Code);
        Assert.Contains("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 nobody", told.Err, StringComparison.Ordinal);
        NothingIsThere();
    }

    [Fact]
    public void Nothing_that_is_there_is_overwritten()
    {
        File.WriteAllText(Path.Combine(_work, "web.img"), "mine");
        var told = Init("web");
        Assert.Equal(1, told.Code);
        Assert.Contains("web.img already exists", told.Err, StringComparison.Ordinal);
        NothingIsThere("web.img");
        Assert.Equal("mine", File.ReadAllText(Path.Combine(_work, "web.img")));
    }

    [Fact]
    public void Root_makes_no_disk_where_others_may_change_what_it_writes_nor_behind_sudo()
    {
        var root = Binary.Microvm("init", "--guest", "debian", "web", "-o", Path.Combine(_work, "web.json"));
        Assert.Equal(1, root.Code);
        Assert.Contains("may be changed by others than root", root.Err, StringComparison.Ordinal);
        var sudo = Binary.Run("env", null, "SUDO_UID=1000", "SUDO_GID=1000", Binary.Path, "init", "--guest", "debian", "web", "-o", Path.Combine(_home, "web.json"));
        Assert.Equal(1, sudo.Code);
        Assert.Contains("run it again without sudo", sudo.Err, StringComparison.Ordinal);
        NothingIsThere();
    }

    [Theory]
    [InlineData("with --guest the VM's name becomes the guest's host name", "--guest", "debian", "../web")]
    [InlineData("name a file with -o", "--guest", "debian", "web", "-o", "-")]
    [InlineData("--ssh-key is about the disk that --guest makes", "web", "--ssh-key", "x")]
    [InlineData("given twice", "web", "--name", "web")]
    public void What_cannot_be_meant_is_refused(string words, params string[] arguments)
    {
        var told = Binary.Run("unshare", null, AsNobody([Program, "init", .. arguments]));
        Assert.Equal(2, told.Code);
        Assert.Contains(words, told.Err, StringComparison.Ordinal);
        NothingIsThere();
    }

    [Fact]
    public void Init_and_run_lead_to_ssh_as_an_ordinary_user_and_a_second_start_has_the_same_disk()
    {
        if (Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is not { Length: > 0 })
        {
            Assert.Skip("downloads Debian and boots it twice: ./test.sh --all");
        }
        var made = Init("web", "-o", "web.json", "--ssh-port", "2222");
        Assert.True(made.Code == 0, made.Err);
        Assert.Contains("microvm run web.json", made.Out, StringComparison.Ordinal);
        Assert.Equal(["web.img", "web.initrd", "web.json", "web.key", "web.key.pub", "web.vmlinuz"], Directory.EnumerateFiles(_work).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(string.Concat(Enumerable.Repeat("65534\n", 6)), Binary.Run("find", null, _work, "-type", "f", "-printf", "%U\n").Out);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_work, "web.img")));
        var file = Path.Combine(_work, "web.json");
        Assert.Equal(0, Binary.Microvm("check", file).Code);
        // Here alone: the machine of the tests is busy, and emulates.
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"rw\"", $"\"rw\", {string.Join(", ", GuestClock.Parameters.Select(p => $"\"{p}\""))}", StringComparison.Ordinal));

        using var near = new Namespace();
        using var far = new Namespace();
        near.Ip("link", "set", "lo", "up");
        near.Ip("link", "add", "up0", "type", "veth", "peer", "name", "far0", "netns", far.Name);
        near.Ip("addr", "add", "10.77.0.1/24", "dev", "up0");
        near.Ip("link", "set", "up0", "up");
        far.Ip("addr", "add", "10.77.0.2/24", "dev", "far0");
        far.Ip("link", "set", "far0", "up");
        var mirror = Directory.CreateDirectory(Path.Combine(_home, "mirror")).FullName;
        File.WriteAllText(Path.Combine(mirror, "Packages"), "Package: from-far-away\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nFilename: ./x.deb\nSize: 1\nSHA256: "
            + new string('0', 64) + "\nDescription: x\n\n");
        using var server = new Guest("ip", "netns", "exec", far.Name, "busybox", "httpd", "-f", "-p", "10.77.0.2:8000", "-h", mirror);

        using (var guest = Start(near))
        {
            WaitForSsh(near, guest);
            Assert.Equal("web", Ssh(near, "hostname").Out.Trim());
            Assert.True(long.Parse(Ssh(near, "df --output=size -B1 / | tail -1").Out.Trim(), System.Globalization.CultureInfo.InvariantCulture) > 7L << 30);
            Assert.Equal(0, Ssh(near, "echo it stays > /root/kept").Code);
            var update = Ssh(near, "echo 'deb [trusted=yes] http://10.77.0.2:8000/ ./' > /etc/apt/sources.list && rm -f /etc/apt/sources.list.d/* && apt-get -q update && apt-cache policy from-far-away");
            Assert.True(update.Out.Contains("http://10.77.0.2:8000", StringComparison.Ordinal) && update.Out.Contains("Candidate: 1", StringComparison.Ordinal), update.Out + update.Err);
            _ = Ssh(near, "systemctl reboot");
            Assert.Equal(0, guest.WaitForEnd());
        }
        using (var guest = Start(near))
        {
            WaitForSsh(near, guest);
            Assert.Equal("it stays", Ssh(near, "cat /root/kept").Out.Trim());
        }
    }

    private Guest Start(Namespace ns) => new("ip", ["netns", "exec", ns.Name, "unshare", .. AsNobody(Program, "run", "web.json")]);

    private Binary.Outcome Ssh(Namespace ns, string line) => Binary.Run("ip", null, ["netns", "exec", ns.Name, "ssh", "-i", Path.Combine(_work, "web.key"), "-p", "2222",
        "-o", "StrictHostKeyChecking=no", "-o", $"UserKnownHostsFile={_home}/known", "-o", "ConnectTimeout=10", "-o", "BatchMode=yes", "root@127.0.0.1", line]);

    private void WaitForSsh(Namespace ns, Guest guest)
    {
        // An emulated Debian takes a minute and a half on an idle machine.
        var limit = Stopwatch.StartNew();
        while (Ssh(ns, "true") is { Code: not 0 } refused)
        {
            Assert.True(limit.Elapsed < TimeSpan.FromMinutes(8) && Directory.Exists($"/proc/{guest.Id}"), $"{refused.Err}\n{guest.Console}");
            Thread.Sleep(500);
        }
    }
}
