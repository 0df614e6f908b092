using System.CommandLine;
using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>Looks again and again at the interfaces that the command line asks for: the declared ones, or all that are ours.</summary>
internal sealed class Survey : IDisposable
{
    private static readonly TimeSpan s_holdersAge = TimeSpan.FromSeconds(2);
    private readonly RouteSocket _route;
    private readonly IReadOnlyList<Attachment> _attachments;
    private readonly IReadOnlyList<DesiredLink> _desired;
    private readonly IReadOnlyList<string>? _declared;
    private IReadOnlyList<LinkHolder> _holders = [];
    private TimeSpan? _heldAt;

    private Survey(RouteSocket route, IReadOnlyList<Attachment> attachments, IReadOnlyList<DesiredLink> desired, IReadOnlyList<string>? declared) =>
        (_route, _attachments, _desired, _declared) = (route, attachments, desired, declared);

    /// <summary>Since the machine was started, by a clock that nobody sets.</summary>
    internal static TimeSpan Now => Stopwatch.GetElapsedTime(0);

    /// <summary>Rates between looks.</summary>
    internal TrafficHistory History { get; } = new();

    /// <summary>Null after a diagnostic or refusal was printed. Takes <see cref="CommonOptions.MaybeFiles"/>, User, Group and Netns.</summary>
    internal static Survey? Open(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.MaybeFiles) is not { } vms || HostSession.Attach(vms, result) is not { } attachments)
        {
            return null;
        }
        return new(new RouteSocket(), attachments, HostSession.Desired(result, vms, attachments), result.GetValue(CommonOptions.MaybeFiles) is { Length: > 0 } ? [.. vms.Select(v => v.Name)] : null);
    }

    /// <summary>The interfaces as they are now.</summary>
    internal IReadOnlyList<InterfaceStatus> Take()
    {
        var state = _declared is null ? HostState.ReadOurs(_route, statistics: true) : HostState.Read(_route, _desired, statistics: true, _declared);
        var links = state.Links;
        var now = Now;
        // All processes are looked through, so not at every look of a fast one.
        if (_heldAt is not { } at || now - at >= s_holdersAge)
        {
            _holders = links.Any(l => l.Kind is "tun" or "macvtap") ? LinkHolder.Scan(links) : [];
            _heldAt = now;
        }
        var interfaces = _declared is null
            ? InterfaceStatus.OfHost(links, state.Redirects, _holders)
            : InterfaceStatus.OfDeclared(_attachments, Plan.ForUp(_desired, state, new() { Vms = _declared }), links, _holders);
        History.Add(interfaces, now);
        return interfaces;
    }

    public void Dispose() => _route.Dispose();
}
