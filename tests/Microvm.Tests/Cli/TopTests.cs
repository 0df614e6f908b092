using System.Diagnostics;
using System.Text.RegularExpressions;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>top on a real terminal, over links that carry VMs' aliases.</summary>
public sealed class TopTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly Namespace _host = new(), _guest = new();
    private readonly List<Process> _traffic = [];

    public TopTests()
    {
        foreach (var (vm, id, n) in new[] { ("web", "vm-a1", 1), ("db", "vm-b1", 2) })
        {
            _host.Ip("link", "add", id, "type", "veth", "peer", "name", $"eth{n}", "netns", _guest.Name);
            _host.Ip("link", "set", id, "up", "alias", $"microvm:{vm}/{id}");
            _guest.Ip("link", "set", $"eth{n}", "up");
            _host.Ip("addr", "add", $"10.9.{n}.1/24", "dev", id);
            _guest.Ip("addr", "add", $"10.9.{n}.2/24", "dev", $"eth{n}");
        }
    }

    public void Dispose()
    {
        foreach (var traffic in _traffic)
        {
            traffic.Kill();
            traffic.Dispose();
        }
        _host.Dispose();
        _guest.Dispose();
    }

    private PseudoTerminal Top(int columns, int rows, params string[] more) =>
        new([Binary.Path, "top", "--netns", _host.Name, "--interval", "0.2", .. more], columns, rows);

    /// <summary>Until the test ends, however it does.</summary>
    private void Traffic(int n) =>
        _traffic.Add(Process.Start(new ProcessStartInfo("ip", ["netns", "exec", _host.Name, "ping", "-q", "-i", "0.02", "-s", "1000", $"10.9.{n}.2"]) { RedirectStandardOutput = true })!);

    private static bool Shows(PseudoTerminal terminal, Func<string, bool> condition) => terminal.ReadUntil(s => s.IsAlternate && condition(s.Text), s_limit);

    private static void IsRestored(PseudoTerminal terminal, byte[] before)
    {
        Assert.False(terminal.Screen.IsAlternate);
        Assert.True(terminal.Screen.CursorShown);
        Assert.True(terminal.Screen.Wraps);
        Assert.Equal("", terminal.Screen.Text);
        Assert.Equal(before, terminal.Settings());
    }

    [Theory]
    [InlineData(80)]
    [InlineData(200)]
    public void It_shows_rates_within_the_terminal_and_q_gives_the_terminal_back(int columns)
    {
        Traffic(1);
        using var top = Top(columns, 24);
        var before = top.SettingsBefore;
        Assert.True(Shows(top, t => Regex.IsMatch(t, @"vm-a1 .* \d+(\.\d+)? kB") && t.Contains('█')), top.Screen.Text);
        Assert.False(top.Screen.Overflowed);
        Assert.NotEqual(before, top.Settings());
        // The busiest comes first.
        Assert.True(top.Screen.Text.IndexOf("vm-a1", StringComparison.Ordinal) < top.Screen.Text.IndexOf("vm-b1", StringComparison.Ordinal));
        Assert.Contains("F10Quit", top.Screen.Text.Replace(" ", "", StringComparison.Ordinal));
        top.Send("q");
        Assert.Equal(0, top.WaitForExit(s_limit));
        IsRestored(top, before);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(15)]
    [InlineData(1)]
    [InlineData(3)]
    public void A_signal_gives_the_terminal_back(int signal)
    {
        using var top = Top(100, 30);
        var before = top.SettingsBefore;
        Assert.True(Shows(top, t => t.Contains("vm-a1")), top.Screen.Text);
        top.Signal(signal);
        Assert.Equal(0, top.WaitForExit(s_limit));
        IsRestored(top, before);
    }

    [Fact]
    public void Ctrl_C_gives_the_terminal_back()
    {
        using var top = Top(100, 30);
        var before = top.SettingsBefore;
        Assert.True(Shows(top, t => t.Contains("vm-a1")), top.Screen.Text);
        top.Send("\x03");
        Assert.Equal(0, top.WaitForExit(s_limit));
        IsRestored(top, before);
    }

    [Fact]
    public void Ctrl_Z_gives_the_terminal_back_until_it_goes_on()
    {
        using var top = Top(100, 30);
        var before = top.SettingsBefore;
        Assert.True(Shows(top, t => t.Contains("vm-a1")), top.Screen.Text);
        top.Send("\x1a");
        Assert.True(top.ReadUntil(s => !s.IsAlternate, s_limit));
        while (!File.ReadAllText($"/proc/{top.Pid}/stat").Contains(") T ", StringComparison.Ordinal))
        {
            Thread.Sleep(10);
        }
        Assert.Equal(before, top.Settings());
        top.Signal(18);
        Assert.True(Shows(top, t => t.Contains("vm-a1")), top.Screen.Text);
        top.Send("q");
        Assert.Equal(0, top.WaitForExit(s_limit));
        IsRestored(top, before);
    }

    [Fact]
    public void Keys_sort_filter_select_and_help()
    {
        Traffic(1);
        using var top = Top(120, 24, "--sort", "interface");
        Assert.True(Shows(top, t => t.Contains("INTERFACEv")), top.Screen.Text);
        top.Send("I");
        Assert.True(Shows(top, t => t.Contains("INTERFACE^") && t.IndexOf("vm-b1", StringComparison.Ordinal) < t.IndexOf("vm-a1", StringComparison.Ordinal)), top.Screen.Text);
        top.Send("IP");
        Assert.True(Shows(top, t => t.Contains("PKTS/sv") && t.IndexOf("vm-a1", StringComparison.Ordinal) < t.IndexOf("vm-b1", StringComparison.Ordinal)), top.Screen.Text);
        // F6, as an xterm sends it, goes on to the next order.
        top.Send("\e[17~");
        Assert.True(Shows(top, t => t.Contains("DROPS/sv")), top.Screen.Text);
        top.Send("\e[B");
        Assert.True(top.ReadUntil(s => Enumerable.Range(0, s.Rows - 1).Any(r => s[r, 0].Pen.Reverse && s.Lines[r].Contains("vm-")), s_limit), top.Screen.Text);
        top.Send("/db\r");
        Assert.True(Shows(top, t => t.Contains("filter: db") && !t.Contains("vm-a1")), top.Screen.Text);
        top.Send("?");
        Assert.True(Shows(top, t => t.Contains("any key goes back")), top.Screen.Text);
        top.Send("x");
        Assert.True(Shows(top, t => t.Contains("vm-b1")), top.Screen.Text);
        top.Send("\e[21~");
        Assert.Equal(0, top.WaitForExit(s_limit));
    }

    [Fact]
    public void A_new_size_is_taken_at_once()
    {
        using var top = new PseudoTerminal([Binary.Path, "top", "--netns", _host.Name, "--interval", "30"], 150, 30);
        Assert.True(Shows(top, t => t.Contains("vm-a1") && t.Contains("F10")), top.Screen.Text);
        top.Resize(60, 10);
        Assert.True(top.ReadUntil(s => s.Lines[9].StartsWith("F1", StringComparison.Ordinal) && s.Text.Contains("vm-b1"), s_limit), top.Screen.Text);
        Assert.False(top.Screen.Overflowed);
        top.Send("q");
        Assert.Equal(0, top.WaitForExit(s_limit));
    }

    [Fact]
    public void Without_colour_nothing_is_coloured()
    {
        using var top = new PseudoTerminal([Binary.Path, "top", "--netns", _host.Name], 100, 24, ("NO_COLOR", "1"));
        Assert.True(Shows(top, t => t.Contains("vm-a1")), top.Screen.Text);
        top.Send("q");
        Assert.Equal(0, top.WaitForExit(s_limit));
        Assert.DoesNotMatch(@"\e\[[0-9;]*m", System.Text.Encoding.UTF8.GetString([.. top.Written]));
    }

    [Fact]
    public void In_a_pipe_it_prints_plain_frames()
    {
        var outcome = Binary.Microvm("top", "--netns", _host.Name, "--interval", "0.1", "--count", "2");
        Assert.Equal(0, outcome.Code);
        Assert.Equal(2, outcome.Out.Split("microvm top - ").Length - 1);
        Assert.DoesNotContain('\e', outcome.Out);
        var once = Binary.Microvm("top", "--netns", _host.Name, "--interval", "0.1", "--once");
        Assert.Matches(@"(?m)^web +vm-a1 +up +veth +- +[\d.]+ k?B +[\d.]+ k?B +[\d.]+ +0 +0", once.Out);
        Assert.Equal(2, Binary.Microvm("top", "--sort", "luck").Code);
        Assert.Equal(2, Binary.Microvm("top", "--interval", "0").Code);
    }
}
