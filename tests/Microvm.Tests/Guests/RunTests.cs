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
        {"networking":{"hostName":"r"},"microvm":{"kernel":"/k","socket":null,"qemu":{"package":"{{Home}}"}{{more}} } }
        """);

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
    public void A_share_without_its_virtiofsd_is_told_with_the_daemons_command_line()
    {
        var run = Binary.Microvm("run", Declare(""","shares":[{"proto":"virtiofs","tag":"home","source":"/srv/my home","mountPoint":"/home","socket":"/nonexistent/fs.sock"}]"""));
        Assert.Equal(1, run.Code);
        Assert.Contains("the share 'home' needs a virtiofsd", run.Err);
        Assert.Contains("virtiofsd --socket-path=/nonexistent/fs.sock '--shared-dir=/srv/my home'", run.Err);
        Assert.DoesNotContain("started", run.Out);
    }
}
