namespace Microvm.Faults;

/// <summary>A fault to inject: an error number in the place of the call, or with the call SIGTERM (as <c>Errno</c>) or SIGKILL (null).</summary>
internal sealed record Fault(Call Call, string? Errno)
{
    internal const string Terminate = "SIGTERM";

    internal string Injection => $"inject={Call.Name}:{(Errno switch { null => "signal=KILL", Terminate => "signal=TERM", _ => $"error={Errno}" })}:when={Call.Nth}";
    public override string ToString() => $"{Errno ?? "SIGKILL"} at {Call}";
}

/// <summary>What became of one run.</summary>
internal enum Verdict
{
    /// <summary>The run did not make the call this time.</summary>
    NotReached,

    /// <summary>The goal was reached in spite of the fault.</summary>
    ReachedGoal,

    /// <summary>The command failed and the host was as before.</summary>
    LeftAsBefore,

    /// <summary>The process was ended half-way; the next command converged.</summary>
    Converged,

    /// <summary>The host was neither as before nor as wanted, or a command after it did not converge.</summary>
    Leak,

    /// <summary>It said that it succeeded and had not, hung, or crashed on an error that it should have told.</summary>
    Wrong,
}

/// <summary>Runs a scenario's command with one fault and judges the host afterwards.</summary>
internal sealed class Trial(Bench bench, Scenario scenario, string before, string goal)
{
    internal (Verdict Verdict, string Detail) Run(Fault fault, bool endByDown)
    {
        var log = Path.Combine(bench.Folder, "trial.log");
        var outcome = Shell.Run("strace", ["-s", "16", "-o", log, "-e", $"trace={fault.Call.Name}", "-e", fault.Injection, bench.Binary, .. scenario.Command]);
        var trace = File.ReadAllText(log);
        if (!trace.Contains("(INJECTED)", StringComparison.Ordinal) && !trace.Contains("killed by SIGKILL", StringComparison.Ordinal) && !trace.Contains("--- SIGTERM", StringComparison.Ordinal))
        {
            bench.Reset(scenario, before);
            return (Verdict.NotReached, "");
        }
        var verdict = outcome.Code switch
        {
            -1 => (Verdict.Wrong, "hangs"),
            // It may die of one before it listens to signals, and after it has done all.
            > 128 when fault.Errno == Fault.Terminate => AfterTerm(HostState.Read()),
            > 128 => AfterDeath(fault, outcome, endByDown),
            _ => AfterError(outcome),
        };
        bench.Reset(scenario, before);
        return verdict;
    }

    private (Verdict, string) AfterTerm(string state) =>
        state == before ? (Verdict.LeftAsBefore, "") : state == goal ? (Verdict.ReachedGoal, "") : (Verdict.Leak, $"died of SIGTERM\n{HostState.Difference(before, state)}");

    /// <summary>A second fault while the first is being undone: the host may be left between, and the next command has to put it right.</summary>
    /// <returns>The second fault; null where nothing followed the first.</returns>
    internal (Fault? Second, Verdict Verdict, string Detail) RunTwice(Fault first, Random random, bool endByDown)
    {
        var log = Path.Combine(bench.Folder, "trial.log");
        Shell.Run("strace", ["-f", "-s", "64", "-o", log, "-e", first.Injection, bench.Binary, .. scenario.Command]);
        bench.Reset(scenario, before);
        // strace keeps one injection a call's name, so the second fault is at a call of another.
        var after = Call.Read(log, scenario.Declaration, out _).SkipWhile(c => !c.Injected).Skip(1).Where(c => c.Name != first.Call.Name && c.Name != "exit_group").ToArray();
        if (after.Length == 0)
        {
            return (null, Verdict.NotReached, "");
        }
        var call = after[random.Next(after.Length)];
        string?[] ways = [null, .. Errnos.Of(call.Name)];
        var second = new Fault(call, ways[random.Next(ways.Length)]);
        var outcome = Shell.Run("strace", ["-s", "16", "-o", log, "-e", $"trace={first.Call.Name},{call.Name}", "-e", first.Injection, "-e", second.Injection, bench.Binary, .. scenario.Command]);
        var (verdict, detail) = outcome.Code switch
        {
            -1 => (Verdict.Wrong, "hangs"),
            0 when HostState.Read() != goal => (Verdict.Wrong, "says success and is not there"),
            _ when HasStackTrace(outcome) && !Errnos.IsMemory(call.Name) => (Verdict.Wrong, $"a stack trace: {Words(outcome)}"),
            _ => Converge(endByDown),
        };
        bench.Reset(scenario, before);
        return (second, verdict, detail);
    }

    private (Verdict, string) AfterDeath(Fault fault, Shell.Outcome outcome, bool endByDown)
    {
        var converged = Converge(endByDown);
        return converged.Item1 == Verdict.Converged && fault.Errno is not null && !fault.Call.StartUp && !Errnos.IsMemory(fault.Call.Name)
            ? (Verdict.Wrong, $"died with {outcome.Code}: {Words(outcome)}")
            : converged;
    }

    private (Verdict, string) Converge(bool endByDown)
    {
        if (!endByDown)
        {
            var again = bench.Microvm(scenario.Command);
            var reached = HostState.Read();
            if (again.Code != 0 || reached != goal)
            {
                return (Verdict.Leak, $"the same command again: exit code {again.Code} {Words(again)}\n{HostState.Difference(goal, reached)}");
            }
        }
        var down = bench.Microvm("down", scenario.Declaration);
        var left = HostState.Read();
        return down.Code == 0 && left == bench.Base(scenario) ? (Verdict.Converged, "")
            : (Verdict.Leak, $"down: exit code {down.Code} {Words(down)}\n{HostState.Difference(bench.Base(scenario), left)}");
    }

    private (Verdict, string) AfterError(Shell.Outcome outcome)
    {
        var state = HostState.Read();
        if (HasStackTrace(outcome))
        {
            return (Verdict.Wrong, $"a stack trace: {Words(outcome)}");
        }
        return state == goal ? (Verdict.ReachedGoal, "")
            : outcome.Code == 0 ? (Verdict.Wrong, $"says success and is not there\n{HostState.Difference(goal, state)}")
            : state == before ? (outcome.Err.Length > 0 ? (Verdict.LeftAsBefore, "") : (Verdict.Wrong, $"exit code {outcome.Code} without a word"))
            : (Verdict.Leak, $"exit code {outcome.Code} {Words(outcome)}\n{HostState.Difference(before, state)}");
    }

    private static bool HasStackTrace(Shell.Outcome outcome) =>
        outcome.Err.Contains("Unhandled exception", StringComparison.Ordinal) || outcome.Err.Contains("   at ", StringComparison.Ordinal);

    private static string Words(Shell.Outcome outcome) => outcome.Err.Length > 300 ? outcome.Err[..300] : outcome.Err.Trim();
}
