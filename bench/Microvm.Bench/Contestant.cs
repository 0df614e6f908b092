using System.Text;

namespace Microvm.Bench;

/// <summary>One way to make and delete a number of links.</summary>
/// <param name="Name">As it stands in the table.</param>
/// <param name="Up">The command that makes them; its files were written beforehand.</param>
/// <param name="Down">The command that deletes them.</param>
internal sealed record Contestant(string Name, IReadOnlyList<string> Up, IReadOnlyList<string> Down)
{
    internal const string Ours = "microvm", Limit = "C limit", Documented = "documented commands", Batch = "ip -batch";

    /// <summary>The ways to make n multi-queue taps.</summary>
    internal static Contestant[] Taps(Tools tools, int n) =>
    [
        OurLinks(tools, "tap", n, i => $$"""{"type":"tap","id":"l{{i}}","mac":"{{Mac(i)}}" }"""),
        new(Limit, [tools.Limit, "tap-up", $"{n}"], [tools.Limit, "tap-down"]),
        Script(tools, "tap", n, i => $"""
            if [ -e /sys/class/net/l{i} ]; then
              ip link delete 'l{i}'
            fi
            ip tuntap add name 'l{i}' mode tap user '1000' vnet_hdr multi_queue
            ip link set 'l{i}' up
            """),
        new(Batch, ["ip", "-batch", Lines(tools, "tap-batch-up", n, i => $"tuntap add name l{i} mode tap user 1000 vnet_hdr multi_queue\nlink set l{i} up")],
            ["ip", "-batch", Lines(tools, "batch-down", n, i => $"link delete l{i}")]),
    ];

    /// <summary>The ways to make n macvtaps on the lower device low0.</summary>
    internal static Contestant[] Macvtaps(Tools tools, int n) =>
    [
        OurLinks(tools, "macvtap", n, i => $$"""{"type":"macvtap","id":"l{{i}}","mac":"{{Mac(i)}}","macvtap":{"link":"low0","mode":"bridge"} }"""),
        new(Limit, [tools.Limit, "macvtap-up", $"{n}", "low0"], [tools.Limit, "macvtap-down"]),
        Script(tools, "macvtap", n, i => $"""
            if [ -e /sys/class/net/l{i} ]; then
              ip link delete 'l{i}'
            fi
            ip link add link 'low0' name 'l{i}' address '{Mac(i)}' type macvtap mode 'bridge'
            ip link set 'l{i}' allmulticast on
            if [ -f "/proc/sys/net/ipv6/conf/l{i}/disable_ipv6" ]; then
              echo 1 > "/proc/sys/net/ipv6/conf/l{i}/disable_ipv6"
            fi
            ip link set 'l{i}' up
            chown '1000' /dev/tap$(< "/sys/class/net/l{i}/ifindex")
            """),
    ];

    private static Contestant OurLinks(Tools tools, string type, int n, Func<int, string> one)
    {
        var file = tools.Write($"{type}-{n}.json",
            $$"""{"networking":{"hostName":"bench"},"microvm":{"vcpu":2,"interfaces":[{{string.Join(",\n", Enumerable.Range(0, n).Select(one))}}] } }""");
        return new(Ours, [tools.Microvm, "up", "--user", "1000", file], [tools.Microvm, "down", file]);
    }

    private static Contestant Script(Tools tools, string type, int n, Func<int, string> one) =>
        new(Documented, ["bash", Lines(tools, $"{type}-up", n, one, "set -eou pipefail\n")], ["bash", Lines(tools, "down", n, i => $"ip link delete 'l{i}'", "set -ou pipefail\n")]);

    private static string Lines(Tools tools, string name, int n, Func<int, string> one, string head = "")
    {
        var text = new StringBuilder(head);
        for (var i = 0; i < n; i++)
        {
            text.Append(one(i)).Append('\n');
        }
        return tools.Write($"{name}-{n}", text.ToString());
    }

    private static string Mac(int i) => $"02:00:00:01:{(i + 1) >> 8:x2}:{(i + 1) & 0xff:x2}";
}

/// <summary>Where the programs are, and the folder for what they read.</summary>
internal sealed record Tools(string Microvm, string Limit, string First, string Folder)
{
    internal string Write(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
