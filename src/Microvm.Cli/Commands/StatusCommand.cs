using System.CommandLine;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Observation;

namespace Microvm.Cli.Commands;

internal static class StatusCommand
{
    private static readonly Option<bool> s_watch = new("--watch", "-w") { Description = "Keep refreshing and show rates, until q or Ctrl-C" };
    private static readonly Option<bool> s_exitCode = new("--exit-code") { Description = $"Exit with {Verb.DriftCode} unless every interface is up and as declared, and its bridge or lower device is up and has a carrier" };

    internal static Command Create() => Verb.Define("status", "Show the state of declared interfaces, or of all interfaces that microvm created",
        ["microvm status", "microvm status --json vm.nix", "microvm status --watch vm.nix", "microvm status --exit-code vm.nix || sudo microvm up vm.nix"], Run,
        CommonOptions.MaybeFiles, s_watch, CommonOptions.Interval, CommonOptions.Json, s_exitCode, VmHost.State, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static int Run(ParseResult result)
    {
        var interval = CommonOptions.IntervalOf(result);
        using var survey = Survey.Open(result);
        if (survey is null)
        {
            return 2;
        }
        var json = result.GetValue(CommonOptions.Json);
        var mend = Mend(result, survey);
        if (result.GetValue(s_watch))
        {
            Watch(survey, interval, json, mend);
            return 0;
        }
        var interfaces = survey.Take();
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize([.. interfaces.Select(i => LinkReport.Of(i, null))], Reports.Default.LinkReportArray));
        }
        else
        {
            Console.WriteLine(string.Join('\n', StatusTable.Lines(interfaces, null, mend, Terminal.Output)));
        }
        return result.GetValue(s_exitCode) && interfaces.Any(i => !i.IsRight) ? Verb.DriftCode : 0;
    }

    private static Func<IReadOnlyList<InterfaceStatus>, string?> Mend(ParseResult result, Survey survey) => interfaces => survey.Mend(result, interfaces.Where(i => i.State is not (InterfaceState.Up or InterfaceState.Unlinked)));

    /// <summary>On a terminal one picture; in a pipe a table or a line of JSON each time.</summary>
    private static void Watch(Survey survey, TimeSpan interval, bool json, Func<IReadOnlyList<InterfaceStatus>, string?> mend)
    {
        using var interrupts = new Interrupts();
        using var screen = Terminal.Output.CanDraw && !json ? new LiveScreen(interrupts) : null;
        var next = TimeSpan.Zero;
        IReadOnlyList<InterfaceStatus> interfaces = [];
        while (!interrupts.Stop && !Terminal.OutputStream.IsBroken)
        {
            var due = Survey.Now >= next;
            if (due)
            {
                interfaces = survey.Take();
                next = Survey.Now + interval;
            }
            if (screen is not null)
            {
                screen.Draw(Fit([.. StatusTable.Lines(interfaces, survey.History, mend, Terminal.Output), ""], LiveScreen.Size.Rows));
            }
            else if (due)
            {
                Console.WriteLine(json
                    ? JsonSerializer.Serialize([.. interfaces.Select(i => LinkReport.Of(i, survey.History.Of(i)))], StatusLines.Default.LinkReportArray)
                    : string.Join('\n', StatusTable.Lines(interfaces, survey.History, mend, Terminal.Output)) + "\n");
            }
            var wait = (int)Math.Max(0, (next - Survey.Now).TotalMilliseconds + 1);
            if (screen is null)
            {
                interrupts.WakeUp.Wait(-1, wait);
            }
            else if (screen.Keys(wait).Any(k => k is "q" or "f10" or "escape"))
            {
                return;
            }
        }
    }

    /// <summary>Where there are more lines than rows, how many are left out is told in the last.</summary>
    private static IEnumerable<string> Fit(IReadOnlyList<string> lines, int rows)
    {
        var left = lines.Count - Math.Max(1, rows - 1);
        return [.. lines.Take(rows - 1), Terminal.Output.Paint(Style.Dim, CellText.Cut(left > 0 ? $"q quits; no room for {left} more line{(left == 1 ? "" : "s")}" : "q quits", LiveScreen.Size.Columns))];
    }
}
