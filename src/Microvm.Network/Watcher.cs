using System.Diagnostics;
using Microvm.Linux;

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

    /// <summary>The kernel refused a repair; it is tried again.</summary>
    Failed,

    /// <summary>The kernel lost events; everything was looked at anew.</summary>
    Resynced,

    /// <summary>The watch has ended.</summary>
    Stopped,
}

/// <summary>One line of the watch's log.</summary>
/// <param name="Step">What was mended, and why.</param>
/// <param name="Text">For a person.</param>
internal sealed record WatchEntry(WatchNews News, Step? Step, string Text);

/// <summary>Keeps the links of declarations as they were declared: follows the kernel's notifications and mends drift as it happens.</summary>
internal sealed class Watcher(IReadOnlyList<DesiredLink> wanted, HostNetwork network, LinkMonitor monitor, ServiceNotifier notifier, Action<WatchEntry> log)
{
    private readonly HashSet<string> _names = [.. wanted.Select(w => w.Name), .. wanted.Select(w => w.Bridge).OfType<string>()];
    private readonly HashSet<string> _vms = [.. wanted.Select(w => w.Vm)];
    private readonly Pace _pace = new();
    private HashSet<int> _indexes = [];
    private HashSet<string> _told = [];
    private long _repairs;

    /// <summary>Mends until <see cref="LinkMonitor.Stop"/>. The first look is an <c>up</c>; after it the service manager hears READY.</summary>
    /// <exception cref="LinuxException">Events can't be followed.</exception>
    public void Run()
    {
        Look();
        log(new(WatchNews.Watching, null, $"watching {Count(wanted.Count, "interface")} of {Count(_vms.Count, "VM")}"));
        notifier.Ready(Status);
        for (; ; )
        {
            var now = Now;
            var wake = monitor.Wait(Shortest(_pace.Left(now), notifier.WatchdogInterval), Consider);
            if (wake == MonitorWake.Stopped)
            {
                break;
            }
            if (wake == MonitorWake.Lost)
            {
                log(new(WatchNews.Resynced, null, "the kernel lost events; looking at every link anew"));
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
        if (_names.Contains(happened.Link.Name) || _indexes.Contains(happened.Link.Index) || Ownership.Vm(happened.Link.Alias) is { } vm && _vms.Contains(vm))
        {
            _pace.Event(Now);
        }
    }

    private void Look()
    {
        var settled = false;
        try
        {
            IReadOnlyList<string> refusals = [];
            // One link that can't be mended must not keep the others from it; a tap in use is not replaced under its VM.
            var plan = network.Up(wanted, null, p =>
            {
                refusals = [.. p.Refusals.Select(r => r.Text)];
                return p.Refusals.Count == 0 ? p : new([.. p.Steps.Where(s => s.Kind is not (StepKind.Replace or StepKind.Delete))], []);
            });
            Tell(WatchNews.Refused, refusals);
            settled = refusals.Count == 0;
            if (plan.HasChanges)
            {
                foreach (var step in plan.Steps.Where(s => s.Kind != StepKind.Keep))
                {
                    _repairs++;
                    log(new(WatchNews.Mended, step, $"{step.Kind.ToString().ToLowerInvariant()} {step.Name} of {step.Vm}: {step.Reason}"));
                }
                notifier.Status(Status);
            }
            var links = network.Route.Links(statistics: false);
            _indexes = [.. links.Where(l => _names.Contains(l.Name) || Ownership.Vm(l.Alias) is { } vm && _vms.Contains(vm)).Select(l => l.Index)];
        }
        catch (LinuxException e)
        {
            // A race lost against whoever changes the same link, or a kernel short of memory: looked at again, by the pace.
            Tell(WatchNews.Failed, [e.Message]);
        }
        _pace.Looked(Now, settled);
    }

    /// <summary>Each trouble once, as long as it lasts.</summary>
    private void Tell(WatchNews news, IReadOnlyCollection<string> troubles)
    {
        foreach (var trouble in troubles.Where(t => !_told.Contains(t)))
        {
            log(new(news, null, trouble));
        }
        _told = [.. troubles];
    }

    private static TimeSpan Shortest(TimeSpan? one, TimeSpan? other) =>
        one is null && other is null ? Timeout.InfiniteTimeSpan : TimeSpan.FromTicks(Math.Min((one ?? TimeSpan.MaxValue).Ticks, (other ?? TimeSpan.MaxValue).Ticks));

    private static string Count(long number, string noun) => $"{number} {noun}{(number == 1 ? "" : "s")}";
}
