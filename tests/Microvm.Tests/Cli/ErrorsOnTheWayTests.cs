using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Microvm.Linux;

namespace Microvm.Tests;

/// <summary>What runs for long outlives the kernel's errors, and looks again.</summary>
public sealed class ErrorsOnTheWayTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    private static void Until(Func<bool> reached)
    {
        for (var clock = Stopwatch.StartNew(); !reached(); Thread.Sleep(20))
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), "it takes too long");
        }
    }

    /// <summary>A refusal, events or answers that were lost, and a file that can't be read.</summary>
    private static string[] Inject(string call, string error, string when, string? path) => [.. path is null ? [] : (string[])["-P", path], "-e", $"inject={call}:error={error}:when={when}"];

    [Theory]
    [InlineData("recvfrom", "ENOMEM", "6..18", null)]
    [InlineData("recvfrom", "ENOBUFS", "6..18", null)]
    [InlineData("sendto", "ENOMEM", "4..5", null)]
    [InlineData("openat", "EIO", "3..4", "/sys/dev/char")]
    public void Watch_goes_on_after_errors_and_mends(string call, string error, string when, string? path)
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        var file = _host.Declare("a", 1, path is null ? NetworkHost.Tap("vm-a1") : NetworkHost.Macvtap("vm-a1", "eth0", "bridge"));
        _host.Done("up", file);
        // The first look is let pass; then calls in a row fail, and each failed look is tried again after a longer while.
        using var watch = Process.Start(new ProcessStartInfo("strace", ["-o", "/dev/null", .. Inject(call, error, when, path), Binary.Path, "watch", "--netns", _host.Net.Name, file]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var printed = new StringBuilder();
        watch.OutputDataReceived += (_, line) => { lock (printed) { printed.AppendLine(line.Data); } };
        watch.BeginOutputReadLine();
        try
        {
            string Printed() { lock (printed) { return printed.ToString(); } }
            Until(() => Printed().Contains("watching", StringComparison.Ordinal));
            for (var n = 0; n < 3; n++)
            {
                _host.Net.Ip("link", "delete", "vm-a1");
                Until(() => _host.Has("vm-a1"));
            }
            // A file that can't be read is told, and was no reason to end.
            Until(() => path is null || Printed().Contains($"failed   list {path}: Input/output error", StringComparison.Ordinal));
            Assert.False(watch.HasExited);
        }
        finally
        {
            watch.Kill(entireProcessTree: true);
            watch.WaitForExit();
        }
    }

    [Theory]
    // A thread's first request to the kernel, or its answer, fails while strace looks; the answer to the scrape is sent by the same call as the request.
    [InlineData(false, "sendto", "ENOMEM", null, "list the links: Cannot allocate memory")]
    [InlineData(true, "sendto", "ENOMEM", null, "list the links: Cannot allocate memory")]
    [InlineData(true, "recvfrom", "ENOBUFS", null, "list the links: No buffer space available")]
    [InlineData(true, "openat", "EIO", "/sys/dev/char", "list /sys/dev/char: Input/output error")]
    public void A_scrape_that_fails_says_why_and_the_next_one_is_answered(bool listen, string call, string error, string? path, string why)
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("vm-a1"), NetworkHost.Macvtap("vm-a2", "eth0", "bridge")));
        using var folder = new Folder();
        var socket = Path.Combine(Path.GetDirectoryName(folder.File("x", ""))!, "metrics.sock");
        // The namespace is the test's own, and so are its ports.
        var place = new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 9100);
        _host.Net.Ip("link", "set", "lo", "up");
        using var metrics = Process.Start(new ProcessStartInfo(Binary.Path, ["metrics", .. listen ? (string[])["--listen", $"{place}"] : ["--socket", socket], "--netns", _host.Net.Name]) { RedirectStandardError = true })!;
        try
        {
            Assert.Contains("metrics at", metrics.StandardError.ReadLine());
            using var strace = Process.Start(new ProcessStartInfo("strace", ["-f", "-o", "/dev/null", .. Inject(call, error, "1", path), "-p", $"{metrics.Id}"]) { RedirectStandardError = true })!;
            Assert.Contains("attached", strace.StandardError.ReadLine());
            // It listens in the namespace that it looks at.
            string Scrape() => _host.Inside(_ =>
            {
                using var client = new Socket(listen ? AddressFamily.InterNetwork : AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                client.Connect(listen ? place : new UnixDomainSocketEndPoint(socket));
                client.Send("GET /metrics HTTP/1.1\r\n\r\n"u8);
                var answer = new StringBuilder();
                var buffer = new byte[4096];
                for (int got; (got = client.Receive(buffer)) > 0;)
                {
                    answer.Append(Encoding.ASCII.GetString(buffer, 0, got));
                }
                return answer.ToString();
            });
            var first = Scrape();
            Assert.StartsWith("HTTP/1.1 503 Service Unavailable", first);
            Assert.Contains(why, first);
            Assert.Contains(why, metrics.StandardError.ReadLine());
            Assert.Equal(0, Binary.Run("kill", null, "-INT", $"{strace.Id}").Code);
            strace.WaitForExit();
            var second = Scrape();
            Assert.StartsWith("HTTP/1.1 200 OK", second);
            Assert.Contains("vm-a1", second);
        }
        finally
        {
            metrics.Kill(entireProcessTree: true);
            metrics.WaitForExit();
        }
    }

    [Theory]
    [InlineData("recvfrom", "ENOMEM", null, "list the links: Cannot allocate memory")]
    [InlineData("recvfrom", "ENOBUFS", null, "list the links: No buffer space available")]
    [InlineData("openat", "EIO", "/sys/dev/char", "list /sys/dev/char: Input/output error")]
    public void Top_shows_the_next_picture_after_one_that_could_not_be_taken(string call, string error, string? path, string why)
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("vm-a1"), NetworkHost.Macvtap("vm-a2", "eth0", "bridge")));
        var top = Binary.Run("strace", null, ["-o", "/dev/null", .. Inject(call, error, "2..3", path), Binary.Path, "top", "--batch", "--count", "4", "--interval", "0.1", "--netns", _host.Net.Name]);
        Assert.Equal(0, top.Code);
        Assert.Contains(why, top.Err);
        Assert.Equal(4, top.Out.Split("microvm top").Length - 1);
        Assert.Contains("vm-a1", top.Out);
    }

    [Fact]
    public void A_running_VM_is_talked_to_by_a_declaration_that_names_no_kernel()
    {
        using var folder = new Folder();
        var file = folder.File("vm.json", """{"networking":{"hostName":"a"},"microvm":{"socket":"/tmp/microvm-test-no-such.sock"} }""");
        var shutdown = Binary.Microvm("shutdown", file);
        Assert.Equal((0, "'a' is not running\n", ""), (shutdown.Code, shutdown.Out, shutdown.Err));
        var balloon = Binary.Microvm("balloon", file, "256");
        Assert.Equal((1, "microvm: 'a' is not running\n"), (balloon.Code, balloon.Err));
    }

    [Theory]
    [InlineData("ESRCH")]
    [InlineData("EACCES")]
    [InlineData("ENOENT")]
    public void A_process_that_ends_while_it_is_looked_at_hides_no_other(string error)
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        var file = _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "bridge"), NetworkHost.Tap("vm-a2"));
        _host.Done("up", file);
        var node = _host.Inside(route => MacvtapDevice.Find([("vm-a1", route.Find("vm-a1").Index)]).Values.Single().Path);
        using var gone = new Holder(_host.Net.Name, node);
        using var there = new Holder(_host.Net.Name, "vm-a2");
        // Its ninth descriptor is the macvtap; the look at it, after two at the node itself, fails as it does where the process has ended.
        var status = Binary.Run("strace", null, "-o", "/dev/null", "-P", $"/proc/{gone.Id}/fd/9", "-e", $"inject=statx:error={error}:when=3+", Binary.Path, "status", "--netns", _host.Net.Name, file);
        Assert.True(status.Code is 0 or 3, status.Err);
        Assert.Contains("qemu", status.Out);
    }
}
