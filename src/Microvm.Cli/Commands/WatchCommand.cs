using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Network.Networks;

namespace Microvm.Cli.Commands;

internal static class WatchCommand
{
    internal static Command Create() => Verb.Define("watch", "Keep the declared interfaces as declared: repair drift as it happens, until SIGTERM or Ctrl-C",
        ["sudo microvm watch vm.nix", "sudo microvm watch web", "sudo microvm watch --json a.nix b.nix"], Run,
        CommonOptions.Files, CommonOptions.Json, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group, VmHost.State);

    private static int Run(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms || HostSession.Attach(vms) is not { } attachments)
        {
            return 2;
        }
        // Followed before the first look, so that nothing that happens in between is missed.
        using var monitor = new LinkMonitor(hostSide: attachments.Any(a => a.Interface is { HostAddresses.Count: > 0 } or { HostRoutes.Count: > 0 }));
        using var notifier = new ServiceNotifier();
        var stopped = false;
        var alive = Stopwatch.GetTimestamp();
        using var network = new HostNetwork
        {
            Netns = result.GetValue(CommonOptions.Netns),
            // Asked while another microvm is waited for as well, which may take longer than the watchdog would.
            Interrupted = () =>
            {
                if (notifier.WatchdogInterval is { } interval && Stopwatch.GetElapsedTime(alive) > interval)
                {
                    notifier.Alive();
                    alive = Stopwatch.GetTimestamp();
                }
                return Volatile.Read(ref stopped);
            },
        };
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            Volatile.Write(ref stopped, true);
            monitor.Stop();
        }
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var json = result.GetValue(CommonOptions.Json);
        new Watcher(HostSession.Desired(result, vms, attachments), network, monitor, notifier, e => Print(e, json), DesiredNetwork.Of(vms)).Run();
        return 0;
    }

    private static void Print(WatchEntry entry, bool json)
    {
        if (json)
        {
            var line = new WatchReport(DateTime.UtcNow, entry.News.Word(), entry.Step?.Vm, entry.Step?.Name, entry.Step?.Kind.Word(), entry.Step?.Reason ?? entry.Text);
            Console.WriteLine(JsonSerializer.Serialize(line, WatchReports.Default.WatchReport));
            return;
        }
        var terminal = Terminal.Output;
        var style = entry.News switch
        {
            WatchNews.Mended => Style.Yellow,
            WatchNews.Refused or WatchNews.Failed => Style.BoldRed,
            _ => Style.Dim,
        };
        var time = terminal.IsTerminal ? $"{terminal.Paint(Style.Dim, DateTime.Now.ToString("HH:mm:ss", System.Globalization.CultureInfo.InvariantCulture))} " : "";
        var word = entry.News is WatchNews.Watching or WatchNews.Stopped ? "" : $"{terminal.Paint(style, $"{entry.News.Word(),-8}")} ";
        Console.WriteLine($"{time}{word}{entry.Text}");
    }
}
