using CsCheck;
using Microvm.Host.Install;
using Microvm.Host.Systemd;

namespace Microvm.Tests;

/// <summary><c>microvm host install</c> below a root of its own.</summary>
public sealed class InstallTests : IDisposable
{
    private static readonly string[] s_lines = ["allow br9", "deny virbr0", "# mine", "", "include /x"], s_bridges = ["br0", "br1", "lan"];
    private readonly string _root = Directory.CreateTempSubdirectory("microvm-install-").FullName;

    public void Dispose() => Directory.Delete(_root, true);

    private Binary.Outcome Host(string verb, params string[] more) => Binary.Microvm(["host", verb, "--root", _root, "--prefix", "/usr", .. more]);

    private string Tree() => string.Join('\n', Directory.EnumerateFileSystemEntries(_root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        .Select(p => $"{Path.GetRelativePath(_root, p)} {(File.Exists(p) ? File.ReadAllText(p) : "")}"));

    [Fact]
    public void Install_then_uninstall_leaves_what_was_there()
    {
        Directory.CreateDirectory(Path.Combine(_root, "usr/lib/systemd"));
        File.WriteAllText(Path.Combine(_root, "usr/lib/systemd/mine"), "mine");
        var before = Tree();
        Assert.Equal(0, Host("install", "--dry-run").Code);
        Assert.Equal(before, Tree());
        Assert.Equal(0, Host("install").Code);
        var installed = Tree();
        Assert.Contains("usr/lib/systemd/system/microvm@.service", installed);
        Assert.Contains("nothing to do", Host("install").Out);
        Assert.Equal(installed, Tree());
        Assert.Equal(0, Host("uninstall").Code);
        Assert.Equal(before, Tree());
        Assert.Equal(0, Host("uninstall").Code);
    }

    [Fact]
    public void A_file_of_somebody_else_is_never_overwritten_and_an_edited_one_never_deleted()
    {
        var unit = Path.Combine(_root, "usr/lib/systemd/system/microvm@.service");
        Directory.CreateDirectory(Path.GetDirectoryName(unit)!);
        File.WriteAllText(unit, "theirs");
        var before = Tree();
        var refused = Host("install");
        Assert.Equal(1, refused.Code);
        Assert.Contains("microvm@.service is in the way", refused.Err);
        Assert.Equal(before, Tree());
        File.Delete(unit);
        Assert.Equal(0, Host("install").Code);
        File.AppendAllText(unit, "# edited\n");
        Assert.Contains("edited", Host("uninstall").Out);
        Assert.EndsWith("# edited\n", File.ReadAllText(unit), StringComparison.Ordinal);
    }

    [Fact]
    public void An_upgrade_replaces_what_we_wrote()
    {
        Assert.Equal(0, Host("install").Code);
        Assert.Contains($"write  {_root}/usr/lib/systemd/system/microvm@.service", Host("install", "--stop-timeout", "30").Out);
        Assert.Contains("TimeoutStopSec=30\n", File.ReadAllText(Path.Combine(_root, "usr/lib/systemd/system/microvm@.service")));
    }

    [Fact]
    public void Whether_vms_are_watched_is_what_the_last_install_said()
    {
        var drop = Path.Combine(_root, "usr/lib/systemd/system/microvm@.service.d/watch.conf");
        Assert.Equal(0, Host("install", "--watch").Code);
        Assert.Contains("Wants=microvm-watch@%i.service", File.ReadAllText(drop), StringComparison.Ordinal);
        Assert.Contains($"remove {drop}", Host("install").Out, StringComparison.Ordinal);
        Assert.False(File.Exists(drop));
    }

    [Theory]
    [InlineData("relative")]
    [InlineData("/with space")]
    [InlineData("/line\nExecStart=/bin/evil")]
    [InlineData("/percent%i")]
    public void A_path_that_a_unit_would_read_otherwise_is_refused(string path) => Assert.Equal(2, Host("install", "--binary", path).Code);

    [Fact]
    public void No_unit_keeps_a_placeholder() => Assert.All(UnitTemplates.Names, n => Assert.DoesNotMatch("@[a-z-]+@(?!%)", UnitTemplates.Render(n, UnitSettings.Default).Replace("interfaces@%i", "").Replace("booted@%i", "").Replace("microvm@%i", "")));

    [Fact]
    public void Lines_of_others_in_bridge_conf_stay() => Gen.Select(Gen.Int[0, 4].Select(i => s_lines[i]).List[0, 6], Gen.Int[0, 2].Select(i => s_bridges[i]).List[0, 3]).Sample((lines, bridges) =>
    {
        var text = lines.Count == 0 ? null : string.Join('\n', lines) + "\n";
        var with = BridgeAcl.Update(text, bridges);
        Assert.All(bridges, b => Assert.Contains($"allow {b}\n", with));
        Assert.Equal(with, BridgeAcl.Update(with, bridges));
        var without = BridgeAcl.Update(with, []);
        Assert.Equal((text ?? "").TrimEnd('\n'), (without ?? "").TrimEnd('\n'));
    });
}
