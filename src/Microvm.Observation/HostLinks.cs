using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Observation;

/// <summary>The links of one look at the host, each found at once by its index, its name or our alias, and who holds it open.</summary>
internal sealed class HostLinks
{
    private readonly Dictionary<int, Link> _byIndex = [];
    private readonly Dictionary<string, Link> _byName = [], _byAlias = [];
    private readonly ILookup<int, Link> _ports;
    private readonly ILookup<string, LinkHolder> _holders;

    internal HostLinks(IReadOnlyList<Link> links, IReadOnlyList<LinkHolder> holders)
    {
        All = links;
        foreach (var link in links)
        {
            // A dump may be taken while links are renamed: the first of a name is as good as the next.
            _byIndex.TryAdd(link.Index, link);
            _byName.TryAdd(link.Name, link);
            if (Ownership.Vm(link.Alias) is not null)
            {
                _byAlias.TryAdd(link.Alias!, link);
            }
        }
        _ports = links.Where(l => l.Master > 0).ToLookup(l => l.Master!.Value);
        _holders = holders.ToLookup(h => h.Link);
    }

    internal IReadOnlyList<Link> All { get; }
    internal Link? OfIndex(int? index) => index is { } number ? _byIndex.GetValueOrDefault(number) : null;
    internal Link? OfName(string name) => _byName.GetValueOrDefault(name);
    internal Link? OfAlias(string alias) => _byAlias.GetValueOrDefault(alias);
    internal string? NameOf(int? index) => index is > 0 ? OfIndex(index)?.Name : null;
    internal IEnumerable<Link> PortsOf(Link master) => _ports[master.Index];
    internal IReadOnlyList<LinkHolder> Holding(Link? link) => link is null ? [] : [.. _holders[link.Name]];
}
