using System.Diagnostics;
using Microvm.Linux;
using Microvm.Network.Networks;

namespace Microvm.Network;

/// <summary>What the watch has to tell.</summary>
internal enum WatchNews
{
    /// <summary>All is as declared, and events are followed from here on.</summary>
    Watching,

    /// <summary>A link was put right.</summary>
    Mended,

    /// <summary>A link can't be put right, and was left alone: told once while it stays so.</summary>
    Refused,

    /// <summary>A link is right, and what it is on is not: told once while it stays so.</summary>
    Noted,

    /// <summary>Somebody else keeps changing a link back: its repairs come at longer and longer intervals from here on.</summary>
    Contested,

    /// <summary>The kernel refused a repair; it is tried again.</summary>
    Failed,

    /// <summary>The kernel lost events; everything was looked at anew.</summary>
    Resynced,

    /// <summary>The watch has ended.</summary>
    Stopped,
}

/// <summary>The events as they are written, in JSON too. Scripts rely on these words; they never change.</summary>
internal static class WatchWords
{
    internal static string Word(this WatchNews news) => news switch
    {
        WatchNews.Watching => "watching",
        WatchNews.Mended => "mended",
        WatchNews.Refused => "refused",
        WatchNews.Noted => "noted",
        WatchNews.Contested => "contested",
        WatchNews.Failed => "failed",
        WatchNews.Resynced => "resynced",
        WatchNews.Stopped => "stopped",
    };
}

/// <summary>One line of the watch's log.</summary>
/// <param name="Step">What was mended, and why.</param>
/// <param name="Text">For a person.</param>
internal sealed record WatchEntry(WatchNews News, Step? Step, string Text);

/// <summary>What a port of a bridge was seen to have, and the kernel forgets once it leaves the bridge.</summary>
internal sealed record PortSeen(Link Bridge, BridgePort? Port, PortVlans Vlans, IReadOnlyList<Carried> Entries);

/// <summary>Keeps the links of declarations as they were declared: follows the kernel's notifications and mends drift as it happens.</summary>
/// <param name="networks">The networks that the links join.</param>
internal sealed class Watcher(IReadOnlyList<DesiredLink> wanted, HostNetwork network, LinkMonitor monitor, ServiceNotifier notifier, Action<WatchEntry> log,
    IReadOnlyList<DesiredNetwork>? networks = null)
{
    /// <summary>How often it is looked whether the networks' services run: the kernel sends no event of their end.</summary>
    private static readonly TimeSpan s_services = TimeSpan.FromSeconds(2);

    private readonly IReadOnlyList<DesiredNetwork> _networks = networks ?? [];

    private readonly HashSet<string> _names = [.. wanted.Select(w => w.Name), .. wanted.Select(w => w.Bridge).OfType<string>(), .. wanted.Select(w => w.Lower).OfType<string>()];
    private readonly HashSet<string> _vms = [.. wanted.Select(w => w.Vm)];
    private readonly Pace _pace = new();
    private readonly Contest _contest = new();

    /// <summary>The last settings that each of the links had as a port, by alias; the kernel forgets them with the port.</summary>
    private readonly Dictionary<string, PortSeen> _ports = [];
    private HashSet<int> _indexes = [];
    private HashSet<string> _told = [], _noted = [];
    private long _repairs;

    /// <summary>The guests' guards as they were at the last look: the kernel sends no event to us when somebody loads other firewall rules.</summary>
    private string? _guards;
    private readonly bool _isGuarded = wanted.Any(w => w.AntiSpoof == Declaration.AntiSpoof.Ip);

    /// <summary>Mends until <see cref="LinkMonitor.Stop"/>. The first look is an <c>up</c>; after it the service manager hears READY.</summary>
    /// <remarks>What fails on the way is told and tried again, later each time; it ends the watch never.</remarks>
    public void Run()
    {
        Look();
        log(new(WatchNews.Watching, null, $"watching {Count(wanted.Count, "interface")} of {Count(_vms.Count, "VM")}"));
        notifier.Ready(Status);
        for (; ; )
        {
            var now = Now;
            var wake = Wait(Shortest(Shortest(_pace.Left(now), notifier.WatchdogInterval), _networks.Count > 0 || _isGuarded ? s_services : null));
            if (wake == MonitorWake.Stopped)
            {
                break;
            }
            if (wake == MonitorWake.Lost)
            {
                log(new(WatchNews.Resynced, null, "the kernel lost events; looking at every link again"));
                _pace.Event(Now);
            }
            if (_networks.Any(n => ServiceResource.HasEnded(n.Declared)))
            {
                _pace.Event(Now);
            }
            if (_isGuarded && GuardsNow() != _guards)
            {
                _pace.Event(Now);
            }
            if (_pace.Left(Now) == TimeSpan.Zero)
            {
                Look();
            }
            notifier.Alive();
        }
        notifier.Stopping();
        log(new(WatchNews.Stopped, null, $"stopped after {Count(_repairs, "repair")}; the interfaces stay as they are"));
    }

    private string Status => $"{Count(wanted.Count, "interface")} of {Count(_vms.Count, "VM")}, {Count(_repairs, "repair")}";

    private static TimeSpan Now => Stopwatch.GetElapsedTime(0);

    private void Consider(LinkEvent happened)
    {
        if (_names.Contains(happened.Link.Name) || happened.Link.AltNames.Any(_names.Contains) || _indexes.Contains(happened.Link.Index) || Ownership.Vm(happened.Link.Alias) is { } vm && _vms.Contains(vm))
        {
            _pace.Event(Now);
        }
    }

    private MonitorWake Wait(TimeSpan limit)
    {
        try
        {
            return monitor.Wait(limit, Consider, index =>
            {
                if (_indexes.Contains(index))
                {
                    _pace.Event(Now);
                }
            });
        }
        catch (LinuxException e)
        {
            // What happened meanwhile is not known. A socket that fails at once must not keep us busy, nor keep us from being stopped.
            Tell(WatchNews.Failed, [e.Message], ref _told);
            return monitor.WaitForStop(Pace.Refill) ? MonitorWake.Stopped : MonitorWake.Lost;
        }
    }

    private void Look()
    {
        var settled = false;
        List<string> waiting = [];
        try
        {
            IReadOnlyList<string> refusals = [];
            var plan = network.Up(wanted, _networks.Count == 0 ? null : new() { Networks = _networks, Vms = _vms }, p =>
            {
                refusals = [.. p.Refusals.Select(r => r.Text)];
                return Allowed(p, waiting);
            });
            Tell(WatchNews.Refused, refusals, ref _told);
            Tell(WatchNews.Noted, [.. plan.Steps.Where(s => s.Note is not null).Select(s => $"'{s.Name}' of {s.Vm}: {s.Note}")], ref _noted);
            settled = refusals.Count == 0;
            if (plan.HasChanges)
            {
                foreach (var step in plan.Networks?.Steps.Where(s => s.Kind != StepKind.Keep) ?? [])
                {
                    _repairs++;
                    log(new(WatchNews.Mended, null, $"{step.Kind.Word()} {step.Name} of the network {step.Network}: {step.Reason}"));
                }
                foreach (var step in plan.Steps.Where(s => s.Kind != StepKind.Keep))
                {
                    Repaired(step);
                }
                notifier.Status(Status);
            }
            var links = network.Route.Links(statistics: false);
            GiveEntriesBack(plan, links);
            Remember(links);
        }
        catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException)
        {
            // A race lost against whoever changes the same link, or a kernel short of memory: looked at again, by the pace.
            Tell(WatchNews.Failed, [e.Message], ref _told);
        }
        catch (OperationCanceledException)
        {
            // It is to end: the monitor says so next.
        }
        _guards = _isGuarded ? GuardsNow() : null;
        _pace.Looked(Now, settled);
        if (_contest.Next(waiting, Now) is { } next)
        {
            _pace.NoLaterThan(Now + next);
        }
    }

    private static string? GuardsNow()
    {
        try
        {
            return Resources.GuardTable.Read(wanted: true).Picture;
        }
        catch (LinuxException)
        {
            // The next look tells why.
            return null;
        }
    }

    /// <summary>What of a plan is done now.</summary>
    /// <param name="waiting">Takes the aliases of links whose repair has to wait.</param>
    private Plan Allowed(Plan plan, List<string> waiting)
    {
        var steps = new List<Step>(plan.Steps.Count);
        foreach (var step in plan.Steps)
        {
            // One link that can't be mended must not keep the others from it; a tap in use is not replaced under its VM.
            if (plan.Refusals.Count > 0 && step.Kind is StepKind.Replace or StepKind.Delete)
            {
                continue;
            }
            if (step.Kind != StepKind.Keep && step.Desired is { } want)
            {
                if (!_contest.Allows(want.Alias, step.Reason, Now))
                {
                    waiting.Add(want.Alias);
                    continue;
                }
                if (want.Bridge is { } bridge && _ports.TryGetValue(want.Alias, out var had) && had.Bridge.IsNamed(bridge)
                    && (step.Kind == StepKind.Create || (step.Kind is StepKind.Change or StepKind.Replace && step.Observed!.Master != step.Master)))
                {
                    steps.Add(step with { Port = had.Port, Vlans = had.Vlans });
                    continue;
                }
            }
            steps.Add(step);
        }
        return new(steps, []);
    }

    private void Repaired(Step step)
    {
        _repairs++;
        log(new(WatchNews.Mended, step, $"{step.Kind.Word()} {step.Name} of {step.Vm}: {step.Reason}"));
        if (step.Desired is { } want && _contest.Repaired(want.Alias, step.Reason, Now) is not null)
        {
            log(new(WatchNews.Contested, step, $"'{step.Name}' of {step.Vm} was mended {Contest.Patience} times, and each time somebody changed it back ({step.Reason}): "
                + "another watch with another declaration, or a network manager. It is tried less and less often from here on"));
        }
    }

    /// <summary>Gives ports that were attached again the forwarding entries that they had. Where the kernel refuses one, the port stays attached.</summary>
    private void GiveEntriesBack(Plan plan, IReadOnlyList<Link> links)
    {
        var batch = new RouteBatch();
        foreach (var step in plan.Steps.Where(s => s.Vlans is not null))
        {
            if (links.FirstOrDefault(l => l.Alias == step.Desired!.Alias) is { } port && _ports.TryGetValue(port.Alias!, out var had))
            {
                LinkDependents.Give(had.Entries, port, batch);
            }
        }
        foreach (var refusal in network.Route.Try(batch))
        {
            log(new(WatchNews.Failed, null, refusal.Message));
        }
    }

    private void Remember(IReadOnlyList<Link> links)
    {
        _indexes = [];
        Dictionary<int, Link>? bridges = null;
        Dictionary<int, PortVlans>? vlans = null;
        ILookup<int, Carried>? entries = null;
        foreach (var link in links)
        {
            var ours = Ownership.Vm(link.Alias) is { } vm && _vms.Contains(vm);
            if (ours || _names.Contains(link.Name) || link.AltNames.Any(_names.Contains))
            {
                _indexes.Add(link.Index);
            }
            if (ours && link is { MasterKind: "bridge", Master: { } master })
            {
                bridges ??= links.Where(l => l.Kind == "bridge").ToDictionary(l => l.Index);
                // A port that leaves meanwhile is in none of the last dump, and what was seen before is kept.
                entries ??= LinkDependents.Forwarding(network.Route, [.. links.Where(l => l.MasterKind == "bridge" && Ownership.Vm(l.Alias) is not null)]);
                vlans ??= PortVlans.Read(network.Route);
                if (bridges.TryGetValue(master, out var bridge) && vlans.TryGetValue(link.Index, out var its))
                {
                    _ports[link.Alias!] = new(bridge, link.Port, its, [.. entries[link.Index]]);
                }
            }
        }
    }

    /// <summary>Each trouble once, as long as it lasts.</summary>
    private void Tell(WatchNews news, IReadOnlyCollection<string> troubles, ref HashSet<string> told)
    {
        foreach (var trouble in troubles)
        {
            if (!told.Contains(trouble))
            {
                log(new(news, null, trouble));
            }
        }
        told = [.. troubles];
    }

    private static TimeSpan Shortest(TimeSpan? one, TimeSpan? other) =>
        one is null && other is null ? Timeout.InfiniteTimeSpan : TimeSpan.FromTicks(Math.Min((one ?? TimeSpan.MaxValue).Ticks, (other ?? TimeSpan.MaxValue).Ticks));

    private static string Count(long number, string noun) => $"{number} {noun}{(number == 1 ? "" : "s")}";
}
