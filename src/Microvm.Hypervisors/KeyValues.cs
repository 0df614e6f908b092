namespace Microvm.Hypervisors;

/// <summary>Arguments like <c>key=value,key=[a,b],key="x,y"</c>.</summary>
internal static class KeyValues
{
    /// <summary>All keys of some arguments with their values; the last of a key that is given twice.</summary>
    internal static Dictionary<string, string> Of(IEnumerable<string> arguments)
    {
        var all = new Dictionary<string, string>();
        foreach (var part in arguments.SelectMany(Parts))
        {
            var at = part.IndexOf('=', StringComparison.Ordinal);
            all[at < 0 ? part : part[..at]] = at < 0 ? "" : part[(at + 1)..];
        }
        return all;
    }

    // A comma within brackets or double quotes divides nothing.
    private static IEnumerable<string> Parts(string argument)
    {
        var (from, depth, quoted) = (0, 0, false);
        for (var n = 0; n <= argument.Length; n++)
        {
            var c = n < argument.Length ? argument[n] : ',';
            quoted ^= c == '"';
            depth += quoted ? 0 : c switch { '[' => 1, ']' => -1, _ => 0 };
            if (n == argument.Length || (c == ',' && depth == 0 && !quoted))
            {
                yield return argument[from..n];
                from = n + 1;
            }
        }
    }
}
