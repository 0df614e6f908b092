using Microvm.Declaration;

namespace Microvm.Host.Doctor;

/// <summary>Strict reverse-path filtering on the links of guests.</summary>
public sealed class ReversePath : ICheck
{
    private const string Why = "packets of a guest whose address the host would not route back over the same link are silently dropped";
    public string Name => "rp-filter";

    public IEnumerable<Finding> Look(HostView host)
    {
        var all = Of(host, "all");
        // The kernel takes the greater of the two (ip-sysctl.rst).
        var strict = host.Links.Where(l => host.IsOurs(l) && l is { Master: null, Kind: not ("macvtap" or "macvlan") } && Math.Max(all, Of(host, l.Name)) == 1).Select(l => l.Name).ToList();
        var later = Math.Max(all, Of(host, "default")) == 1;
        // 2 is loose, and greater than what all links have; only what is ours is made so.
        var mend = $"{host.Sudo("sysctl -w")} {string.Join(' ', strict.Concat(later ? ["default"] : []).Select(n => Shell.Quote($"{Key(n)}=2")))}";
        yield return strict.Count > 0 ? new(Name, Severity.Warning, $"strict reverse-path filtering is on for {string.Join(", ", strict.Take(5))}{(strict.Count > 5 ? $" and {strict.Count - 5} more" : "")}", Why, mend)
            : later ? new(Name, Severity.Note, "strict reverse-path filtering is on for links that don't exist yet (net.ipv4.conf.default.rp_filter, or all)", Why, mend)
            : new(Name, Severity.Ok, "reverse-path filtering is not strict for guests");
    }

    private static int Of(HostView host, string name) => host.Setting($"/proc/sys/net/ipv4/conf/{name}/rp_filter") ?? 0;

    // sysctl(8) takes a slash for a dot that belongs to the name.
    private static string Key(string name) => $"net.ipv4.conf.{name.Replace('.', '/')}.rp_filter";
}
