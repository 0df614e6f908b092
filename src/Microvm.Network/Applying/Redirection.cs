using Microvm.Linux;

namespace Microvm.Network.Applying;

/// <summary>Hands over what comes in on one link of a pair to the other.</summary>
internal sealed class Redirection(RouteSocket route)
{
    /// <summary>Redirects what comes in on each link to the one beside it.</summary>
    /// <exception cref="LinuxException">ENODEV: a link is not there; or the kernel refused.</exception>
    internal void Join(IReadOnlyList<(string Name, string To)> pairs)
    {
        var now = LinksByName.Of(route.Links(statistics: false));
        var batch = new RouteBatch();
        foreach (var (name, to) in pairs)
        {
            if (!now.TryGetValue(name, out var link) || !now.TryGetValue(to, out var target))
            {
                throw new LinuxException($"join '{name}' and '{to}'", Errno.ENODEV);
            }
            batch.Redirect(link.Index, link.Name, target.Index);
        }
        route.Commit(batch);
    }
}
