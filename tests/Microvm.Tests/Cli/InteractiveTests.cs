using System.Text;
using System.Text.RegularExpressions;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>The live views and the questions on terminals of all sorts: small, old, dumb, stopped, resized.</summary>
public sealed class InteractiveTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly NetworkHost _host = new();
    private readonly string _vm;

    public InteractiveTests()
    {
        _vm = _host.Declare("web", 1, [.. Enumerable.Range(10, 20).Select(n => NetworkHost.Tap($"vm-a{n}"))]);
        _host.Done("up", _vm);
    }

    public void Dispose() => _host.Dispose();

    private PseudoTerminal On(int columns, int rows, string command, params (string, string?)[] environment) =>
        new([Binary.Path, .. command.Split(' '), "--netns", _host.Net.Name, .. command.StartsWith("status", StringComparison.Ordinal) ? [_vm] : Array.Empty<string>()], columns, rows, environment);

    private static void Shows(PseudoTerminal terminal, Func<string, bool> condition) =>
        Assert.True(terminal.ReadUntil(s => s.IsAlternate && condition(s.Text), s_limit), terminal.Screen.Text);

    private static void Ends(PseudoTerminal terminal, string keys)
    {
        terminal.Send(keys);
        Assert.Equal(0, terminal.WaitForExit(s_limit));
        Assert.Equal((false, true, true, ""), (terminal.Screen.IsAlternate, terminal.Screen.CursorShown, terminal.Screen.Wraps, terminal.Screen.Text));
        Assert.Equal(terminal.SettingsBefore, terminal.Settings());
    }

    [Theory]
    [InlineData("top --interval 0.2", 40, 10)]
    [InlineData("top --interval 0.2", 20, 5)]
    [InlineData("top --interval 0.2", 5, 2)]
    [InlineData("status --watch --interval 0.2", 40, 10)]
    [InlineData("status --watch --interval 0.2", 20, 5)]
    [InlineData("status --watch --interval 0.2", 5, 3)]
    public void In_the_smallest_terminal_it_stays_within_it_and_the_way_out_works(string command, int columns, int rows)
    {
        using var terminal = On(columns, rows, command);
        Shows(terminal, t => t.Length > 0);
        Assert.True(terminal.ReadUntil(_ => Encoding.UTF8.GetString([.. terminal.Written]).Split("\e[H").Length > 3, s_limit));
        Assert.False(terminal.Screen.Overflowed, terminal.Screen.Text);
        Ends(terminal, "q");
    }

    [Fact]
    public void At_40_columns_top_keeps_interface_rates_help_and_the_way_out()
    {
        using var terminal = On(40, 12, "top --interval 0.2");
        Shows(terminal, t => Regex.IsMatch(t, @"(?m)^web  vm-a10 +0 B +0 B$") && t.Contains("F1Help") && t.Contains("F10Quit"));
        Ends(terminal, "q");
    }

    [Fact]
    public void Status_watch_tells_what_had_no_room_and_takes_a_new_size_at_once()
    {
        using var terminal = On(80, 10, "status --watch --interval 30");
        Shows(terminal, t => t.Contains("vm-a17") && !t.Contains("vm-a19") && Regex.IsMatch(t, @"q quits; no room for \d+ more lines"));
        terminal.Resize(120, 40);
        Shows(terminal, t => t.Contains("vm-a29") && !t.Contains("more line"));
        terminal.Resize(60, 8);
        Assert.True(terminal.ReadUntil(s => s.Lines[7].StartsWith("q quits; no room", StringComparison.Ordinal), s_limit), terminal.Screen.Text);
        Ends(terminal, "q");
    }

    [Theory]
    [InlineData("\x03")]
    [InlineData("\e")]
    [InlineData("\e[21~")]
    public void Status_watch_ends_by_Ctrl_C_Esc_and_F10(string keys)
    {
        using var terminal = On(100, 30, "status --watch --interval 30");
        Shows(terminal, t => t.Contains("vm-a10"));
        Ends(terminal, keys);
    }

    [Fact]
    public void Status_watch_stops_at_Ctrl_Z_and_goes_on()
    {
        using var terminal = On(100, 30, "status --watch --interval 0.5");
        Shows(terminal, t => t.Contains("vm-a10"));
        terminal.Send("\x1a");
        Assert.True(terminal.ReadUntil(s => !s.IsAlternate, s_limit));
        while (!File.ReadAllText($"/proc/{terminal.Pid}/stat").Contains(") T ", StringComparison.Ordinal))
        {
            Thread.Sleep(10);
        }
        Assert.Equal(terminal.SettingsBefore, terminal.Settings());
        terminal.Signal(18);
        Shows(terminal, t => t.Contains("vm-a10"));
        Ends(terminal, "q");
    }

    [Fact]
    public void Top_pauses_until_it_is_told_to_go_on()
    {
        using var terminal = On(100, 30, "top --interval 0.1");
        Shows(terminal, t => t.Contains("vm-a10") && t.Contains("20 up"));
        terminal.Send(" ");
        Shows(terminal, t => t.Contains("paused") && t.Contains("Go on"));
        _host.Net.Ip("link", "set", "vm-a10", "down");
        var frames = terminal.Written.Count;
        // Keys still draw, with what was seen before.
        terminal.Send("I");
        Assert.True(terminal.ReadUntil(_ => terminal.Written.Count > frames + 1000, s_limit));
        Assert.Contains("20 up", terminal.Screen.Text);
        terminal.Send(" ");
        Shows(terminal, t => t.Contains("19 up, 1 down") && !t.Contains("paused"));
        Ends(terminal, "\e[21~");
    }

    [Theory]
    [InlineData("top --interval 0.1", "microvm top - ")]
    [InlineData("status --watch --interval 0.1", "vm-a10")]
    public void A_dumb_terminal_gets_lines_and_no_sequence(string command, string says)
    {
        using var terminal = On(80, 200, command, ("TERM", "dumb"));
        Assert.True(terminal.ReadUntil(_ => Encoding.UTF8.GetString([.. terminal.Written]).Split(says).Length > 2, s_limit), terminal.Screen.Text);
        terminal.Signal(2);
        Assert.Equal(0, terminal.WaitForExit(s_limit));
        Assert.DoesNotContain((byte)'\e', terminal.Written);
        Assert.All(Encoding.UTF8.GetString([.. terminal.Written]).Split("\r\n"), l => Assert.True(l.Length <= 80, l));
    }

    [Fact]
    public void A_vt100_gets_only_what_it_knows_and_ASCII_where_it_knows_no_more()
    {
        using var terminal = On(80, 24, "top --interval 0.1", ("TERM", "vt100"), ("LC_ALL", "C"), ("NO_COLOR", "1"));
        Shows(terminal, t => t.Contains("vm-a10") && t.Contains("F10Quit"));
        Ends(terminal, "q");
        var written = Encoding.UTF8.GetString([.. terminal.Written]);
        Assert.True(written.All(char.IsAscii), written);
        // Cursor home, clearing, and private modes, which one that does not know them passes over.
        Assert.DoesNotMatch(@"\e(?!\[(H|K|J|2J|\?\d+[hl]))", written);
    }

    [Theory]
    [InlineData("\x03")]
    [InlineData("\x04")]
    public void Init_that_is_left_at_a_question_writes_nothing(string keys)
    {
        var folder = Directory.CreateTempSubdirectory("microvm-init-").FullName;
        using (var terminal = new PseudoTerminal(["env", "-C", folder, Binary.Path, "init"], 80, 24))
        {
            Assert.True(terminal.ReadUntil(s => s.Text.Contains("Name of the VM [vm]:"), s_limit), terminal.Screen.Text);
            terminal.Send("web\r");
            Assert.True(terminal.ReadUntil(s => s.Text.Contains("[qemu]:"), s_limit), terminal.Screen.Text);
            terminal.Send(keys);
            Assert.NotEqual(0, terminal.WaitForExit(s_limit));
            Assert.Equal(terminal.SettingsBefore, terminal.Settings());
        }
        Assert.Empty(Directory.GetFiles(folder));
        Directory.Delete(folder);
    }
}
