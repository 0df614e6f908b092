namespace Microvm.Host.Doctor;

/// <summary>How bad a finding is. Only a problem keeps a declared VM from working.</summary>
public enum Severity { Ok, Note, Warning, Problem }

/// <summary>The severities as they are written, in JSON too. Scripts rely on these words; they never change.</summary>
internal static class SeverityWords
{
    internal static string Word(this Severity severity) => severity switch
    {
        Severity.Ok => "ok",
        Severity.Note => "note",
        Severity.Warning => "warning",
        Severity.Problem => "problem",
        _ => throw new ArgumentOutOfRangeException(nameof(severity), severity, "no such severity"),
    };
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Check">The check's name, stable for scripts.</param>
/// <param name="Found">What is there.</param>
/// <param name="Why">Why it matters; null where all is right.</param>
/// <param name="Mend">The command that mends it, for a shell; null where there is none.</param>
public sealed record Finding(string Check, Severity Severity, string Found, string? Why = null, string? Mend = null);

/// <summary>One check: decides from what <see cref="HostView"/> reads, and changes nothing.</summary>
public interface ICheck
{
    string Name { get; }
    IEnumerable<Finding> Look(HostView host);
}

/// <summary>All checks, in the order in which they are told: what everything needs first.</summary>
public static class Checkup
{
    public static IReadOnlyList<ICheck> All { get; } =
    [
        new KernelFeatures(), new TunPermissions(), new KvmAccess(), new VhostNet(), new Programs(), new BridgeHelper(), new BridgeLinks(), new LowerDevices(),
        new BridgeNetfilter(), new ForwardPolicy(), new ReversePath(), new NetworkManagers(), new Clashes(), new Refusals(), new Forwards(), new Runners(), new DeclaredInterfaces(),
    ];

    /// <summary>What every check found. One that can't look says so and does not keep the others from looking.</summary>
    public static IReadOnlyList<Finding> Run(HostView host) => [.. All.SelectMany(check =>
    {
        try
        {
            return check.Look(host).ToList();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Linux.LinuxException)
        {
            return [new Finding(check.Name, Severity.Note, $"could not check: {e.Message}", "run it with sudo to see this too")];
        }
    })];
}
