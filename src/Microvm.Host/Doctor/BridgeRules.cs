namespace Microvm.Host.Doctor;

/// <summary>Which bridges qemu-bridge-helper may attach to, read as the helper reads <c>/etc/qemu/bridge.conf</c> and what that includes (qemu-bridge-helper.c).</summary>
public sealed class BridgeRules
{
    private const int DeepestInclude = 64;
    private readonly List<(string Command, string Bridge)> _rules = [];
    private bool _isDeep;

    /// <summary>Why the helper refuses every bridge, whatever the rules say; null where it takes them.</summary>
    public string? Fault { get; }

    /// <param name="read">The text of a file, or null where it can't be read.</param>
    public BridgeRules(string path, Func<string, string?> read) =>
        Fault = read(path) is not { } text ? $"{path} is not there" : Read(path, text, read, 0) ?? (_isDeep ? $"{path} includes itself" : null);

    /// <summary>Whether a rule allows it and none denies it: a deny outweighs every allow.</summary>
    public bool Allows(string bridge) => Fault is null && Names(bridge, "allow") && !Denies(bridge);

    /// <summary>Whether a rule denies it by its name or with all.</summary>
    public bool Denies(string bridge) => Names(bridge, "deny");

    private bool Names(string bridge, string command) => _rules.Any(r => r.Command == command && (r.Bridge == bridge || r.Bridge == "all"));

    /// <summary>Takes a file's rules up to the first line that is none; says which that is.</summary>
    private string? Read(string path, string text, Func<string, string?> read, int depth)
    {
        foreach (var (n, line) in text.Split('\n').Index())
        {
            var rule = line.Trim(s_space);
            if (rule.Length == 0 || rule[0] == '#')
            {
                continue;
            }
            // The helper looks for a space first, and for a tab only where there is none.
            var start = line.TrimStart(s_space);
            var gap = start.IndexOf(' ') is >= 0 and var space ? space : start.IndexOf('\t');
            var (command, name) = gap < 0 ? (rule, null) : (start[..gap], start[(gap + 1)..].Trim(s_space));
            switch (command)
            {
                case "allow" or "deny" when name is not null:
                    _rules.Add((command, name == "all" ? name : Cut(name)));
                    break;
                case "include" when name is not null:
                    // What is wrong in there is no fault of the one that includes it.
                    _isDeep |= depth >= DeepestInclude;
                    if (!_isDeep && read(name) is { } more)
                    {
                        Read(name, more, read, depth + 1);
                    }
                    break;
                default:
                    return $"{path}:{n + 1} is no rule";
            }
        }
        return null;
    }

    // isspace() of the C locale, and the length of an interface's name.
    private static readonly char[] s_space = [' ', '\t', '\n', '\v', '\f', '\r'];
    private static string Cut(string name) => name.Length > 15 ? name[..15] : name;
}
