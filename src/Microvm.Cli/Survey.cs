using System.CommandLine;
using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>Looks again and again at the interfaces that the command line asks for: the declared ones; or, without a declaration, all that are ours, where those of
/// this host's VMs are compared with what these were started from.</summary>
internal sealed class Survey : IDisposable
{
    private static readonly TimeSpan s_holdersAge = TimeSpan.FromSeconds(2);
    private readonly RouteSocket _route;
    private readonly IReadOnlyList<Attachment> _attachments;
    private readonly IReadOnlyList<DesiredLink> _desired;
    private readonly IReadOnlyList<string>? _declared;
    private readonly HostDeclarations? _host;
    private IReadOnlyList<LinkHolder> _holders = [];
    private TimeSpan? _heldAt;

    private Survey(RouteSocket route, IReadOnlyList<Attachment> attachments, IReadOnlyList<DesiredLink> desired, IReadOnlyList<string>? declared, HostDeclarations? host) =>
        (_route, _attachments, _desired, _declared, _host) = (route, attachments, desired, declared, host);

    /// <summary>All that is ours, and what this host's VMs were started from.</summary>
    private Survey(HostDeclarations host) : this(new RouteSocket(), [], [], null, host) { }

    /// <summary>These declarations.</summary>
    private Survey(IReadOnlyList<MicrovmConfig> vms, IReadOnlyList<Attachment> attachments, IReadOnlyList<DesiredLink> desired)
        : this(new RouteSocket(), attachments, desired, [.. vms.Select(v => v.Name)], null) { }

    /// <summary>The named network namespace that is looked at, for the commands that are told.</summary>
    internal string? Netns { get; init; }

    /// <summary>Since the machine was started, by a clock that nobody sets.</summary>
    internal static TimeSpan Now => Stopwatch.GetElapsedTime(0);

    /// <summary>Rates between looks.</summary>
    internal TrafficHistory History { get; } = new();

    /// <summary>Looks at what these declarations ask for.</summary>
    internal static Survey Of(ParseResult result, IReadOnlyList<MicrovmConfig> vms, IReadOnlyList<Attachment> attachments) =>
        new(vms, attachments, HostSession.Desired(result, vms, attachments)) { Netns = result.GetValue(CommonOptions.Netns) };

    /// <summary>Looks at all that is ours, and compares it with what this host's VMs were started from.</summary>
    internal static Survey OfHost(ParseResult result, HostDeclarations? host = null) => new(host ?? HostDeclarations.Of(result)) { Netns = result.GetValue(CommonOptions.Netns) };

    /// <summary>Null after a diagnostic or refusal was printed. Takes <see cref="CommonOptions.MaybeFiles"/>, User, Group and Netns.</summary>
    internal static Survey? Open(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.MaybeFiles) is not { } vms || HostSession.Attach(vms, result) is not { } attachments)
        {
            return null;
        }
        return result.GetValue(CommonOptions.MaybeFiles) is { Length: > 0 } ? Of(result, vms, attachments) : OfHost(result);
    }

    /// <summary>The command that makes these interfaces as they are declared; null where nothing is, or where the declaration came through a pipe.</summary>
    internal string? Mend(ParseResult result, IEnumerable<InterfaceStatus> interfaces) => _host is not null ? _host.Mend(interfaces.Select(i => (i.Vm, i.Type)))
        : result.GetValue(CommonOptions.MaybeFiles) is not { Length: > 0 } files || files.Contains("-") ? null
        : string.Join(' ', ["sudo microvm up", .. result.GetValue(CommonOptions.Netns) is { } netns ? ["--netns", Shell.Quote(netns)] : Array.Empty<string>(), .. files.Select(f => Printable.Of(Shell.Quote(f), int.MaxValue))]);

    /// <summary>All links, as they were at the last look.</summary>
    internal IReadOnlyList<Link> Links { get; private set; } = [];

    /// <summary>How many leases each declared network had given at the last look, of those that gave one.</summary>
    internal IReadOnlyList<(string Network, int Count)> Leases { get; private set; } = [];

    /// <summary>The interfaces as they are now.</summary>
    internal IReadOnlyList<InterfaceStatus> Take()
    {
        _host?.Refresh();
        var state = _host is not null ? HostState.ReadAll(_route, _host.Desired, statistics: true) : HostState.Read(_route, _desired, statistics: true, _declared);
        var links = Links = state.Links;
        var now = Now;
        // All processes are looked through, so not at every look of a fast one.
        if (_heldAt is not { } at || now - at >= s_holdersAge)
        {
            _holders = links.Any(l => l.Kind is "tun" or "macvtap") ? LinkHolder.Scan(links) : [];
            _heldAt = now;
        }
        var interfaces = _host is null ? InterfaceStatus.OfDeclared(_attachments, Plan.ForUp(_desired, state, new() { Vms = _declared!, Netns = Netns }), links, _holders) : OfHost(_host, state);
        History.Add(interfaces, now);
        var guests = GuestAddresses.Read(_route);
        Leases = guests.Leases;
        return [.. interfaces.Select(i => guests.Of(i) is { Count: > 0 } addresses ? i with { Addresses = addresses } : i)];
    }

    /// <summary>Each VM that was started from a declaration by that, every other by its links alone.</summary>
    private IReadOnlyList<InterfaceStatus> OfHost(HostDeclarations host, HostState state)
    {
        var all = InterfaceStatus.OfHost(state.Links, state.Redirects, _holders);
        if (host.Attachments.Count == 0)
        {
            return all;
        }
        var declared = InterfaceStatus.OfDeclared(host.Attachments, Plan.ForUp(host.Desired, state, new() { Vms = [.. host.Started.Select(v => v.Config.Name)], Netns = Netns }), state.Links, _holders);
        var known = declared.Select(i => i.Vm).ToHashSet();
        return [.. declared.Concat(all.Where(i => !known.Contains(i.Vm))).OrderBy(i => i.Vm, StringComparer.Ordinal)];
    }

    public void Dispose() => _route.Dispose();
}
