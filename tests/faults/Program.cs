using System.Diagnostics;
using Microvm.Faults;

// microvm-faults BINARY [--all | --seconds N] [--seed N] [--only WORDS] [--write DOCUMENT]
// Every system call of an up, a down and a replace fails once in each plausible way; the host is compared after each.
if (!Sandbox.Enter(ref args, out var code))
{
    return code;
}
var all = args.Contains("--all");
string? Option(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
var seconds = all ? double.PositiveInfinity : double.Parse(Option("--seconds") ?? "60");
var random = new Random(int.Parse(Option("--seed") ?? "1"));
var folder = Directory.CreateTempSubdirectory("microvm-faults-").FullName;
try
{
    var bench = new Bench(Path.GetFullPath(args[0]), folder);
    var figures = new Figures();
    var scenarios = Scenario.All(folder).Where(s => Option("--only") is not { } only || s.Name.Contains(only, StringComparison.Ordinal)).ToList();
    foreach (var scenario in scenarios)
    {
        if (bench.Microvm("check", scenario.Declaration).Code == 0 && bench.Microvm("plan", scenario.Declaration) is { Code: 2 } plan)
        {
            Console.Error.WriteLine($"{scenario.Name}: not possible with this binary: {plan.Err.Trim()}");
            continue;
        }
        var before = bench.Prepare(scenario);
        var calls = Call.Trace(Path.Combine(folder, "whole.log"), [bench.Binary, .. scenario.Command], scenario.Declaration, out var others);
        var goal = HostState.Read();
        if (goal == before)
        {
            throw new InvalidOperationException($"{scenario.Name}: the command changes nothing, so there is nothing to test");
        }
        bench.Reset(scenario, before);
        calls = [.. calls.Where(c => scenario.WithStartUp || !c.StartUp)];
        var faults = calls.SelectMany(c => Errnos.Of(c.Name).Append(Fault.Terminate).Select(e => new Fault(c, e)).Prepend(new Fault(c, null))).ToArray();
        if (!all)
        {
            random.Shuffle(faults);
        }
        var row = new Figures.Row(scenario.Name, calls.Count);
        figures.Rows.Add(row);
        var second = figures.Twice;
        var trial = new Trial(bench, scenario, before, goal);
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < faults.Length && clock.Elapsed.TotalSeconds < seconds / scenarios.Count; i++)
        {
            // A killed run is followed by the same command and a down, or by a down alone: with --all by each.
            foreach (var endByDown in all && faults[i].Errno is null ? (bool[])[false, true] : [i % 2 == 0])
            {
                var (verdict, detail) = trial.Run(faults[i], endByDown);
                row.Count(faults[i], verdict);
                if (verdict is Verdict.Leak or Verdict.Wrong)
                {
                    Console.WriteLine($"{verdict}: {scenario.Name}: {faults[i]}: {detail}");
                }
                if (verdict == Verdict.LeftAsBefore && faults[i].Errno != Fault.Terminate && !faults[i].Call.StartUp && trial.RunTwice(faults[i], random, i % 2 == 0) is { Second: { } then } twice)
                {
                    second.Count(then, twice.Verdict);
                    if (twice.Verdict is Verdict.Leak or Verdict.Wrong)
                    {
                        Console.WriteLine($"{twice.Verdict}: {scenario.Name}: {faults[i]}, then {then}: {twice.Detail}");
                    }
                }
            }
        }
        Console.Error.WriteLine($"{scenario.Name}: {row.Kills + row.Errors} faults, {row.Leaks} leaks, {row.Wrong} wrong; {clock.Elapsed.TotalSeconds:0} s; {others} calls by other threads");
    }
    Console.Write(figures.Table());
    if (Option("--write") is { } document)
    {
        figures.Write(document, all ? "Every fault of every call:" : $"A random sample, drawn for {seconds:0} seconds; `./test.sh --all` tries every one:");
    }
    return figures.Failures == 0 && figures.Rows.All(r => r.Survived > 0) ? 0 : 1;
}
finally
{
    Directory.Delete(folder, true);
}
