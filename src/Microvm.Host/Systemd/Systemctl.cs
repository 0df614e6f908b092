using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Systemd;

/// <summary>What systemd says of one unit.</summary>
/// <param name="Active">active, activating, deactivating, inactive or failed.</param>
/// <param name="Sub">The finer state: running, auto-restart, dead and so on.</param>
/// <param name="Enabled">Whether it starts with the host.</param>
/// <param name="Restarts">How often systemd has started it again by itself, since somebody started it.</param>
/// <param name="Invocation">Names this run of it in the journal.</param>
/// <param name="Entered">When it last became active, by the clock since boot; zero for never.</param>
/// <param name="Left">When it last was active no more.</param>
/// <param name="Queued">Whether systemd is about to change it: a start that waits for other units, say.</param>
/// <param name="Load">loaded, or not-found where there is no such unit.</param>
public sealed record UnitState(
    string Unit, string Active, string Sub, int MainPid, bool Enabled, string Result, int Restarts, string Invocation, TimeSpan Entered, TimeSpan Left, string Load, bool Queued)
{
    /// <summary>A VM that has run for as long after a restart has come to rest.</summary>
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(20);

    private const int MostText = 512;

    /// <summary>The clock that <see cref="Entered"/> and <see cref="Left"/> are told by (CLOCK_MONOTONIC).</summary>
    public static TimeSpan Now => TimeSpan.FromMilliseconds(Environment.TickCount64);

    /// <summary>Whether it ended again soon after it was started, or never came so far, whatever it does at this moment. One that was started again
    /// once, and runs, is what a guest that rebooted looks like.</summary>
    public bool IsFailing => Active == "failed" || Sub == "auto-restart" || Restarts > 0 && (Active == "activating" || Active == "inactive" && Queued)
        || Restarts > 1 && Active == "active" && Now - Entered < s_settled;

    /// <summary>The properties that <see cref="Parse"/> reads.</summary>
    internal const string Properties = "Id,LoadState,Job,ActiveState,SubState,MainPID,UnitFileState,Result,NRestarts,InvocationID,ActiveEnterTimestampMonotonic,ActiveExitTimestampMonotonic";

    /// <summary>Reads what <c>systemctl show --property=…</c> prints: one block a unit, with an empty line between two.</summary>
    public static IReadOnlyList<UnitState> Parse(string output) =>
    [
        .. output.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(block =>
        {
            var fields = block.Split('\n').Select(l => l.Split('=', 2)).Where(p => p.Length == 2).GroupBy(p => p[0]).ToDictionary(g => g.Key, g => g.Last()[1]);
            // All of it may be shown.
            string Of(string name) => Printable.Of(fields.GetValueOrDefault(name, ""), MostText);
            TimeSpan Time(string name) => long.TryParse(Of(name), out var microseconds) ? TimeSpan.FromMicroseconds(microseconds) : TimeSpan.Zero;
            return new UnitState(Of("Id"), Of("ActiveState"), Of("SubState"), int.TryParse(Of("MainPID"), out var pid) ? pid : 0, Of("UnitFileState") == "enabled", Of("Result"),
                int.TryParse(Of("NRestarts"), out var restarts) ? restarts : 0, Of("InvocationID"), Time("ActiveEnterTimestampMonotonic"), Time("ActiveExitTimestampMonotonic"), Of("LoadState"), Of("Job") is not ("" or "0"));
        }),
    ];
}

/// <summary>systemctl(1), called with argument arrays.</summary>
public static class Systemctl
{
    /// <summary>For an answer, and for a unit's start or stop, which has a limit of its own in the unit.</summary>
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(20), s_work = TimeSpan.FromMinutes(10);

    /// <summary>Whether systemd runs this host (sd_booted(3)).</summary>
    public static bool IsRunning => Directory.Exists("/run/systemd/system");

    /// <summary>The states of the VMs' <c>microvm@</c> units; none where systemd does not run.</summary>
    /// <exception cref="IOException">systemctl failed.</exception>
    public static IReadOnlyDictionary<string, UnitState> States(IReadOnlyList<VmName> vms)
    {
        return vms.Count == 0 || !IsRunning ? new Dictionary<string, UnitState>() : Show([.. vms.Select(v => v.Unit)]).GroupBy(u => u.Unit).ToDictionary(g => g.Key, g => g.First());
    }

    /// <summary>What systemd says of these units, in their order.</summary>
    /// <exception cref="IOException">systemctl failed.</exception>
    public static IReadOnlyList<UnitState> Show(IReadOnlyList<string> units)
    {
        var (code, output, errors) = Capture("systemctl", ["show", $"--property={UnitState.Properties}", "--", .. units]);
        return code == 0 ? UnitState.Parse(output) : throw new IOException($"systemctl show: {errors.Trim()}");
    }

    /// <summary>What one run of a unit printed, the last lines of it; none where the journal can't be read.</summary>
    public static IReadOnlyList<string> Journal(string unit, string invocation)
    {
        if (invocation.Length == 0 || SearchPath.Find("journalctl") is null)
        {
            return [];
        }
        try
        {
            // What systemd itself says of the unit stands under another field.
            var (code, output, _) = Capture("journalctl", ["--quiet", "--no-pager", "-o", "cat", "-n", "50", $"_SYSTEMD_INVOCATION_ID={invocation}"]);
            return code == 0 ? output.Split('\n', StringSplitOptions.RemoveEmptyEntries) : [];
        }
        catch (IOException)
        {
            // It hangs, or a line has no end: why a VM does not run stays unknown, and what else there is to tell is told.
            return [];
        }
    }

    /// <summary>Runs a verb and keeps what systemctl says.</summary>
    /// <returns>Its exit code, and what it said.</returns>
    public static (int Code, string Said) Try(params IReadOnlyList<string> arguments)
    {
        var (code, output, errors) = Capture("systemctl", arguments, s_work);
        return (code, (output + errors).Trim());
    }

    /// <summary>Runs a verb; what systemctl says goes to the terminal.</summary>
    /// <returns>Its exit code.</returns>
    public static int Run(params IReadOnlyList<string> arguments)
    {
        using var process = Start("systemctl", arguments, false);
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>Runs another of systemd's tools; what it says goes to the terminal.</summary>
    public static int Tool(params IReadOnlyList<string> words)
    {
        using var process = Start(words[0], [.. words.Skip(1)], false);
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>Runs a tool and keeps what it prints.</summary>
    /// <param name="patience">Null for that of an answer.</param>
    /// <exception cref="IOException">It can't be started, does not end, or prints without end.</exception>
    internal static (int Code, string Output, string Errors) Capture(string program, IReadOnlyList<string> arguments, TimeSpan? patience = null)
    {
        using var process = Start(program, arguments, true);
        var (code, output, errors) = FinishedProgram.Of(process, program, patience ?? s_answer);
        return (code, output, errors);
    }

    private static Process Start(string program, IReadOnlyList<string> arguments, bool capture)
    {
        try
        {
            return SearchPath.Start(new(program, arguments) { RedirectStandardOutput = capture, RedirectStandardError = capture });
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new IOException($"this needs systemd, and {program} can't be started: {e.Message}", e);
        }
    }
}
