using Microvm.Linux;
using Microvm.Network.Resources;

namespace Microvm.Network.Applying;

/// <summary>Links that are changed in place, and the names that they have meanwhile.</summary>
internal sealed class LinkChange(HostState state)
{
    /// <summary>Names that links have for a moment, by ifindex.</summary>
    private readonly Dictionary<int, string> _between = [];

    /// <summary>Links that are to be renamed and have a name that another is to get: two may have each other's.</summary>
    internal static List<Link> InTheWay(IReadOnlyList<Step> steps)
    {
        var renamed = steps.Where(s => s.Kind == StepKind.Change && s.Differs.HasFlag(Difference.Name)).Select(s => s.Observed!).ToList();
        if (renamed.Count == 0)
        {
            return [];
        }
        var names = steps.Where(s => s.Kind is StepKind.Create or StepKind.Replace || s.Differs.HasFlag(Difference.Name)).Select(s => s.Name).ToHashSet();
        return renamed.FindAll(l => names.Contains(l.Name));
    }

    /// <summary>Adds what gives links names that nobody has.</summary>
    internal void StepAside(IEnumerable<Link> links, RouteBatch batch)
    {
        foreach (var link in links)
        {
            // The index is no other link's, and the name fits into 15 bytes.
            _between[link.Index] = $"mvr{link.Index}";
            batch.Rename(link.Index, link.Name, _between[link.Index]);
        }
    }

    /// <summary>Adds what gives these links their names back.</summary>
    internal static void StepBack(IEnumerable<Link> links, RouteBatch batch)
    {
        foreach (var link in links)
        {
            batch.Rename(link.Index, link.Name, link.Name);
        }
    }

    /// <summary>The change of a link, by the name that it has now.</summary>
    internal LinkEffect Of(Step step) => new(step, state, _between.GetValueOrDefault(step.Observed!.Index, step.Observed.Name));
}
