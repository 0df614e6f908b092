using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Microvm.Tests;

/// <summary>Prometheus metrics, printed and served.</summary>
public sealed class MetricsTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _host = new();
    private readonly string _vm;

    public MetricsTests() =>
        _vm = _folder.File("vm.json", """{"networking":{"hostName":"web"},"microvm":{"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"},{"type":"user","id":"u0","mac":"02:00:00:00:00:02"}]}}""");

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    private Binary.Outcome Run(string command, params string[] rest) => Binary.Microvm([command, "--netns", _host.Name, .. rest]);

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
    public void The_page_is_written_whole_over_the_old_one_and_a_reader_of_the_old_one_keeps_it()
    {
        Assert.Equal(0, Run("up", _vm).Code);
        var file = _folder.File("microvm.prom", "old\n");
        using (var old = File.OpenText(file))
        {
            var told = Run("metrics", "-o", file, _vm);
            Assert.Equal((0, "", ""), (told.Code, told.Out, told.Err));
            Assert.Equal("old\n", old.ReadToEnd());
        }
        Assert.Equal(Run("metrics", _vm).Out, File.ReadAllText(file));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead, File.GetUnixFileMode(file));
        Assert.Equal(2, Run("metrics", "-o", file, "--listen", "127.0.0.1:0", _vm).Code);
    }

    [Fact]
    public void Root_writes_it_into_a_daemons_folder_and_follows_no_link_there()
    {
        var mine = _folder.File("mine", "mine");
        var folder = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(mine)!, "collector")).FullName;
        var file = Path.Combine(folder, "microvm.prom");
        File.CreateSymbolicLink(file, mine);
        Assert.Equal(0, Binary.Run("chown", null, "65534", folder).Code);
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var told = Run("metrics", "-o", file);
        Assert.True(told.Code == 0, told.Err);
        Assert.Equal("mine", File.ReadAllText(mine));
        IsPrometheusText(File.ReadAllText(file));
        Assert.Single(Directory.EnumerateFileSystemEntries(folder));
    }

    [Fact]
    public void The_dashboard_asks_only_for_metrics_and_labels_that_there_are()
    {
        Assert.Equal(0, Run("up", _vm).Code);
        var page = Run("metrics", _vm).Out;
        var names = Regex.Matches(page, "^# TYPE (\\S+)", RegexOptions.Multiline).Select(m => m.Groups[1].Value).ToHashSet();
        var labels = Regex.Matches(page, "[{,]([a-z_]+)=\"").Select(m => m.Groups[1].Value).ToHashSet();
        using var dashboard = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Path.Combine(Binary.Root, "docs/grafana/microvm.json")));
        var panels = dashboard.RootElement.GetProperty("panels").EnumerateArray().ToList();
        Assert.Equal(panels.Count, panels.Select(p => p.GetProperty("id").GetInt32()).Distinct().Count());
        var asked = panels.SelectMany(p => p.GetProperty("targets").EnumerateArray()).ToList();
        foreach (var expression in asked.Select(t => t.GetProperty("expr").GetString()!)
            .Concat(dashboard.RootElement.GetProperty("templating").GetProperty("list").EnumerateArray().Select(v => v.GetProperty("query").GetString()!)))
        {
            Assert.All(Regex.Matches(expression, "microvm_[a-z_]+"), m => Assert.Contains(m.Value, names));
            Assert.All(Regex.Matches(expression, "[{,]([a-z_]+)=").Select(m => m.Groups[1].Value), l => Assert.Contains(l, labels));
            Assert.All(Regex.Matches(expression, "(?:on|group_left) \\(([^)]*)\\)").SelectMany(m => m.Groups[1].Value.Split(", ")), l => Assert.Contains(l, labels));
        }
        Assert.All(asked.SelectMany(t => Regex.Matches(t.GetProperty("legendFormat").GetString()!, "\\{\\{([a-z_]+)\\}\\}")), m => Assert.Contains(m.Groups[1].Value, labels));
        // Every metric of an interface but the two that count queues is looked at.
        var all = string.Join('\n', asked.Select(t => t.GetProperty("expr").GetString()));
        Assert.All(names.Where(n => n.StartsWith("microvm_interface_", StringComparison.Ordinal) && !n.Contains("queues", StringComparison.Ordinal)), n => Assert.Contains(n, all, StringComparison.Ordinal));
    }

    [Fact]
    public void Promtool_has_nothing_to_say_against_them()
    {
        var promtool = new[] { "/usr/bin/promtool", Path.Combine(Binary.Root, "out/formats/promtool") }.FirstOrDefault(File.Exists);
        Assert.SkipUnless(promtool is not null, "tests/formats/fetch.sh fetches promtool; ./test.sh --all runs it");
        Assert.Equal(0, Run("up", _vm).Code);
        _host.Ip("link", "add", "vm-x1", "type", "veth", "peer", "name", "x");
        _host.Ip("link", "set", "vm-x1", "alias", "microvm:a\"\\\n{b}=,/vm-x1");
        foreach (var page in new[] { Run("metrics", _vm).Out, Run("metrics").Out })
        {
            IsPrometheusText(page);
            var outcome = Binary.Run(promtool, page, "check", "metrics");
            Assert.Equal((0, "", ""), (outcome.Code, outcome.Out, outcome.Err));
        }
    }

    [Fact]
    public void On_a_socket_they_are_served_to_its_owner_and_group_and_the_socket_goes_with_the_server()
    {
        var path = Path.Combine(Path.GetDirectoryName(_vm)!, "metrics.sock");
        for (var round = 0; round < 2; round++)
        {
            using var server = Process.Start(new ProcessStartInfo(Binary.Path, ["metrics", "--netns", _host.Name, "--socket", path, _vm]) { RedirectStandardError = true })!;
            Assert.Equal($"microvm: metrics at {path}", server.StandardError.ReadLine());
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite, File.GetUnixFileMode(path));
            var second = Run("metrics", "--socket", path, _vm);
            Assert.Equal((2, true), (second.Code, second.Err.Contains("already listens on")));
            using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            {
                socket.Connect(new UnixDomainSocketEndPoint(path));
                var answer = Ask(socket, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
                Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer, StringComparison.Ordinal);
                IsPrometheusText(answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
            }
            // A server that was killed leaves its socket; the next one takes the place.
            Assert.Equal(0, Binary.Run("kill", null, round == 0 ? "-KILL" : "-TERM", $"{server.Id}").Code);
            server.WaitForExit();
            Assert.Equal(round == 0, File.Exists(path));
        }
        File.WriteAllText(path, "somebody's file");
        Assert.Equal(1, Run("metrics", "--socket", path, _vm).Code);
        Assert.Equal("somebody's file", File.ReadAllText(path));
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

    [Fact]
    public void Every_counter_is_there_counts_what_crossed_and_never_goes_back()
    {
        Assert.Equal(0, Run("up", _vm).Code);
        string[] counters = [.. new[] { "bytes", "packets", "drops", "errors" }.SelectMany(c => new[] { "to_vm", "from_vm" }.Select(d => $"microvm_interface_{c}_total{{vm=\"web\",interface=\"vm-a1\",direction=\"{d}\"}}"))];
        Dictionary<string, double> Look() => Run("metrics", _vm).Out.Split('\n').Where(l => l.Length > 0 && l[0] != '#').ToDictionary(l => l[..l.LastIndexOf(' ')], l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
        _host.Ip("addr", "add", "10.9.6.1/24", "dev", "vm-a1");
        var before = Look();
        Assert.All(counters, c => Assert.Contains(c, before.Keys));
        // With room for two frames, and a reader that stands still, the rest is lost.
        _host.Ip("link", "set", "vm-a1", "txqueuelen", "2");
        using (var holder = new Holder(_host.Name, "vm-a1"))
        {
            Assert.Equal(1, Look()["microvm_interface_queues_in_use{vm=\"web\",interface=\"vm-a1\"}"]);
            Binary.Run("ip", null, "netns", "exec", _host.Name, "ping", "-q", "-b", "-c", "3", "-i", "0.01", "-W", "1", "-s", "100", "10.9.6.255");
            var after = Look();
            Assert.All(counters, c => Assert.True(after[c] >= before[c], c));
            Assert.True(after[counters[0]] >= before[counters[0]] + 142, "bytes to the VM");
            Assert.True(after[counters[2]] >= before[counters[2]] + 1, "packets to the VM");
            Assert.Equal(0, Binary.Run("kill", null, "-STOP", $"{holder.Id}").Code);
            Binary.Run("ip", null, "netns", "exec", _host.Name, "ping", "-q", "-b", "-c", "20", "-i", "0.01", "-W", "1", "10.9.6.255");
            Assert.True(Look()[counters[4]] > after[counters[4]], "drops to the VM");
        }
        Assert.Equal(1, Look()["microvm_interface_queues{vm=\"web\",interface=\"vm-a1\"}"]);
        _host.Ip("link", "set", "vm-a1", "down");
        var down = Look();
        Assert.Equal((1, 0, 1), (down["microvm_interface_state{vm=\"web\",interface=\"vm-a1\",state=\"down\"}"], down["microvm_interface_up{vm=\"web\",interface=\"vm-a1\"}"], down["microvm_interface_drift{vm=\"web\",interface=\"vm-a1\"}"]));
    }

    [Fact]
    public void Many_scrapes_at_once_are_all_answered_and_one_that_says_nothing_holds_up_nobody_for_long()
    {
        using var server = Process.Start(new ProcessStartInfo(Binary.Path, ["metrics", "--listen", "[::1]:0", _vm]) { RedirectStandardError = true })!;
        var port = int.Parse(Regex.Match(server.StandardError.ReadLine()!, @":(\d+)/metrics").Groups[1].Value);
        using var silent = new TcpClient("::1", port);
        using var half = new TcpClient("::1", port);
        half.Client.Send("GET /metr"u8);
        using (var gone = new TcpClient("::1", port))
        {
            gone.Client.Send("GET /metrics HTTP/1.1\r\n\r\n"u8);
            gone.Client.LingerState = new(true, 0);
        }
        var answers = new string[12];
        var threads = Enumerable.Range(0, answers.Length).Select(n => new Thread(() =>
        {
            using var client = new TcpClient("::1", port);
            answers[n] = Ask(client.Client, n % 2 == 0 ? "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" : "HEAD /metrics?x=1 HTTP/1.1\r\n\r\n");
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        Assert.All(answers.Index(), a =>
        {
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", a.Item, StringComparison.Ordinal);
            var body = a.Item[(a.Item.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
            Assert.Equal(a.Index % 2 == 0, body.Length > 0);
            if (body.Length > 0)
            {
                IsPrometheusText(body);
                Assert.Contains($"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n", a.Item);
            }
        });
        Assert.False(server.HasExited);
        Assert.Equal(0, Binary.Run("kill", null, "-INT", $"{server.Id}").Code);
        server.WaitForExit();
        Assert.Equal(0, server.ExitCode);
    }

    private static string Ask(int port, string request)
    {
        using var client = new TcpClient("127.0.0.1", port);
        return Ask(client.Client, request);
    }

    private static string Ask(Socket socket, string request)
    {
        socket.Send(Encoding.ASCII.GetBytes(request));
        var answer = new StringBuilder();
        var buffer = new byte[65536];
        try
        {
            for (int got; (got = socket.Receive(buffer)) > 0;)
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
