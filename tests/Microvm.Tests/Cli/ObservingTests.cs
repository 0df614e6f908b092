using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>status and topology of links that carry VMs' aliases, and what a terminal shows of check and plan.</summary>
public sealed class ObservingTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly Folder _folder = new();
    private readonly Namespace _host = new();
    private readonly string _vm;

    public ObservingTests()
    {
        _vm = _folder.File("vm.json", """{"networking":{"hostName":"web"},"microvm":{"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01","bridge":"br0"},{"type":"user","id":"u0","mac":"02:00:00:00:00:02"}]}}""");
        _host.Ip("link", "add", "br0", "up", "type", "bridge");
    }

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    private Binary.Outcome Run(string command, params string[] rest) => Binary.Microvm([command, "--netns", _host.Name, .. rest]);

    private PseudoTerminal OnTerminal(int columns, params string[] arguments) => new([Binary.Path, .. arguments], columns, 40);

    [Fact]
    public void Status_tells_missing_up_and_drifted_and_the_exit_code_tells_scripts()
    {
        Assert.Matches(@"(?m)^web +vm-a1 +missing", Run("status", _vm).Out);
        Assert.Equal(3, Run("status", "--exit-code", _vm).Code);
        Assert.Equal(0, Run("up", _vm).Code);
        Assert.Equal(0, Run("status", "--exit-code", _vm).Code);
        _host.Ip("link", "set", "vm-a1", "nomaster");
        var drifted = Run("status", "--exit-code", _vm);
        Assert.Equal(3, drifted.Code);
        Assert.Contains("drifted: vm-a1 of web:", drifted.Out);
        Assert.DoesNotContain('\e', drifted.Out);
    }

    [Fact]
    public void Status_names_the_process_that_holds_a_tap_open()
    {
        Assert.Equal(0, Run("up", _vm).Code);
        using var holder = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", _host.Name, "qemu-system-x86_64", "-nodefaults", "-display", "none", "-M", "none", "-netdev", "tap,id=n,ifname=vm-a1,script=no,downscript=no"]))!;
        var limit = Stopwatch.StartNew();
        JsonElement tap;
        do
        {
            tap = JsonDocument.Parse(Run("status", "--json", _vm).Out).RootElement[0];
        }
        while (tap.GetProperty("holders").GetArrayLength() == 0 && limit.Elapsed < s_limit && !holder.HasExited);
        holder.Kill();
        Assert.Equal(holder.Id, tap.GetProperty("holders")[0].GetProperty("pid").GetInt32());
        Assert.StartsWith("qemu-system", tap.GetProperty("holders")[0].GetProperty("name").GetString(), StringComparison.Ordinal);
        Assert.Equal(1, tap.GetProperty("queuesInUse").GetInt32());
        Assert.Equal("br0", tap.GetProperty("bridge").GetString());
    }

    [Theory]
    [InlineData(40)]
    [InlineData(80)]
    [InlineData(200)]
    public void A_table_fits_its_terminal(int columns)
    {
        Assert.Equal(0, Run("up", _vm).Code);
        using var terminal = OnTerminal(columns, "status", "--netns", _host.Name, _vm);
        Assert.Equal(0, terminal.WaitForExit(s_limit));
        Assert.False(terminal.Screen.Overflowed, terminal.Screen.Text);
        Assert.Matches(@"(?m)^web +vm-a1 +up", terminal.Screen.Text);
        Assert.Equal(columns == 200, terminal.Screen.Lines[0].Contains("MAC", StringComparison.Ordinal));
        Assert.Equal(2, terminal.Screen[1, terminal.Screen.Lines[0].IndexOf("STATE", StringComparison.Ordinal)].Pen.Foreground);
    }

    [Fact]
    public void Check_underlines_what_is_wrong_on_a_terminal_and_stays_plain_in_a_pipe()
    {
        var file = _folder.File("bad.nix", "{\n  microvm.interfaces = [ { type = \"tap\"; id = \"a\"; mac = \"02:00:00:00:00:01\"; brigde = \"br0\"; } ];\n}\n");
        using var terminal = OnTerminal(120, "check", file);
        Assert.Equal(2, terminal.WaitForExit(s_limit));
        var lines = terminal.Screen.Lines;
        var mark = Enumerable.Range(0, lines.Count).First(i => lines[i].Contains('^'));
        Assert.Equal("^~~~~~", lines[mark].Trim(' ', '|'));
        Assert.Equal("brigde", lines[mark - 1].Substring(lines[mark].IndexOf('^'), 6));
        Assert.Equal((1, true), (terminal.Screen[mark, lines[mark].IndexOf('^')].Pen.Foreground, terminal.Screen[mark, lines[mark].IndexOf('^')].Pen.Bold));
        var plain = Binary.Microvm("check", file).Out;
        Assert.Matches(@"^\S+bad\.nix:2:\d+: error: [^\e\n]+\n$", plain);
        using var dull = new PseudoTerminal([Binary.Path, "check", file], 120, 40, ("NO_COLOR", "1"));
        dull.WaitForExit(s_limit);
        Assert.DoesNotContain((byte)'\e', dull.Written);
    }

    [Fact]
    public void A_plan_has_signs_on_a_terminal()
    {
        using var terminal = OnTerminal(100, "plan", "--netns", _host.Name, _vm);
        Assert.Equal(0, terminal.WaitForExit(s_limit));
        var row = terminal.Screen.Lines.Index().First(l => l.Item.Contains("vm-a1", StringComparison.Ordinal));
        Assert.Matches(@"^ *\+ create", row.Item);
        Assert.Equal(2, terminal.Screen[row.Index, row.Item.IndexOf('+')].Pen.Foreground);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(200)]
    public void Status_watch_shows_rates_as_they_come_and_gives_the_terminal_back(int columns)
    {
        Assert.Equal(0, Run("up", _vm).Code);
        _host.Ip("addr", "add", "10.9.8.1/24", "dev", "br0");
        _host.Ip("link", "set", "br0", "up");
        using var terminal = OnTerminal(columns, "status", "--watch", "--interval", "0.2", "--netns", _host.Name, _vm);
        var before = terminal.SettingsBefore;
        Assert.True(terminal.ReadUntil(s => s.IsAlternate && s.Text.Contains("TO VM/s"), s_limit), terminal.Screen.Text);
        Assert.True(terminal.ReadUntil(s => Regex.IsMatch(s.Text, @"(?m)^web +vm-a1 +up .* 0 B +0 B"), s_limit), terminal.Screen.Text);
        // What a guest would be sent: the bridge floods a question to each of its ports that somebody holds.
        using (var holder = new Holder(_host.Name, "vm-a1"))
        using (var pings = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", _host.Name, "ping", "-q", "-b", "-i", "0.02", "10.9.8.255"]) { RedirectStandardOutput = true, RedirectStandardError = true })!)
        {
            Assert.True(terminal.ReadUntil(s => Regex.IsMatch(s.Text, $@"(?m)^web +vm-a1 +up .* {holder.Id} qemu.* [1-9][\d.]* k?B +0 B"), s_limit), terminal.Screen.Text);
            pings.Kill();
        }
        Assert.False(terminal.Screen.Overflowed, terminal.Screen.Text);
        _host.Ip("link", "del", "vm-a1");
        Assert.True(terminal.ReadUntil(s => Regex.IsMatch(s.Text, @"(?m)^web +vm-a1 +missing") && s.Text.Contains("missing: vm-a1 of web"), s_limit), terminal.Screen.Text);
        terminal.Send("q");
        Assert.Equal(0, terminal.WaitForExit(s_limit));
        Assert.Equal((false, true), (terminal.Screen.IsAlternate, terminal.Screen.CursorShown));
        Assert.Equal(before, terminal.Settings());
    }

    [Fact]
    public void Status_watch_in_a_pipe_is_a_plain_table_or_a_line_of_JSON_each_time_and_ends_with_its_reader()
    {
        Assert.Equal(0, Run("up", _vm).Code);
        string First(string more, int lines) => Binary.Run("bash", null, "-c", $"\"$0\" status --watch --interval 0.1 --netns \"$1\" {more} \"$2\" | head -n {lines}; [ \"${{PIPESTATUS[0]}}\" = 0 ]", Binary.Path, _host.Name, _vm) is { Code: 0 } outcome ? outcome.Out : "";
        var reports = First("--json", 3).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement[0]).ToList();
        Assert.Equal(3, reports.Count);
        Assert.Equal(JsonValueKind.Null, reports[0].GetProperty("toVm").GetProperty("bytesPerSecond").ValueKind);
        Assert.Equal(0, reports[2].GetProperty("toVm").GetProperty("bytesPerSecond").GetDouble());
        var plain = First("", 8);
        Assert.Equal(2, Regex.Count(plain, @"(?m)^VM +INTERFACE +STATE .*TO VM/s"));
        Assert.DoesNotContain('\e', plain);
    }

    [Fact]
    public void Topology_draws_the_declaration_and_the_host()
    {
        Assert.Contains("br0 (bridge)\n└─ vm-a1 (tap, 02:00:00:00:00:01)\n   └─ web (qemu", Binary.Microvm("topology", _vm).Out);
        Assert.Equal(0, Run("up", _vm).Code);
        Assert.Matches(@"br0 \(bridge, \w+\)\n└─ vm-a1 \(tap, up\)\n   └─ web \(not running\)", Run("topology", "--host").Out);
        // Without a declaration it is what is on the host; with one, what of it is not as it should be.
        Assert.Equal(Run("topology", "--host").Out, Run("topology").Out);
        Assert.Contains("1 VM, 2 interfaces</text>", Run("topology", "--svg", _vm).Out);
        _host.Ip("link", "set", "vm-a1", "down");
        Assert.Contains("└─ vm-a1 (tap, 02:00:00:00:00:01, down)", Run("topology", _vm).Out);
        Assert.Contains("1 VM, 2 interfaces, 1 down</text>", Run("topology", "--svg", _vm).Out);
        Assert.Contains("class=\"box down\"", Run("topology", "--svg", _vm).Out);
        _host.Ip("link", "del", "vm-a1");
        // Nothing of it is there any more: it is drawn as declared.
        Assert.Contains("1 VM, 2 interfaces, as declared</text>", Run("topology", "--svg", _vm).Out);
        Assert.Equal(2, Binary.Microvm("topology", _vm, "--host").Code);
        Assert.Equal(2, Binary.Microvm("topology", _vm, "--dot", "--svg").Code);
    }

    [Fact]
    public void Mermaids_own_parser_reads_the_flowchart_whatever_the_names_are()
    {
        var script = Path.Combine(Binary.Root, "out/formats/mermaid.js");
        Assert.SkipUnless(Directory.Exists(Path.Combine(Path.GetDirectoryName(script)!, "node_modules/mermaid")), "tests/formats/fetch.sh fetches Mermaid; ./test.sh --all runs it");
        _host.Ip("link", "add", "vm-x1", "type", "veth", "peer", "name", "x");
        _host.Ip("link", "set", "vm-x1", "alias", "microvm:end a\"]<b>&;`\\--%%{}é/vm-x1");
        Assert.Equal(0, Run("up", _vm).Code);
        foreach (var (text, labels) in new[]
        {
            (Run("topology", "--host", "--mermaid").Out, new[] { "br0", "vm-a1", "web", "this host", "vm-x1", "end a\"]<b>&;`\\--%%{}é" }),
            (Binary.Microvm("topology", "--mermaid", _vm).Out, ["br0", "vm-a1", "this host's sockets", "u0", "web"]),
        })
        {
            var outcome = Binary.Run("node", text, script);
            Assert.True(outcome.Code == 0, outcome.Err);
            var chart = JsonDocument.Parse(outcome.Out).RootElement;
            Assert.Equal(labels.Order(StringComparer.Ordinal), chart.GetProperty("labels").EnumerateArray().Select(l => l.GetString()!.Split("<br>")[0]).Order(StringComparer.Ordinal));
            Assert.Equal(4, chart.GetProperty("edges").GetArrayLength());
            Assert.Contains("vm", chart.GetProperty("kinds").EnumerateArray().Select(k => k.GetString()));
        }
    }

    [Fact]
    public void Topology_is_read_by_graphviz_and_by_an_xml_reader_whatever_the_names_are()
    {
        _host.Ip("link", "add", "vm-x1", "type", "veth", "peer", "name", "x");
        _host.Ip("link", "set", "vm-x1", "alias", "microvm:a\"]<b>&;\\--%%{\n}/vm-x1");
        var dot = Binary.Run("dot", Run("topology", "--host", "--dot").Out, "-Tsvg");
        Assert.True(dot.Code == 0, dot.Err);
        var svg = _folder.File("out.svg", "old");
        Assert.Equal(0, Run("topology", "--host", "--svg", "-o", svg).Code);
        var document = new XmlDocument();
        document.Load(svg);
        Assert.Contains("<b>&;", document.InnerText);
        Assert.Equal("svg", document.DocumentElement!.Name);
        var mermaid = Run("topology", "--host", "--mermaid").Out;
        Assert.StartsWith("flowchart LR\n", mermaid, StringComparison.Ordinal);
        Assert.All(mermaid.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1), l => Assert.Matches("^  (n\\d+\\[\"[^\"\\[\\]{}\\\\&]*\"\\]:::[a-z]+|n\\d+ --- n\\d+|classDef [a-z]+ .*)$", l));
    }
}
