using System.Text;
using System.Text.RegularExpressions;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>Names as long, as wide and as hostile as the kernel lets them be: no picture breaks, and nothing of them commands the terminal.</summary>
public sealed class HostileNameTests : IDisposable
{
    private const string Long = "a-virtual-machine-whose-name-has-sixty-three-characters-in-all-1", Wide = "データベース主サーバー🦀🦀✅⚡", Evil = "e\e[31m\e]0;owned\a\r\n\u009b2J\u202egnp\u2028x";
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly Namespace _ns = new();
    private readonly Folder _folder = new();

    public HostileNameTests()
    {
        _ns.Ip("link", "add", "br\e[2Jéè", "type", "bridge");
        foreach (var (n, vm) in new[] { Long, Wide, Evil }.Index())
        {
            var id = $"fifteen-bytes-{n}";
            _ns.Ip("tuntap", "add", id, "mode", "tap");
            _ns.Ip("link", "set", id, "up", "alias", $"microvm:{vm}/{id}", "master", "br\e[2Jéè");
        }
        _ns.Ip("link", "add", "w🦀x\e[31m", "type", "veth", "peer", "name", "x");
        _ns.Ip("link", "set", "w🦀x\e[31m", "alias", $"microvm:{Wide}/w🦀x\e[31m");
    }

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private PseudoTerminal On(int columns, params string[] words) => new([Binary.Path, .. words, "--netns", _ns.Name], columns, 60);

    /// <summary>The sequences that colour text and those of a full screen, taken away: what is left must obey nothing.</summary>
    private static string Rest(IEnumerable<byte> written) => Regex.Replace(Encoding.UTF8.GetString([.. written]), @"\e\[([\d;]*m|H|K|J|2J|\?(1049|25|7)[hl])", "");

    [Theory]
    [InlineData(40)]
    [InlineData(80)]
    [InlineData(200)]
    public void Tables_and_trees_keep_their_columns(int columns)
    {
        foreach (var words in new[] { new[] { "status" }, ["top", "--once", "--interval", "0.1"], ["topology", "--host"] })
        {
            using var terminal = On(columns, words);
            Assert.Equal(0, terminal.WaitForExit(s_limit));
            Assert.False(terminal.Screen.Overflowed, terminal.Screen.Text);
            Assert.DoesNotMatch(@"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}-[\r\n]]", Rest(terminal.Written));
            if (words[0] != "topology")
            {
                // The state stands under its header in every row, whatever is before it.
                var lines = terminal.Screen.Lines.Select(l => l.Replace("\0", "")).ToList();
                var header = Enumerable.Range(0, terminal.Screen.Rows).First(r => terminal.Screen.Lines[r].Contains("INTERFACE", StringComparison.Ordinal));
                var at = Enumerable.Range(0, columns).First(c => Text(terminal, header, c, 9) == "INTERFACE");
                Assert.All(Enumerable.Range(header + 1, 4), r => Assert.Matches("^(fifteen-bytes-|w🦀x)", Text(terminal, r, at, 14)));
            }
        }
    }

    private static string Text(PseudoTerminal terminal, int row, int column, int cells) =>
        string.Concat(Enumerable.Range(column, Math.Min(cells, terminal.Screen.Columns - column)).Select(c => terminal.Screen[row, c].Text));

    [Theory]
    [InlineData("status", "--watch", "--interval", "0.1")]
    [InlineData("top", "--interval", "0.1")]
    public void A_live_picture_obeys_no_name(params string[] words)
    {
        using var terminal = On(80, words);
        Assert.True(terminal.ReadUntil(s => s.IsAlternate && s.Text.Contains("fifteen-bytes-2"), s_limit), terminal.Screen.Text);
        terminal.Send("q");
        Assert.Equal(0, terminal.WaitForExit(s_limit));
        Assert.DoesNotMatch(@"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}-[\r\n]]", Rest(terminal.Written));
        Assert.False(terminal.Screen.Overflowed);
    }

    [Fact]
    public void Nothing_printed_obeys_a_name()
    {
        // A declared tap that hangs on the bridge with the evil name, so that reasons and plans name it.
        var file = _folder.File("vm.json", $$"""{"networking":{"hostName":"{{Long[..63]}}"},"microvm":{"interfaces":[{{NetworkHost.Tap("vm-a1")}}] } }""");
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, file).Code);
        _ns.Ip("link", "set", "vm-a1", "master", "br\e[2Jéè");
        var odd = Path.Combine(Path.GetDirectoryName(file)!, "o\e[31m\u009bd.json");
        File.WriteAllText(odd, "{ \"microvm\": { \"\e[31m\": 1 } }");
        foreach (var words in (string[][])[["status"], ["status", file], ["plan", file], ["metrics", file], ["metrics"], ["topology", "--host"], ["topology", "--host", "--dot"], ["topology", "--host", "--mermaid"],
            ["topology", "--host", "--svg"], ["doctor", file], ["status", "--json"], ["capture", "\e[31m", "-o", "/dev/null"], ["status", odd], ["status", odd + "\e[0m.json"], ["topology", file, "-o", $"/none/\e[31m"], ["top", "--sort", "\e[31m"]])
        {
            var outcome = Binary.Microvm([words[0], "--netns", _ns.Name, .. words[1..]]);
            Assert.DoesNotMatch(@"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}-[\n]]", outcome.Out + outcome.Err);
        }
        foreach (var words in (string[][])[["check", odd], ["check", odd + "x"], ["explain", odd], ["explain", "\e[31m"], ["init", "--name", "\e[31m"], ["init", "-o", Path.GetDirectoryName(odd) + "/\e[31m/x"], ["\e[31m"], ["mac", "\e[31m"], ["run", odd], ["explain", file]])
        {
            var outcome = Binary.Microvm(words);
            Assert.DoesNotMatch(@"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}-[\n]]", outcome.Out + outcome.Err);
        }
        using var terminal = new PseudoTerminal([Binary.Path, "check", odd], 80, 40);
        Assert.Equal(2, terminal.WaitForExit(s_limit));
        Assert.DoesNotMatch(@"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}-[\r\n]]", Rest(terminal.Written));
    }
}
