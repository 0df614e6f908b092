using System.CommandLine;
using Microvm.Linux;
using Microvm.Observation;

namespace Microvm.Cli.Commands;

internal static class TopCommand
{
    private static readonly Option<bool> s_batch = new("--batch", "-b") { Description = "Print frames one after the other (the default in a pipe and with TERM=dumb)" };
    private static readonly Option<bool> s_once = new("--once") { Description = "Print one frame, after one interval" };
    private static readonly Option<int?> s_count = new("--count", "-c") { Description = "Stop after this many frames", HelpName = "N" };
    private static readonly Option<string> s_sort = new Option<string>("--sort") { Description = "Sort by this", HelpName = "ORDER", DefaultValueFactory = _ => TopView.Orders[0] }.AcceptOnlyFromAmong([.. TopView.Orders]);

    internal static Command Create() => Verb.Define("top", "Watch the traffic of the interfaces: rates, drops and errors, sorted, with keys as in htop",
        ["microvm top", "microvm top --sort drops vm.nix", "microvm top --once | head"], Run,
        CommonOptions.MaybeFiles, s_batch, s_once, s_count, CommonOptions.Interval, s_sort, VmHost.State, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static int Run(ParseResult result)
    {
        var interval = CommonOptions.IntervalOf(result);
        var once = result.GetValue(s_once);
        var count = once ? 1 : result.GetValue(s_count) ?? int.MaxValue;
        using var survey = Survey.Open(result);
        if (survey is null)
        {
            return 2;
        }
        var view = new TopView(survey.History, Environment.MachineName) { Interval = interval };
        view.SortBy(result.GetValue(s_sort)!);
        using var interrupts = new Interrupts();
        if (once || result.GetValue(s_batch) || !Terminal.Output.CanDraw)
        {
            Batch(survey, view, interrupts, count);
        }
        else
        {
            using var screen = new LiveScreen(interrupts);
            Live(survey, view, interrupts, screen, count);
        }
        return 0;
    }

    /// <summary>Rates need two looks, so the first frame comes after one interval.</summary>
    private static void Batch(Survey survey, TopView view, Interrupts interrupts, int count)
    {
        Look(survey, _ => { }, out _);
        for (var n = 0; n < count && !Terminal.OutputStream.IsBroken; n++)
        {
            interrupts.WakeUp.Wait(-1, (int)view.Interval.TotalMilliseconds);
            if (interrupts.Stop)
            {
                return;
            }
            if (!Look(survey, view.Take, out var why))
            {
                Console.Error.WriteLine($"microvm: {why}");
            }
            Console.WriteLine(string.Join('\n', view.Frame(Terminal.Output, null).Select(l => l.TrimEnd())) + (n + 1 < count ? "\n" : ""));
        }
    }

    /// <summary>A look that fails leaves the last picture; the next one may do better.</summary>
    private static bool Look(Survey survey, Action<IReadOnlyList<InterfaceStatus>> take, out string? why)
    {
        try
        {
            take(survey.Take());
            why = null;
            return true;
        }
        catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException)
        {
            why = e.Message;
            return false;
        }
    }

    private static void Live(Survey survey, TopView view, Interrupts interrupts, LiveScreen screen, int count)
    {
        var next = TimeSpan.Zero;
        var looks = 0;
        while (!interrupts.Stop && !view.Quit)
        {
            if (Survey.Now >= next)
            {
                if (!view.Paused)
                {
                    Look(survey, view.Take, out var why);
                    view.Trouble = why;
                    if (looks++ >= count)
                    {
                        return;
                    }
                }
                // The second look comes soon, so that the first rates do.
                next = Survey.Now + (looks == 1 ? TimeSpan.FromSeconds(Math.Min(0.5, view.Interval.TotalSeconds)) : view.Interval);
            }
            screen.Draw(view.Frame(Terminal.Output, LiveScreen.Size.Rows));
            var before = view.Interval;
            foreach (var key in screen.Keys((int)Math.Max(0, (next - Survey.Now).TotalMilliseconds + 1)))
            {
                view.Press(key);
            }
            next = view.Interval == before ? next : Survey.Now + view.Interval;
        }
    }
}
