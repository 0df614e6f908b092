using System.Buffers.Binary;
using System.Diagnostics;

namespace Microvm.Tests;

/// <summary>Real pings over a link that carries a VM's alias, captured and read by tcpdump.</summary>
public sealed class CaptureTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _host = new(), _guest = new();

    public CaptureTests()
    {
        _host.Ip("link", "add", "vm-a1", "type", "veth", "peer", "name", "eth0", "netns", _guest.Name);
        _host.Ip("link", "set", "vm-a1", "up", "alias", "microvm:web/vm-a1");
        _guest.Ip("link", "set", "eth0", "up");
        _host.Ip("addr", "add", "10.9.8.1/24", "dev", "vm-a1");
        _guest.Ip("addr", "add", "10.9.8.2/24", "dev", "eth0");
    }

    public void Dispose()
    {
        _host.Dispose();
        _guest.Dispose();
        _folder.Dispose();
    }

    private Process Start(params string[] arguments) => StartIn(_host, arguments);

    private static Process StartIn(Namespace host, params string[] arguments)
    {
        var process = Process.Start(new ProcessStartInfo(Binary.Path, ["capture", "--netns", host.Name, .. arguments]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        // The packet socket is in the kernel's list, so what is sent now is captured.
        var limit = Stopwatch.StartNew();
        while (!process.HasExited && limit.Elapsed < TimeSpan.FromSeconds(30) && Binary.Run("ip", null, "netns", "exec", host.Name, "cat", "/proc/net/packet").Out.Split('\n').Length < 3)
        {
            Thread.Sleep(20);
        }
        return process;
    }

    private void Ping(int count, params string[] more) =>
        Assert.Equal(0, Binary.Run("ip", null, ["netns", "exec", _host.Name, "ping", "-q", "-i", "0.01", "-c", $"{count}", .. more, "10.9.8.2"]).Code);

    private static void Signal(Process process, string signal) => Assert.Equal(0, Binary.Run("kill", null, $"-{signal}", $"{process.Id}").Code);

    [Fact]
    public void What_crosses_the_interface_is_read_by_tcpdump()
    {
        var file = _folder.File("c.pcapng", "");
        using var capture = Start("web/vm-a1", "-o", file);
        Ping(3);
        Signal(capture, "INT");
        var told = capture.StandardError.ReadToEnd();
        capture.WaitForExit();
        Assert.Equal(0, capture.ExitCode);
        Assert.Contains("captured from vm-a1, 0 dropped", told);
        var read = Binary.Run("tcpdump", null, "-nr", file);
        Assert.Equal(0, read.Code);
        Assert.Equal(3, Count(read.Out, "10.9.8.1 > 10.9.8.2: ICMP echo request"));
        Assert.Equal(3, Count(read.Out, "10.9.8.2 > 10.9.8.1: ICMP echo reply"));
    }

    [Theory]
    [InlineData("qemu", "tap")]
    [InlineData("qemu", "renamed tap")]
    [InlineData("firecracker", "macvtap")]
    public void What_a_guest_sends_and_is_sent_through_its_tap_is_captured_in_both_directions(string hypervisor, string type)
    {
        using var host = new NetworkHost();
        host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        host.Net.Ip("link", "set", "eth0", "up");
        host.Net.Ip("link", "set", "far0", "up");
        host.Done("up", _folder.File("web.json", $$"""{"networking":{"hostName":"web"},"microvm":{"hypervisor":"{{hypervisor}}","interfaces":[{{(type == "macvtap" ? NetworkHost.Macvtap("vm-a1", "eth0", "bridge") : NetworkHost.Tap("vm-a1"))}}] } }"""));
        if (type == "renamed tap")
        {
            host.Net.Ip("link", "set", "vm-a1", "name", "elsewhere");
        }
        var tap = type == "renamed tap" ? "elsewhere" : "vm-a1";
        var file = _folder.File("c.pcapng", "");
        using var capture = StartIn(host.Net, "web/vm-a1", "-o", file);
        host.Net.Ip("addr", "add", "10.9.7.1/24", "dev", type == "macvtap" ? "far0" : tap);
        // Nobody has the other address, so all that is seen of the ping is its question.
        host.SendFromGuest(tap, () => Binary.Run("ip", null, "netns", "exec", host.Net.Name, "ping", "-q", "-c", "1", "-W", "1", "10.9.7.2"));
        Signal(capture, "INT");
        Assert.Contains($"captured from {tap}, 0 dropped", capture.StandardError.ReadToEnd());
        var frames = Frames(File.ReadAllBytes(file)).ToList();
        var sent = Assert.Single(frames, f => Ethertype(f.Frame) == 0x88b5);
        Assert.Equal((Inbound, 60, NetworkHost.MacOf(tap).Replace(":", "")), (sent.Direction, sent.Frame.Length, Convert.ToHexStringLower(sent.Frame[6..12])));
        var questions = frames.Where(f => Ethertype(f.Frame) == 0x806).ToList();
        Assert.NotEmpty(questions);
        Assert.All(questions, f => Assert.Equal(Outbound, f.Direction));
    }

    /// <summary>What a guest sends goes into the file alone; of the host's own names, which may be anything, the terminal obeys none.</summary>
    [Fact]
    public void Names_with_escapes_and_frames_with_escapes_are_not_obeyed_by_a_terminal()
    {
        const string escape = "\u001b", name = $"{escape}[31m\u202ex";
        _host.Ip("link", "set", "vm-a1", "down");
        _host.Ip("link", "set", "vm-a1", "name", name);
        _host.Ip("link", "set", name, "up", "alias", $"microvm:{escape}[2J/vm-a1");
        var file = _folder.File("c.pcapng", "");
        using var capture = Start("vm-a1", "-o", file);
        Assert.Equal(0, Binary.Run("ip", null, "netns", "exec", _guest.Name, "ping", "-q", "-c", "1", "-W", "1", "-p", "1b5b324a", "10.9.8.1").Code is 1 or 0 ? 0 : 2);
        Signal(capture, "INT");
        var told = capture.StandardError.ReadToEnd();
        Assert.Contains("\\u{1b}[31m\\u{202e}x", told, StringComparison.Ordinal);
        Assert.DoesNotContain(escape, told, StringComparison.Ordinal);
        Assert.DoesNotContain("\u202e", told, StringComparison.Ordinal);
        Assert.Contains("\u001b[2J", System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(file)), StringComparison.Ordinal);
        var missing = Binary.Microvm("capture", "--netns", _host.Name, $"{escape}[2J", "-o", file).Err;
        Assert.Contains("\\u{1b}[2J", missing, StringComparison.Ordinal);
        Assert.DoesNotContain(escape, missing, StringComparison.Ordinal);
    }

    private const uint Inbound = 1, Outbound = 2;
    private static int Ethertype(byte[] frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(12));

    /// <summary>The frames of a pcapng file, each with the direction that its flags tell.</summary>
    private static IEnumerable<(uint Direction, byte[] Frame)> Frames(byte[] file) => Blocks(file).Where(b => b.Type == 6).Select(b =>
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(b.Body.AsSpan(12));
        return (BinaryPrimitives.ReadUInt32LittleEndian(b.Body.AsSpan(20 + (length + 3) / 4 * 4 + 4)) & 3, b.Body[20..(20 + length)]);
    });

    [Fact]
    public void Each_frame_says_which_way_it_went_and_the_end_says_what_was_counted()
    {
        var file = _folder.File("c.pcapng", "");
        using var capture = Start("vm-a1", "-o", file, "--snaplen", "64");
        Ping(2);
        Signal(capture, "TERM");
        capture.WaitForExit();
        Assert.Equal(0, capture.ExitCode);
        var blocks = Blocks(File.ReadAllBytes(file));
        Assert.Equal([0x0a0d0d0au, 1u], blocks.Take(2).Select(b => b.Type));
        var echoes = blocks.Where(b => b.Type == 6 && b.Body[20 + 23] == 1 && b.Body[20 + 12] == 8 && b.Body[20 + 13] == 0).ToList();
        Assert.Equal(4, echoes.Count);
        Assert.All(echoes, e =>
        {
            Assert.Equal(64u, BinaryPrimitives.ReadUInt32LittleEndian(e.Body.AsSpan(12)));
            Assert.Equal(98u, BinaryPrimitives.ReadUInt32LittleEndian(e.Body.AsSpan(16)));
            var flags = BinaryPrimitives.ReadUInt32LittleEndian(e.Body.AsSpan(20 + 64 + 4));
            Assert.Equal(e.Body[20 + 34] == 8 ? 2u : 1u, flags & 3);
        });
        var statistics = Assert.Single(blocks, b => b.Type == 5).Body.AsSpan(12);
        // isb_starttime and isb_endtime, twelve bytes each, then isb_ifrecv.
        Assert.Equal(4, BinaryPrimitives.ReadUInt16LittleEndian(statistics[24..]));
        Assert.Equal((ulong)blocks.Count(b => b.Type == 6), BinaryPrimitives.ReadUInt64LittleEndian(statistics[28..]));
    }

    [Fact]
    public void It_ends_with_the_reader_of_its_pipe()
    {
        using var pings = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", _host.Name, "ping", "-q", "-i", "0.2", "10.9.8.2"]) { RedirectStandardOutput = true })!;
        var outcome = Binary.Run("bash", null, "-c", "\"$1\" capture --netns \"$2\" vm-a1 | tcpdump -nr - -c 1; echo \"codes ${PIPESTATUS[*]}\"", "-", Binary.Path, _host.Name);
        pings.Kill();
        Assert.Contains("codes 0 0", outcome.Out);
        Assert.Contains("captured from vm-a1", outcome.Err);
    }

    [Fact]
    public void Drops_are_counted_and_told()
    {
        using var capture = Start("vm-a1", "-o", _folder.File("c.pcapng", ""), "--snaplen", "64");
        Signal(capture, "STOP");
        Binary.Run("ip", null, "netns", "exec", _host.Name, "ping", "-q", "-f", "-c", "20000", "-s", "1400", "10.9.8.2");
        Signal(capture, "CONT");
        Signal(capture, "INT");
        Assert.Matches(@"captured from vm-a1, [1-9]\d* dropped", capture.StandardError.ReadToEnd());
    }

    [Theory]
    [InlineData("--seconds", "0.5", "")]
    [InlineData("--count", "1", "")]
    [InlineData("--seconds", "600", "HUP")]
    public void However_it_ends_the_file_is_whole(string option, string value, string signal)
    {
        var file = _folder.File("c.pcapng", "");
        using var capture = Start("vm-a1", "-o", file, option, value);
        Ping(2);
        if (signal.Length > 0)
        {
            Signal(capture, signal);
        }
        Assert.Contains("captured from vm-a1, 0 dropped", capture.StandardError.ReadToEnd());
        capture.WaitForExit();
        Assert.Equal(0, capture.ExitCode);
        Assert.Single(Blocks(File.ReadAllBytes(file)), b => b.Type == 5);
        Assert.Equal(0, Binary.Run("tcpdump", null, "-nr", file).Code);
        // What was on the wire is nobody else's to read.
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(CapturedAnew()) & (UnixFileMode.GroupRead | UnixFileMode.OtherRead));
    }

    private string CapturedAnew()
    {
        var file = Path.Combine(Path.GetDirectoryName(_folder.File("x", ""))!, "new.pcapng");
        Assert.Equal(0, Binary.Microvm("capture", "--netns", _host.Name, "vm-a1", "-o", file, "--seconds", "0.1").Code);
        return file;
    }

    [Fact]
    public void Count_ends_it()
    {
        using var capture = Start("vm-a1", "-o", _folder.File("c.pcapng", ""), "--count", "2");
        Ping(2);
        Assert.Contains("2 frames captured", capture.StandardError.ReadToEnd());
    }

    [Fact]
    public void A_link_that_goes_away_ends_it()
    {
        using var capture = Start("vm-a1", "-o", _folder.File("c.pcapng", ""));
        _host.Ip("link", "del", "vm-a1");
        Assert.Contains("the link is gone", capture.StandardError.ReadToEnd());
        capture.WaitForExit();
        Assert.Equal(1, capture.ExitCode);
    }

    [Fact]
    public void An_interface_that_is_nobodys_is_refused_with_the_nearest_name()
    {
        var outcome = Binary.Microvm("capture", "--netns", _host.Name, "web/vm-a2", "-o", "/dev/null");
        Assert.Equal(2, outcome.Code);
        Assert.Contains("did you mean 'web/vm-a1'?", outcome.Err);
        Assert.Equal(2, Binary.Microvm("capture", "--netns", _host.Name, "lo", "-o", "/dev/null").Code);
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    /// <summary>The blocks of a pcapng file; both lengths of each must agree.</summary>
    private static List<(uint Type, byte[] Body)> Blocks(ReadOnlySpan<byte> rest)
    {
        var blocks = new List<(uint, byte[])>();
        while (rest.Length > 0)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(rest[4..]);
            Assert.Equal(0, length % 4);
            Assert.Equal(length, BinaryPrimitives.ReadInt32LittleEndian(rest[(length - 4)..]));
            blocks.Add((BinaryPrimitives.ReadUInt32LittleEndian(rest), rest[8..(length - 4)].ToArray()));
            rest = rest[length..];
        }
        return blocks;
    }
}
