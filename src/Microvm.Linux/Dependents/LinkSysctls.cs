using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>The sysctls of links in the calling thread's network namespace, as far as they differ from those of a link made anew.</summary>
/// <remarks>A link has about 170 files of them. Those of thousands of links are alike, and the kernel reports their numbers with the link and
/// in one dump of the neighbour tables: only one link of each set of numbers has its files read.</remarks>
internal sealed class LinkSysctls
{
    private static readonly string[] s_folders = ["ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"];

    // Secrets can't be read back, and IPv6's MTU follows the link's.
    private static readonly HashSet<string> s_others = ["stable_secret", "mtu"];
    private const string NoIpv6 = "ipv6/conf/disable_ipv6";

    private readonly Dictionary<int, string> _neighbours = [];
    private readonly Dictionary<string, IReadOnlyDictionary<string, string>> _known = [];
    private readonly List<(string Folder, string Name, string? Value)> _defaults = [];

    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal LinkSysctls(RouteSocket route)
    {
        const ushort RTM_NEWNEIGHTBL = 64, RTM_GETNEIGHTBL = 66, NDTA_PARMS = 6, NDTPA_IFINDEX = 1, NDTPA_REFCNT = 2, NDTPA_REACHABLE_TIME = 3;
        var messages = new List<byte[]>();
        route.Messages(RTM_GETNEIGHTBL, RTM_NEWNEIGHTBL, new byte[4], "list the neighbour tables", messages);
        foreach (var body in messages)
        {
            var reader = new AttributeReader(body.AsSpan(4));
            while (reader.Read())
            {
                var parameters = new AttributeReader(reader.Type == NDTA_PARMS ? reader.Value : default);
                var index = 0;
                var numbers = new List<string>();
                while (parameters.Read())
                {
                    index = parameters.Type == NDTPA_IFINDEX ? (int)parameters.UInt32 : index;
                    // The kernel draws the reachable time by lot.
                    if (parameters.Type is not (NDTPA_IFINDEX or NDTPA_REFCNT or NDTPA_REACHABLE_TIME))
                    {
                        numbers.Add(Convert.ToHexString(parameters.Value));
                    }
                }
                if (index != 0)
                {
                    _neighbours[index] = $"{_neighbours.GetValueOrDefault(index)} {body[0]} {string.Join(' ', numbers)}";
                }
            }
        }
        foreach (var folder in s_folders)
        {
            // A network namespace but the first has no defaults of neighbours to show; its loopback has them.
            var usual = Directory.Exists($"/proc/sys/net/{folder}/default") ? "default" : "lo";
            _defaults.AddRange(FolderNames.Of($"/proc/sys/net/{folder}/{usual}").Where(n => !s_others.Contains(n)).Select(n => (folder, n, Value(folder, usual, n))));
        }
    }

    /// <summary>By path: the folder, and the name of the setting.</summary>
    /// <param name="body">The link as RTM_GETLINK reports it.</param>
    internal IReadOnlyDictionary<string, string> Read(string link, int index, ReadOnlySpan<byte> body)
    {
        var numbers = $"{Numbers(body)}{_neighbours.GetValueOrDefault(index)}";
        if (!_known.TryGetValue(numbers, out var known))
        {
            var found = new Dictionary<string, string>();
            foreach (var (folder, name, usual) in _defaults)
            {
                if (Value(folder, link, name) is { } value && value != usual)
                {
                    found[$"{folder}/{name}"] = value;
                }
            }
            _known[numbers] = known = found;
        }
        return known;
    }

    /// <summary>Sets what a link had and the one that took its place has not.</summary>
    internal static IReadOnlyList<LinuxException> Write(int index, string link, IReadOnlyDictionary<string, string> had, IReadOnlyDictionary<string, string> has)
    {
        var failures = new List<LinuxException>();
        // IPv6 that is off is off for a reason of ours.
        foreach (var (path, value) in had.Where(h => has.GetValueOrDefault(h.Key) != h.Value && (h.Key != NoIpv6 || h.Value != "0")))
        {
            var slash = path.LastIndexOf('/');
            try
            {
                LinkSetting.Write(index, link, path[..slash], path[(slash + 1)..], value, $"set net/{path} of '{link}' to {value}");
            }
            catch (LinuxException e)
            {
                failures.Add(e);
            }
        }
        return failures;
    }

    /// <summary>The settings among the attributes of a link: IFLA_AF_SPEC of IPv4 and IPv6, without counters and times.</summary>
    private static string Numbers(ReadOnlySpan<byte> body)
    {
        const ushort IFLA_AF_SPEC = 26, AF_INET = 2, IFLA_INET_CONF = 1, IFLA_INET6_CONF = 2, IFLA_INET6_ADDR_GEN_MODE = 8;
        var numbers = new List<string>();
        var reader = new AttributeReader(body[16..]);
        while (reader.Read())
        {
            var families = new AttributeReader(reader.Type == IFLA_AF_SPEC ? reader.Value : default);
            while (families.Read())
            {
                var settings = new AttributeReader(families.Value);
                while (settings.Read())
                {
                    if (families.Type == AF_INET ? settings.Type == IFLA_INET_CONF : settings.Type is IFLA_INET6_CONF or IFLA_INET6_ADDR_GEN_MODE)
                    {
                        numbers.Add(Convert.ToHexString(settings.Value));
                    }
                }
            }
        }
        return string.Join(' ', numbers);
    }

    private static string? Value(string folder, string link, string name)
    {
        try
        {
            return File.ReadAllText($"/proc/sys/net/{folder}/{link}/{name}").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
