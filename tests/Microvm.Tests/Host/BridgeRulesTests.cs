using CsCheck;
using Microvm.Host.Doctor;

namespace Microvm.Tests;

/// <summary>bridge.conf as we read it, against the real qemu-bridge-helper.</summary>
public sealed class BridgeRulesTests
{
    private const string Helper = "/usr/lib/qemu/qemu-bridge-helper";
    private static readonly string[] s_lines =
    [
        "allow br0", "allow br1", "allow all", "deny br0", "deny br1", "deny all", "allow\tbr0", "\t allow  br0\t ", "allow\tbr0 ", "", "# deny br0", "  #",
        "allow br0 # why", "allow  ", "allow", "nonsense", "Allow br0", "include /etc/qemu/a", "include /etc/qemu/b", "include /etc/qemu/none", "include",
    ];

    private static readonly Gen<string> s_text = Gen.Int[0, s_lines.Length - 1].Select(i => s_lines[i]).List[0, 5].Select(l => string.Join('\n', l) + '\n');
    private static readonly Gen<(string Main, string A, string B)> s_case = Gen.Select(s_text, s_text.Select(t => t.Replace("qemu/a", "qemu/b")), s_text.Select(t => t.Replace("include", "#")));

    // For each case: the files in a tmpfs over /etc/qemu of a mount namespace of its own, and what the helper says of br0.
    private const string Script = """
        set -e; cd "$1"; mkdir etc; mount -t tmpfs none etc; mkdir etc/upper etc/work
        mount -t overlay etc -o lowerdir=/etc,upperdir="$PWD/etc/upper",workdir="$PWD/etc/work" /etc
        mkdir -p /etc/qemu; ip link set lo up
        for n in $(seq "$2"); do
            cp "$n.main" /etc/qemu/bridge.conf; cp "$n.a" /etc/qemu/a; cp "$n.b" /etc/qemu/b
            said=$("$3" --br=br0 --fd=0 2>&1 </dev/null | tail -1) || true
            case $said in
                "access denied by acl file" | "failed to parse"*) echo no ;;
                *"No such device") echo yes ;;
                *) echo "$said" ;;
            esac
        done
        """;

    [Fact]
    public void We_read_rules_and_includes_as_the_real_helper_does() => s_case.Array[150].Sample(cases =>
    {
        var folder = Directory.CreateTempSubdirectory("microvm-test-").FullName;
        foreach (var (n, (main, a, b)) in cases.Index())
        {
            File.WriteAllText($"{folder}/{n + 1}.main", main);
            File.WriteAllText($"{folder}/{n + 1}.a", a);
            File.WriteAllText($"{folder}/{n + 1}.b", b);
        }
        var outcome = Binary.Run("unshare", null, "--mount", "--net", "sh", "-c", Script, "sh", folder, $"{cases.Length}", Helper);
        Directory.Delete(folder, true);
        Assert.True(outcome.Code == 0, outcome.Err);
        var said = outcome.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(said, cases.Select(c => Rules(c).Allows("br0") ? "yes" : "no"));
        Assert.Contains("yes", said);
        Assert.Contains("no", said);
    }, iter: 1, threads: 1);

    [Fact]
    public void An_include_of_itself_ends_and_is_told()
    {
        var rules = Rules(("include /etc/qemu/a\nallow br0\n", "include /etc/qemu/a\nallow br0\n", ""));
        Assert.False(rules.Allows("br0"));
        Assert.Equal("/etc/qemu/bridge.conf includes itself", rules.Fault);
    }

    private static BridgeRules Rules((string Main, string A, string B) files) => new("/etc/qemu/bridge.conf", p => p switch
    {
        "/etc/qemu/bridge.conf" => files.Main,
        "/etc/qemu/a" => files.A,
        "/etc/qemu/b" => files.B,
        _ => null,
    });
}
