using System.Text.Json;
using System.Text.RegularExpressions;

namespace Microvm.Tests;

/// <summary>What <c>microvm run</c> does before the hypervisor takes its place. The hypervisor is a script that tells what it was given.</summary>
public sealed class RunTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public RunTests()
    {
        // The name that is looked up in qemu.package.
        Directory.CreateDirectory(Path.Combine(Home, "bin"));
        var program = _folder.File("bin/qemu-system-x86_64", "#!/bin/sh\nprintf '%s\\n' \"$@\" started\n[ ! -e /proc/$$/fd/3 ] || ls -l /proc/$$/fd\n");
        File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
    }

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Home => _folder.File("x", "")[..^2];

    private string Declare(string more) => _folder.File("vm.json", $$"""
        {"networking":{"hostName":"r"},"microvm":{"kernel":"/etc/hostname","socket":null,"qemu":{"package":"{{Home}}"}{{more}} } }
        """);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void In_the_foreground_of_a_terminal_run_says_how_the_VM_is_ended(bool hasSocket)
    {
        var file = Declare("");
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"socket\":null", hasSocket ? $"\"socket\":\"{Home}/r.sock\"" : "\"socket\":null", StringComparison.Ordinal));
        using var terminal = new Screens.PseudoTerminal([Binary.Path, "run", file], 200, 40);
        Assert.Equal(0, terminal.WaitForExit(TimeSpan.FromSeconds(60)));
        var said = System.Text.Encoding.UTF8.GetString([.. terminal.Written]);
        Assert.Contains("this terminal is the guest's console", said, StringComparison.Ordinal);
        Assert.Contains(hasSocket ? $"microvm shutdown {file}" : $"kill {terminal.Pid}", said, StringComparison.Ordinal);
        Assert.DoesNotContain("the guest's console", Binary.Microvm("run", file).Err, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_a_file_with_more_VMs_one_is_chosen_by_its_name()
    {
        string Config(string id) => $$$"""{"config":{"microvm":{"hypervisor":"qemu","qemu":{"package":"{{{Home}}}"},"kernel":"/dev/null","socket":"{{{Home}}}/{{{id}}}.sock","vsock":{"cid":1{{{id[^1]}}}},"interfaces":[{"type":"user","id":"{{{id}}}","mac":"02:00:00:00:00:0{{{id[^1]}}}"}]} } }""";
        var file = _folder.File("host.json", $$"""{"microvm":{"vms":{"one":{{Config("vm-g1")}},"two":{{Config("vm-g2")}} } } }""");
        var run = Binary.Microvm("run", file, "--vm", "two");
        Assert.True(run.Code == 0, run.Err);
        Assert.Contains("02:00:00:00:00:02", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("02:00:00:00:00:01", run.Out, StringComparison.Ordinal);
        var shutdown = Binary.Microvm("shutdown", file, "--vm", "two");
        Assert.Equal((0, "'two' is not running\n"), (shutdown.Code, shutdown.Out));
        foreach (var command in (string[][])[["run", file], ["shutdown", file], ["balloon", file, "256"], ["ssh", file, "true"], ["virtiofsd", file]])
        {
            var told = Binary.Microvm(command);
            Assert.True(told.Code == 2 && told.Err.Contains($"'{command[0]}' is about one VM, and this declares more; choose one with --vm: one, two", StringComparison.Ordinal), told.Err);
            Assert.Contains("declares no VM 'three'", Binary.Microvm([.. command[..2], "--vm", "three", .. command[2..]]).Err, StringComparison.Ordinal);
        }
        foreach (var (words, said) in ((string[], string)[])[(["run", file, "--vm", "three"], "the file declares no VM 'three'; it declares: one, two")])
        {
            var told = Binary.Microvm(words);
            Assert.Equal(2, told.Code);
            Assert.Contains(said, told.Err, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_volume_is_made_once_sparse_with_its_file_system_and_label()
    {
        var image = Path.Combine(Home, "da ta.img");
        var file = Declare($$""","volumes":[{"image":"{{image}}","size":64,"fsType":"ext4","label":"my 'data'","mkfsExtraArgs":["-m","0"]}]""");
        var run = Binary.Microvm("run", file);
        Assert.True(run.Code == 0, run.Err);
        Assert.Contains("started", run.Out);
        Assert.Equal(64 * 1024 * 1024, new FileInfo(image).Length);
        Assert.True(int.Parse(Binary.Run("stat", null, "-c", "%b", image).Out) * 512L < 16 * 1024 * 1024);
        var features = Binary.Run("dumpe2fs", null, "-h", image).Out;
        Assert.Contains("my 'data'", features);
        Assert.Matches("Reserved block count: +0\n", features);
        var first = File.GetLastWriteTimeUtc(image);
        Assert.Equal(0, Binary.Microvm("run", file).Code);
        Assert.Equal(first, File.GetLastWriteTimeUtc(image));
    }

    [Fact]
    public void A_volume_that_can_not_be_made_leaves_nothing_and_the_VM_is_not_started()
    {
        var image = Path.Combine(Home, "data.img");
        var run = Binary.Microvm("run", Declare($$""","volumes":[{"image":"{{image}}","size":8,"fsType":"ext4","mkfsExtraArgs":["--nonsense"]}]"""));
        Assert.Equal(1, run.Code);
        Assert.Contains("mkfs.ext4 could not format", run.Err);
        Assert.DoesNotContain("started", run.Out);
        Assert.Empty(Directory.EnumerateFiles(Home, "data.img*"));
    }

    [Fact]
    public void PreStart_runs_as_written_before_the_hypervisor()
    {
        var run = Binary.Microvm("run", Declare(""","preStart":"a='x  y'\necho \"pre $a\" | tr p P" """));
        Assert.True(run.Code == 0, run.Err);
        Assert.StartsWith("Pre x  y\n", run.Out);
        Assert.Contains("started", run.Out);
    }

    [Fact]
    public void A_preStart_that_fails_keeps_the_VM_from_starting()
    {
        var run = Binary.Microvm("run", Declare(""","preStart":"false\necho never" """));
        Assert.Equal(1, run.Code);
        Assert.Contains("microvm.preStart failed with exit code 1", run.Err);
        Assert.DoesNotContain("never", run.Out);
        Assert.DoesNotContain("started", run.Out);
    }

    [Fact]
    public void What_extraArgsScript_prints_becomes_words_and_is_not_read_as_shell_again()
    {
        var run = Binary.Microvm("run", Declare(""","extraArgsScript":"echo '-device' 'x,y=$(id)' '*'" """));
        Assert.True(run.Code == 0, run.Err);
        Assert.EndsWith("-device\nx,y=$(id)\n*\nstarted\n", run.Out);
    }

    [Fact]
    public void The_queues_of_a_macvtap_are_inherited_from_descriptor_3_on_and_nothing_else_is()
    {
        _ns.Ip("link", "add", "low0", "type", "veth", "peer", "name", "far0");
        var file = Declare(""","vcpu":2,"interfaces":[{"type":"macvtap","id":"vm-r","mac":"02:00:00:00:00:01","macvtap":{"link":"low0","mode":"bridge"}}]""");
        Assert.Equal(0, Binary.Microvm("up", "--user", "root", "--netns", _ns.Name, file).Code);
        var run = Binary.Microvm("run", "--netns", _ns.Name, file);
        Assert.True(run.Code == 0, run.Err);
        Assert.Contains("fds=3:4", run.Out);
        // The script itself is open in its shell, under 10 or higher.
        var open = Regex.Matches(run.Out, " ([0-9]+) -> (.*)$", RegexOptions.Multiline).Where(m => int.Parse(m.Groups[1].Value) is > 2 and < 10).ToList();
        Assert.Equal(["3", "4"], open.Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal));
        Assert.All(open, m => Assert.Contains("tap", m.Groups[2].Value));
    }

    [Fact]
    public void A_share_without_its_virtiofsd_is_told_with_the_command_that_starts_it()
    {
        var file = Declare(""","shares":[{"proto":"virtiofs","tag":"home","source":"/srv/my home","mountPoint":"/home","socket":"/nonexistent/fs.sock"}]""");
        var run = Binary.Microvm("run", file);
        Assert.Equal(1, run.Code);
        Assert.Contains("the share 'home' needs a virtiofsd", run.Err);
        Assert.Contains($"sudo microvm virtiofsd {file}", run.Err);
        Assert.DoesNotContain("started", run.Out);
    }

    [Fact]
    public void A_declared_user_is_become_before_the_first_of_the_declarations_own_lines()
    {
        Assert.Equal(0, Binary.Run("chmod", null, "-R", "a+rX", Home).Code);
        var run = Binary.Microvm("run", Declare(""","user":"nobody","preStart":"id -un; grep CapPrm /proc/self/status" """));
        Assert.True(run.Code == 0, run.Err);
        Assert.StartsWith("nobody\nCapPrm:\t0000000000000000\n", run.Out);
        Assert.Contains("started", run.Out);
    }

    [Fact]
    public void Who_is_not_root_is_told_that_the_declared_user_can_not_be_become()
    {
        Assert.SkipWhen(File.Exists($"{Binary.Path}.dll"), "a managed build can't be copied alone");
        var file = Declare(""","user":"daemon" """);
        var binary = Path.Combine(Home, "microvm");
        File.Copy(Binary.Path, binary);
        Assert.Equal(0, Binary.Run("chmod", null, "-R", "a+rX", Home).Code);
        var run = Binary.Run("setpriv", null, "--reuid", "65534", "--regid", "65534", "--clear-groups", binary, "run", file);
        Assert.Equal(1, run.Code);
        Assert.Contains("only root can become another user", run.Err);
        var unknown = Binary.Microvm("run", Declare(""","user":"nobody-of-that-name" """));
        Assert.Equal(1, unknown.Code);
        Assert.Contains("there is no user 'nobody-of-that-name' on this host", unknown.Err);
        Assert.DoesNotContain("started", run.Out + unknown.Out);
    }

    [Fact]
    public void A_dry_run_tells_what_would_be_done_and_does_nothing_of_it()
    {
        _ns.Ip("link", "add", "low0", "type", "veth", "peer", "name", "far0");
        var image = Path.Combine(Home, "data.img");
        var file = Declare($$""","vcpu":2,"user":"nobody","preStart":"touch {{Home}}/pre","extraArgsScript":"touch {{Home}}/extra","volumes":[{"image":"{{image}}","size":64}],"interfaces":[{"type":"macvtap","id":"vm-r","mac":"02:00:00:00:00:01","macvtap":{"link":"low0","mode":"bridge"} }]""");
        string Files() => string.Join('\n', Directory.GetFileSystemEntries(Home).Order());
        var before = (Files(), _ns.Links());
        var missing = Binary.Microvm("run", "--dry-run", "--netns", _ns.Name, file);
        Assert.Equal(1, missing.Code);
        Assert.Contains("the macvtap 'vm-r' is not there; make it with: sudo microvm up", missing.Out);
        Assert.Equal(before, (Files(), _ns.Links()));

        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, file).Code);
        var links = _ns.Links();
        var json = Binary.Microvm("run", "--dry-run", "--json", "--netns", _ns.Name, file);
        Assert.True(json.Code == 0, json.Out + json.Err);
        using var told = JsonDocument.Parse(json.Out);
        var start = told.RootElement;
        Assert.Equal("nobody", start.GetProperty("user").GetString());
        Assert.Empty(start.GetProperty("missing").EnumerateArray());
        Assert.Equal([(3, "vm-r", 0), (4, "vm-r", 1)], start.GetProperty("descriptors").EnumerateArray()
            .Select(d => (d.GetProperty("descriptor").GetInt32(), d.GetProperty("interface").GetString()!, d.GetProperty("queue").GetInt32())));
        Assert.Equal(image, start.GetProperty("volumes")[0].GetProperty("image").GetString());
        Assert.Equal($"touch {Home}/pre", start.GetProperty("preStart").GetString());
        var command = JsonSerializer.Deserialize<string[]>(Binary.Microvm("command", "--json", file).Out);
        Assert.Equal(command, start.GetProperty("command").EnumerateArray().Select(w => w.GetString()!));
        var plain = Binary.Microvm("run", "--dry-run", "--netns", _ns.Name, file);
        Assert.Contains("open     descriptor 4: queue 1 of vm-r", plain.Out);
        Assert.Contains("start    ", plain.Out);
        Assert.Equal((before.Item1, links), (Files(), _ns.Links()));
    }

    [Theory]
    [InlineData("\"qemu\":{\"package\":\"/nonexistent\"}", "there is no /nonexistent/bin/qemu-system-x86_64, which is to run 'r'; set microvm.qemu.package to what has it, or leave that out")]
    [InlineData("\"hypervisor\":\"crosvm\"", "there is no crosvm on the PATH, which is to run 'r'; install it, or set microvm.crosvm.package")]
    [InlineData("\"initrdPath\":\"/nonexistent/initrd\"", "there is no '/nonexistent/initrd', from which 'r' starts (microvm.initrdPath)")]
    public void A_program_or_a_file_that_is_not_there_is_told_before_anything_is_done(string option, string told)
    {
        var image = Path.Combine(Home, "made.img");
        var file = _folder.File("vm.json", $$"""
            {"networking":{"hostName":"r"},"microvm":{"kernel":"/etc/hostname","socket":null,{{option}},"volumes":[{"image":"{{image}}","size":8}] } }
            """);
        var (run, dry) = (Binary.Run("env", null, "-C", Home, "PATH=/usr/bin:/bin", Binary.Path, "run", file), Binary.Run("env", null, "-C", Home, "PATH=/usr/bin:/bin", Binary.Path, "run", "--dry-run", file));
        Assert.Equal((1, 1), (run.Code, dry.Code));
        Assert.Contains(told, run.Err, StringComparison.Ordinal);
        Assert.Contains(told, dry.Out, StringComparison.Ordinal);
        Assert.False(File.Exists(image));
    }

    [Theory]
    [InlineData("slirp4netns", "slirp4netns did not join")]
    [InlineData("unshare", "no namespace for you")]
    public void A_user_network_that_can_not_be_had_leaves_no_folder_behind(string broken, string why)
    {
        File.SetUnixFileMode(_folder.File(broken, "#!/bin/sh\necho no namespace for you >&2\nexit 1\n"), (UnixFileMode)0b111_101_101);
        var temporary = Directory.CreateDirectory(Path.Combine(Home, "tmp")).FullName;
        var file = Declare(""","interfaces":[{"type":"user","id":"vm-r","mac":"02:00:00:00:00:01"}]""");
        var run = Binary.Run("env", null, $"TMPDIR={temporary}", $"PATH={Home}:{Environment.GetEnvironmentVariable("PATH")}", Binary.Path, "run", "--attachment", "vm-r=user-namespace", file);
        Assert.Equal(1, run.Code);
        Assert.Contains(why, run.Err);
        Assert.DoesNotContain("started", run.Out);
        // With unshare gone it is the companion that tidies up, a moment later.
        for (var n = 0; n < 400 && Directory.EnumerateFileSystemEntries(temporary, "microvm-*").Any(); n++)
        {
            Thread.Sleep(50);
        }
        Assert.Empty(Directory.EnumerateFileSystemEntries(temporary, "microvm-*"));
    }
}
