using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Microvm.Host.Systemd;
using Microvm.Linux;

namespace Microvm.Tests.Attacks;

/// <summary>The programs that we start: what they print is read in one place, which bounds it in time and in size.</summary>
public sealed partial class ProgramTests
{
    /// <summary>Where a program is started by hand, and what bounds it there.</summary>
    private static readonly (string File, string Why)[] s_byHand =
    [
        ("src/Microvm.Linux/SearchPath.cs", "the start itself"),
        ("src/Microvm.Linux/FinishedProgram.cs", "the one place"),
        ("src/Microvm.Nix/NixEvaluation.cs", "nix, whose evaluation may be ended by what it printed so far: BoundedText and a limit (NixProcessTests)"),
        ("src/Microvm.Host/State/FlakeBuild.cs", "nix builds for hours; its answer has a size, its words are told with what a terminal obeys spelled out (flake.sh)"),
        ("src/Microvm.Network/Networks/NetworkProgram.cs", "lends capabilities to what it starts; FinishedProgram reads it"),
        ("src/Microvm.Host/Systemd/Systemctl.cs", "FinishedProgram reads it, or it speaks to the terminal for as long as the person likes: systemctl, journalctl --follow"),
        ("src/Microvm.Host/Run/UserScript.cs", "FinishedProgram reads it; microvm.preStart speaks to the terminal"),
        ("src/Microvm.Host/State/Boot.cs", "the runner's own scripts, in a unit with limits of systemd's, into the journal"),
        ("src/Microvm.Cli/Guests/DebianDisk.cs", "mmdebstrap downloads, and tells the person how far it is; Ctrl-C ends it"),
        ("src/Microvm.Host/Run/UserNetwork.cs", "a companion that lives as long as the VM; a pipe of bounded reads tells that it is ready"),
        ("src/Microvm.Host/Run/UserNetworkCompanion.cs", "slirp4netns, as long as the VM; the same"),
        ("src/Microvm.Host/Run/VirtiofsDaemons.cs", "virtiofsd, as long as the VM; into the journal"),
        ("src/Microvm.Cli/OfferedConnection.cs", "ourselves, as the ssh that asks for the connection lives; nothing of it is read"),
        ("src/Microvm.Host/GuestConsole/ConsoleJob.cs", "the hypervisor itself; its console goes through ConsoleRelay"),
    ];

    [Fact]
    public void What_a_program_prints_is_read_in_one_place()
    {
        var folder = Path.Combine(Binary.Root, "src");
        var found = Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/", StringComparison.Ordinal))
            .Where(f => Started().IsMatch(File.ReadAllText(f))).Select(f => Path.GetRelativePath(Binary.Root, f)).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(s_byHand.Select(b => b.File).Order(StringComparer.Ordinal), found);
    }

    [GeneratedRegex(@"SearchPath\.Start\(|Process\.Start\(|\.StandardOutput\.|\.StandardError\.")]
    private static partial Regex Started();

    private static ProcessStartInfo Shell(string line) => new("sh", ["-c", line]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };

    [Theory]
    [InlineData("exec yes", "printed more than 1 MiB")]
    [InlineData("exec yes >&2", "printed more than 1 MiB")]
    [InlineData("yes | cat", "printed more than 1 MiB")]
    [InlineData("exec sleep 1000", "did not end within 1 s")]
    [InlineData("exec >&- 2>&-; exec sleep 1000", "did not end within 1 s")]
    [InlineData("sleep 1000 & exit 0", "did not end within 1 s")]
    [InlineData("while :; do printf x; sleep 0.1; done", "did not end within 1 s")]
    public void A_program_without_end_is_ended(string line, string says)
    {
        var told = Assert.Throws<IOException>(() => FinishedProgram.Run(Shell($"exec 2>&1; {line}"), TimeSpan.FromSeconds(1), 1024 * 1024));
        Assert.Contains(says, told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_reads_nothing_of_much_and_one_that_is_not_there()
    {
        Assert.Equal(3, FinishedProgram.Run(Shell("exit 3"), TimeSpan.FromSeconds(10), input: new string('x', 1 << 22)).Code);
        Assert.Equal("ab", FinishedProgram.Run(Shell("cat"), TimeSpan.FromSeconds(10), input: "ab").Output);
        Assert.Throws<Win32Exception>(() => FinishedProgram.Run(new("no-such-program"), TimeSpan.FromSeconds(10)));
    }

    /// <summary>All of a unit's state may come to a terminal.</summary>
    [Fact]
    public void What_systemd_says_of_a_unit_is_spelled_out_and_cut()
    {
        var unit = UnitState.Parse($"Id=microvm@web.service\nActiveState=\u001b]0;x\u0007\nSubState={new string('y', 100_000)}\nMainPID=99999999999999\nNRestarts=-1\nResult=\u202e")[0];
        Assert.Equal("\\u{1b}]0;x\\u{7}", unit.Active);
        Assert.InRange(unit.Sub.Length, 1, 600);
        Assert.Equal("\\u{202e}", unit.Result);
        Assert.Equal(0, unit.MainPid);
    }
}
