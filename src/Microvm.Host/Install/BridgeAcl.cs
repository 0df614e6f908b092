namespace Microvm.Host.Install;

/// <summary>Our lines of <c>/etc/qemu/bridge.conf</c>, which tells qemu-bridge-helper the bridges that anybody may join. Pure.</summary>
public static class BridgeAcl
{
    private const string Begin = "# begin: bridges of MicroVMs, kept by microvm";
    private const string End = "# end: bridges of MicroVMs";

    /// <summary>The text with our part made anew for these bridges, all other lines as they were; null where nothing is left to say.</summary>
    public static string? Update(string? text, IEnumerable<string> bridges)
    {
        var others = new List<string>();
        var ours = false;
        foreach (var line in text is null ? [] : text.TrimEnd('\n').Split('\n'))
        {
            ours |= line == Begin;
            if (!ours)
            {
                others.Add(line);
            }
            ours &= line != End;
        }
        var wanted = bridges.Distinct().Order(StringComparer.Ordinal).Select(b => $"allow {b}").ToList();
        var lines = text is null or "" ? [] : others;
        if (wanted.Count > 0)
        {
            lines = [.. lines, Begin, .. wanted, End];
        }
        return lines.Count == 0 || lines.All(l => l.Length == 0) && text?.Contains(Begin, StringComparison.Ordinal) == true ? null : string.Join('\n', lines) + '\n';
    }
}
