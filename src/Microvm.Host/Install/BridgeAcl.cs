namespace Microvm.Host.Install;

/// <summary>Our lines of <c>/etc/qemu/bridge.conf</c>, which tells qemu-bridge-helper the bridges that anybody may join. Pure.</summary>
/// <remarks>Each state directory has marked lines of its own, and changes no others.</remarks>
public static class BridgeAcl
{
    private const string End = "# end: bridges of MicroVMs";

    /// <summary>Marks the lines of one state directory. Those of the usual one have no name in it, as before there was another.</summary>
    private static string Begin(string? state) => $"# begin: bridges of MicroVMs{(state is null ? "" : $" in {state}")}, kept by microvm";

    /// <summary>The text with one state directory's part made anew for these bridges, all other lines as they were; null where nothing is left to say.</summary>
    /// <param name="state">The state directory; null for the usual one.</param>
    public static string? Update(string? text, IEnumerable<string> bridges, string? state = null)
    {
        var begin = Begin(state);
        var others = new List<string>();
        var ours = false;
        var had = false;
        foreach (var line in text is null ? [] : text.TrimEnd('\n').Split('\n'))
        {
            // Without an end of ours, what follows is somebody else's.
            ours |= line == begin;
            had |= ours;
            if (!ours || line != begin && line != End && !line.StartsWith("allow ", StringComparison.Ordinal))
            {
                ours = false;
                others.Add(line);
            }
            ours &= line != End;
        }
        var wanted = bridges.Distinct().Order(StringComparer.Ordinal).Select(b => $"allow {b}").ToList();
        var lines = text is null or "" ? [] : others;
        if (wanted.Count > 0)
        {
            lines = [.. lines, begin, .. wanted, End];
        }
        return lines.Count == 0 || lines.All(l => l.Length == 0) && had ? null : string.Join('\n', lines) + '\n';
    }

    /// <summary>The state directories that have lines in a text; null for the usual one.</summary>
    public static IReadOnlyList<string?> States(string? text)
    {
        var (before, after) = ("# begin: bridges of MicroVMs in ", ", kept by microvm");
        return
        [
            .. (text ?? "").Split('\n').Where(l => l == Begin(null) || l.StartsWith(before, StringComparison.Ordinal) && l.EndsWith(after, StringComparison.Ordinal))
                .Select(l => l == Begin(null) ? null : l[before.Length..^after.Length]),
        ];
    }
}
