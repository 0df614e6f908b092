using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>status, topology and metrics of links that carry VMs' aliases, and what a terminal shows of check and plan.</summary>
public sealed class ObservingTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly Folder _folder = new();
    private readonly Namespace _host = new();
    private readonly string _vm;

    public ObservingTests()
    {
        _vm = _folder.File("vm.json", """{"networking":{"hostName":"web"},"microvm":{"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01","bridge":"br0"},{"type":"user","id":"u0","mac":"02:00:00:00:00:02"}]}}""");
        _host.Ip("link", "add", "br0", "type", "bridge");
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

    [Fact]
    public void Topology_draws_the_declaration_and_the_host()
    {
        Assert.Contains("br0 (bridge)\n└─ vm-a1 (tap, 02:00:00:00:00:01)\n   └─ web (qemu", Binary.Microvm("topology", _vm).Out);
        Assert.Equal(0, Run("up", _vm).Code);
        Assert.Matches(@"br0 \(bridge, \w+\)\n└─ vm-a1 \(tap, up\)\n   └─ web \(not running\)", Run("topology", "--host").Out);
        Assert.Equal(2, Binary.Microvm("topology").Code);
        Assert.Equal(2, Binary.Microvm("topology", _vm, "--dot", "--svg").Code);
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

    [Fact]
    public void Metrics_are_prometheus_text()
    {
        Assert.Equal(0, Run("up", _vm).Code);
        var page = Run("metrics", _vm).Out;
        IsPrometheusText(page);
        Assert.Contains("microvm_interface_up{vm=\"web\",interface=\"vm-a1\"} 1\n", page);
        Assert.Contains("microvm_interface_drift{vm=\"web\",interface=\"vm-a1\"} 0\n", page);
        _host.Ip("link", "del", "vm-a1");
        Assert.Contains("microvm_interface_drift{vm=\"web\",interface=\"vm-a1\"} 1\n", Run("metrics", _vm).Out);
    }

    [Fact]
    public void Metrics_are_served_on_loopback_and_nowhere_else_unasked()
    {
        using var server = Process.Start(new ProcessStartInfo(Binary.Path, ["metrics", "--listen", "127.0.0.1:0", _vm]) { RedirectStandardError = true })!;
        var port = int.Parse(Regex.Match(server.StandardError.ReadLine()!, @":(\d+)/metrics").Groups[1].Value);
        Assert.Contains("400", Ask(port, "nonsense\r\n\r\n"));
        Assert.Contains("405", Ask(port, "POST /metrics HTTP/1.1\r\n\r\n"));
        Assert.Contains("404", Ask(port, "GET /etc/passwd HTTP/1.1\r\n\r\n"));
        Assert.StartsWith("HTTP/1.1 400", Ask(port, new string('x', 10000)), StringComparison.Ordinal);
        var answer = Ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4", answer, StringComparison.Ordinal);
        IsPrometheusText(answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        Assert.Equal(0, Binary.Run("kill", null, "-TERM", $"{server.Id}").Code);
        server.WaitForExit();
        Assert.Equal(0, server.ExitCode);
        Assert.Equal(2, Binary.Microvm("metrics", "--listen", "0.0.0.0:0").Code);
    }

    private static string Ask(int port, string request)
    {
        using var client = new TcpClient("127.0.0.1", port);
        client.Client.Send(Encoding.ASCII.GetBytes(request));
        var answer = new StringBuilder();
        var buffer = new byte[65536];
        try
        {
            for (int got; (got = client.Client.Receive(buffer)) > 0;)
            {
                answer.Append(Encoding.UTF8.GetString(buffer, 0, got));
            }
        }
        catch (SocketException)
        {
            // What was not read of too long a request resets the connection.
        }
        return answer.ToString();
    }

    /// <summary>Strict: every family with HELP and TYPE before its samples, once; every label quoted; no sample twice.</summary>
    private static void IsPrometheusText(string page)
    {
        Assert.EndsWith("\n", page, StringComparison.Ordinal);
        var family = "";
        var families = new HashSet<string>();
        var samples = new HashSet<string>();
        foreach (var line in page.Split('\n')[..^1])
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                family = line.Split(' ')[2];
                Assert.True(families.Add(family), line);
            }
            else if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                Assert.Matches($"^# TYPE {family} (gauge|counter)$", line);
                Assert.Equal(family.EndsWith("_total", StringComparison.Ordinal), line.EndsWith(" counter", StringComparison.Ordinal));
            }
            else
            {
                var sample = Regex.Match(line, """^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\}) (\d+)$""");
                Assert.True(sample.Success, line);
                Assert.Equal(family, sample.Groups[1].Value);
                Assert.True(samples.Add(sample.Groups[1].Value + sample.Groups[2].Value), line);
            }
        }
        Assert.Contains("microvm_interface_bytes_total", families);
    }
}
