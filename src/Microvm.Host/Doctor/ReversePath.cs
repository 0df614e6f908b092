namespace Microvm.Host.Doctor;

/// <summary>Strict reverse-path filtering on the links of guests.</summary>
public sealed class ReversePath : ICheck
{
    public string Name => "rp-filter";

    public IEnumerable<Finding> Look(HostView host)
    {
        var all = host.Sysctl("net.ipv4.conf.all.rp_filter") ?? 0;
        // The kernel takes the greater of the two (ip-sysctl.rst).
        var strict = host.Links.Where(l => host.IsOurs(l) && l.Master is null)
            .Where(l => Math.Max(all, host.Sysctl($"net.ipv4.conf.{l.Name}.rp_filter".Replace(l.Name, l.Name.Replace('.', '/'), StringComparison.Ordinal)) ?? 0) == 1).ToList();
        if (strict.Count > 0)
        {
            var name = strict[0].Name;
            yield return new(Name, Severity.Warning, $"strict reverse-path filtering is on for {string.Join(", ", strict.Take(5).Select(l => l.Name))}",
                "packets of a guest whose address the host would not route back over the same link are dropped without a word",
                $"sudo sysctl -w net.ipv4.conf.all.rp_filter=2 {Shell.Quote($"net.ipv4.conf.{name.Replace('.', '/')}.rp_filter=2")}");
        }
        else if (all == 1)
        {
            yield return new(Name, Severity.Note, "strict reverse-path filtering is on for all links (net.ipv4.conf.all.rp_filter=1)",
                "packets of a guest whose address the host would not route back over the same link are dropped without a word", "sudo sysctl -w net.ipv4.conf.all.rp_filter=2");
        }
        else
        {
            yield return new(Name, Severity.Ok, "reverse-path filtering is not strict for guests");
        }
    }
}
