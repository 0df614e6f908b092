using System.Diagnostics;
using Microvm.Linux;

namespace Microvm.Host.Systemd;

/// <summary>What systemd says of one unit.</summary>
/// <param name="Active">active, activating, deactivating, inactive or failed.</param>
/// <param name="Sub">The finer state: running, auto-restart, dead and so on.</param>
/// <param name="Enabled">Whether it starts with the host.</param>
public sealed record UnitState(string Unit, string Active, string Sub, int MainPid, bool Enabled, string Result)
{
    /// <summary>Reads what <c>systemctl show --property=…</c> prints: one block a unit, with an empty line between two.</summary>
    public static IReadOnlyList<UnitState> Parse(string output) =>
    [
        .. output.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(block =>
        {
            var fields = block.Split('\n').Select(l => l.Split('=', 2)).Where(p => p.Length == 2).GroupBy(p => p[0]).ToDictionary(g => g.Key, g => g.Last()[1]);
            string Of(string name) => fields.GetValueOrDefault(name, "");
            return new UnitState(Of("Id"), Of("ActiveState"), Of("SubState"), int.TryParse(Of("MainPID"), out var pid) ? pid : 0, Of("UnitFileState") == "enabled", Of("Result"));
        }),
    ];
}

/// <summary>systemctl(1), called with argument arrays.</summary>
public static class Systemctl
{
    /// <summary>Whether systemd runs this host (sd_booted(3)).</summary>
    public static bool IsRunning => Directory.Exists("/run/systemd/system");

    /// <summary>The states of the VMs' <c>microvm@</c> units; none where systemd does not run.</summary>
    /// <exception cref="IOException">systemctl failed.</exception>
    public static IReadOnlyDictionary<string, UnitState> States(IReadOnlyList<VmName> vms)
    {
        if (vms.Count == 0 || !IsRunning)
        {
            return new Dictionary<string, UnitState>();
        }
        var (code, output, errors) = Capture(["show", "--property=Id,ActiveState,SubState,MainPID,UnitFileState,Result", "--", .. vms.Select(v => v.Unit)]);
        return code == 0 ? UnitState.Parse(output).GroupBy(u => u.Unit).ToDictionary(g => g.Key, g => g.First()) : throw new IOException($"systemctl show: {errors.Trim()}");
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

    private static (int Code, string Output, string Errors) Capture(IReadOnlyList<string> arguments)
    {
        using var process = Start("systemctl", arguments, true);
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
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
