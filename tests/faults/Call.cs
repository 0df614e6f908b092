using System.Text.RegularExpressions;

namespace Microvm.Faults;

/// <summary>One system call of a run on its main thread: the <paramref name="Nth"/> of its name, counted from 1.</summary>
/// <param name="Line">As strace shows it.</param>
/// <param name="StartUp">Made by the loader or the runtime before the declaration was opened.</param>
internal sealed partial record Call(string Name, int Nth, string Line, bool StartUp)
{
    /// <summary>Runs the command once without a fault and lists its calls.</summary>
    /// <param name="declaration">The file whose opening ends the start-up.</param>
    /// <param name="others">How many calls the runtime's other threads made.</param>
    internal static IReadOnlyList<Call> Trace(string log, IReadOnlyList<string> command, string declaration, out int others)
    {
        Shell.Must("strace", ["-f", "-s", "64", "-o", log, .. command]);
        return Read(log, declaration, out others);
    }

    /// <summary>The calls in strace's log.</summary>
    internal static IReadOnlyList<Call> Read(string log, string declaration, out int others)
    {
        var calls = new List<Call>();
        var counts = new Dictionary<string, int>();
        string? main = null;
        var startUp = true;
        others = 0;
        foreach (var line in File.ReadLines(log))
        {
            if (Entry().Match(line) is not { Success: true } match)
            {
                continue;
            }
            main ??= match.Groups[1].Value;
            if (match.Groups[1].Value != main)
            {
                others++;
                continue;
            }
            var name = match.Groups[2].Value;
            startUp &= !line.Contains(declaration, StringComparison.Ordinal) || name == "execve";
            counts[name] = counts.GetValueOrDefault(name) + 1;
            if (name != "execve")
            {
                calls.Add(new(name, counts[name], match.Groups[3].Value, startUp));
            }
        }
        return calls;
    }

    /// <summary>Whether strace put a fault in this call's place.</summary>
    internal bool Injected => Line.Contains("(INJECTED)", StringComparison.Ordinal);

    public override string ToString() => $"{Name} #{Nth} {(Line.Length > 100 ? Line[..100] : Line)}";

    [GeneratedRegex(@"^(\d+) +(\w+)(\(.*)$")] private static partial Regex Entry();
}
