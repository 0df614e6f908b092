using System.Text;

namespace Microvm.Faults;

/// <summary>The count of a scenario's trials, and the table of all of them.</summary>
internal sealed class Figures
{
    internal sealed record Row(string Scenario, int Calls)
    {
        internal int Kills { get; set; }
        internal int Errors { get; set; }
        internal int Terminated { get; set; }
        internal int Reached { get; set; }
        internal int AsBefore { get; set; }
        internal int Converged { get; set; }
        internal int Leaks { get; set; }
        internal int Wrong { get; set; }
        internal int Survived => Reached + AsBefore + Converged;

        internal void Count(Fault fault, Verdict verdict)
        {
            if (verdict == Verdict.NotReached)
            {
                return;
            }
            Kills += fault.Errno is null ? 1 : 0;
            Terminated += fault.Errno == Fault.Terminate ? 1 : 0;
            Errors += fault.Errno is null ? 0 : 1;
            Reached += verdict == Verdict.ReachedGoal ? 1 : 0;
            AsBefore += verdict == Verdict.LeftAsBefore ? 1 : 0;
            Converged += verdict == Verdict.Converged ? 1 : 0;
            Leaks += verdict == Verdict.Leak ? 1 : 0;
            Wrong += verdict == Verdict.Wrong ? 1 : 0;
        }
    }

    internal List<Row> Rows { get; } = [];

    /// <summary>Of all scenarios: a second fault, drawn by lot, after a first that was being undone.</summary>
    internal Row Twice { get; } = new("a second fault during the undoing of a first", 0);
    internal int Failures => Rows.Append(Twice).Sum(r => r.Leaks + r.Wrong);

    /// <summary>The table in Markdown.</summary>
    internal string Table()
    {
        var text = new StringBuilder();
        text.AppendLine("| scenario | calls | faults tried | of them SIGKILL | SIGTERM | goal reached | left as before | converged after death | wrong answers | leaks |");
        text.AppendLine("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        foreach (var r in Rows.Append(Twice))
        {
            text.AppendLine($"| {r.Scenario} | {(r == Twice ? "" : r.Calls)} | {r.Kills + r.Errors} | {r.Kills} | {r.Terminated} | {r.Reached} | {r.AsBefore} | {r.Converged} | {r.Wrong} | {r.Leaks} |");
        }
        int Sum(Func<Row, int> of) => Rows.Append(Twice).Sum(of);
        text.AppendLine($"| **all** | {Sum(r => r.Calls)} | {Sum(r => r.Kills + r.Errors)} | {Sum(r => r.Kills)} | {Sum(r => r.Terminated)} | {Sum(r => r.Reached)} | {Sum(r => r.AsBefore)} | {Sum(r => r.Converged)} | {Sum(r => r.Wrong)} | {Sum(r => r.Leaks)} |");
        return text.ToString();
    }

    /// <summary>Puts the table between the two markers of a document.</summary>
    internal void Write(string document, string extent)
    {
        const string Begin = "<!-- figures: made by tests/faults -->", End = "<!-- end of figures -->";
        var text = File.ReadAllText(document);
        var from = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        File.WriteAllText(document, $"{text[..from]}\n{extent}\n\n{Table()}{text[text.IndexOf(End, StringComparison.Ordinal)..]}");
    }
}
