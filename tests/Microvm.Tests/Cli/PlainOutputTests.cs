using System.Text;
using System.Text.RegularExpressions;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>Every command, without a terminal: no escape sequence, the same bytes whatever the terminal's variables say; and on one, no colour for those who don't want it.</summary>
public sealed class PlainOutputTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-plain-").FullName;
    private readonly Namespace _ns = new();

    public PlainOutputTests()
    {
        _ns.Ip("link", "add", "br0", "type", "bridge");
        _ns.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        Put("vm.json", $$"""{"networking":{"hostName":"web"},"microvm":{"kernel":"/k","interfaces":[{{NetworkHost.Tap("vm-a1", "br0")}},{{NetworkHost.Macvtap("vm-m1", "eth0", "bridge")}},{"type":"user","id":"u0","mac":"02:00:00:00:00:09"}] } }""");
        Put("bad.json", "{\n  \"microvm\": {\n    \"vcpus\": 2,\n    \"mem\": \"much\" } }\n");
    }

    public void Dispose()
    {
        _ns.Dispose();
        Directory.Delete(_folder, true);
    }

    private void Put(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);

    /// <summary>At least one line for each command: one that works where it can here, and one that is wrong.</summary>
    public static readonly IReadOnlyList<string> Lines =
    [
        "check vm.json", "check bad.json", "check none.json", "plan vm.json", "plan bad.json", "up vm.json", "up bad.json", "status vm.json", "status", "status bad.json", "status --json vm.json",
        "status --watch --json none.json", "top --once --interval 0.1 vm.json", "top --sort luck", "topology vm.json", "topology --host", "topology --dot vm.json", "topology --mermaid vm.json", "topology --svg vm.json",
        "topology", "topology vm.json -o none/x", "metrics vm.json", "metrics --listen here", "capture web/vm-a2 -o -", "capture", "command vm.json", "command --json vm.json", "command bad.json", "watch --bad",
        "run bad.json", "virtiofsd bad.json", "build bad.json -o x", "shutdown none", "balloon none 1", "init", "init -o vm.json", "init --name a/b", "explain", "explain tap", "explain qemu", "explain vm.json", "explain bad.json", "explain macvtab",
        "doctor vm.json", "doctor --all", "doctor bad.json", "doctor --json", "create a --file bad.json", "update none --state-dir .", "start none --state-dir .", "stop none --state-dir .", "restart none --state-dir .",
        "list --state-dir .", "logs none --state-dir .", "console none --state-dir .", "ssh none --state-dir .", "rename none other --state-dir .", "remove none --state-dir .", "fleet", "fleet none.json", "host", "host install --dry-run --root none", "network", "network list", "network leases", "network show none", "network up none", "network down none", "ip none", "reach host internet", "reach web host vm.json", "reach none host", "check --assert web vm.json", "mac a b", "mac --json a", "mac", "schema", "completions bash", "completions zsh", "completions fish", "completions tcsh", "man", "man --markdown",
        "down vm.json", "down bad.json", "nonsense", "--nonsense", "up --nonsense", "--version", "",
    ];

    public static TheoryData<string> All() => [.. Lines, .. HelpTests.Commands().Select(c => $"{string.Join(' ', c)} --help".Trim())];

    private string[] Words(string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length > 0 && Regex.IsMatch(Binary.Microvm([words[0], "--help"]).Out, "--netns") && !words.Contains("--help") ? [.. words, "--netns", _ns.Name] : words;
    }

    private Binary.Outcome Run(string[] words, params string[] environment) => Binary.Run("env", null, ["-C", _folder, .. environment, Binary.Path, .. words]);

    [Fact]
    public void Every_command_is_among_the_lines()
    {
        Assert.All(HelpTests.Commands().Where(c => c.Length == 1), c => Assert.Contains(Lines, l => l.Split(' ')[0] == c[0]));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void In_a_pipe_it_is_plain_and_does_not_depend_on_the_terminals_variables(string line)
    {
        var words = Words(line);
        if (words is ["status" or "top" or "topology" or "metrics" or "down", ..])
        {
            Run(Words("up vm.json"));
        }
        var wide = Run(words, "TERM=xterm-256color", "COLUMNS=200", "CLICOLOR=1");
        Assert.InRange(wide.Code, 0, 2);
        Assert.True(Regex.Count(wide.Out + wide.Err, @"[\p{Cc}\p{Cf}-[\n\t]]") == 0, Convert.ToHexString(Encoding.UTF8.GetBytes(wide.Out + wide.Err)));
        Assert.DoesNotContain("   at ", wide.Err);
        Assert.True(wide.Code == 0 || wide.Out.Length + wide.Err.Length > 0, "it failed without a word");
        if (words is ["up" or "down", ..])
        {
            // Done once, there is nothing more to do.
            return;
        }
        var narrow = Run(words, "TERM=dumb", "COLUMNS=20", "LINES=5");
        if (words is ["metrics" or "status" or "top", ..])
        {
            Assert.Equal(Regex.Replace(wide.Out, @"\d+(\.\d+)?k?", "#"), Regex.Replace(narrow.Out, @"\d+(\.\d+)?k?", "#"));
            return;
        }
        Assert.Equal((wide.Code, wide.Out, wide.Err), (narrow.Code, narrow.Out, narrow.Err));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void On_a_terminal_nobody_who_said_NO_COLOR_gets_a_colour_and_a_dumb_one_gets_no_sequence_at_all(string line)
    {
        var words = Words(line);
        if (words is ["init", ..] && !words.Contains("--help"))
        {
            // It asks there; other tests answer.
            return;
        }
        foreach (var (variable, value, forbidden) in new[] { ("NO_COLOR", "1", @"\e\[[\d;]*m"), ("TERM", "dumb", @"\e") })
        {
            using var terminal = new PseudoTerminal(["env", "-C", _folder, Binary.Path, .. words], 80, 200, (variable, value));
            terminal.WaitForExit(s_limit);
            Assert.DoesNotMatch(forbidden, Encoding.UTF8.GetString([.. terminal.Written]));
        }
    }

    /// <summary>Program text and lines to copy are never broken; everything else stays within the terminal.</summary>
    [Theory]
    [InlineData(80)]
    [InlineData(200)]
    [InlineData(40)]
    public void On_a_terminal_nothing_is_wider_than_it(int columns)
    {
        Run(Words("up vm.json"));
        Binary.Run("ip", null, "-n", _ns.Name, "link", "set", "vm-a1", "nomaster");
        foreach (var line in new[] { "status vm.json", "status", "top --once --interval 0.1", "topology vm.json", "topology --host", "explain", "explain tap", "explain qemu", "explain vm.json", "doctor --all vm.json" })
        {
            using var terminal = new PseudoTerminal(["env", "-C", _folder, Binary.Path, .. Words(line)], columns, 200);
            terminal.WaitForExit(s_limit);
            var text = Regex.Replace(Encoding.UTF8.GetString([.. terminal.Written]), @"\e\[[\d;]*m", "");
            // A word that is nearly as long as the line (a path) may stick out.
            Assert.All(text.Split("\r\n").Where(l => !l.Split(' ').Any(w => w.Length > columns - 10) && !l.TrimStart().StartsWith("$ ", StringComparison.Ordinal)), l => Assert.True(l.Length <= columns, $"{line}: {l}"));
        }
    }
}
