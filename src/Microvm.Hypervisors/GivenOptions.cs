namespace Microvm.Hypervisors;

/// <summary>Words that a declaration adds to a command line (<c>extraArgs</c>), read as options with their values: <c>--a x y</c>,
/// <c>--a=x</c> or <c>-a</c>.</summary>
internal sealed class GivenOptions
{
    private readonly List<(string? Name, List<string> Values)> _options = [];

    internal GivenOptions(IReadOnlyList<string>? words)
    {
        foreach (var word in words ?? [])
        {
            if (word.StartsWith("--", StringComparison.Ordinal) && word.IndexOf('=') is > 2 and var at)
            {
                _options.Add((word[..at], [word[(at + 1)..]]));
            }
            else if (word.Length > 1 && word[0] == '-' && !char.IsAsciiDigit(word[1]))
            {
                _options.Add((word, []));
            }
            else if (_options.Count > 0)
            {
                _options[^1].Values.Add(word);
            }
            else
            {
                _options.Add((null, [word]));
            }
        }
    }

    internal bool Has(string name) => _options.Any(o => o.Name == name);

    /// <summary>Takes an option out: its values, wherever it stands; none where it isn't given.</summary>
    internal IReadOnlyList<string> Take(string name)
    {
        List<string> values = [.. _options.Where(o => o.Name == name).SelectMany(o => o.Values)];
        _options.RemoveAll(o => o.Name == name);
        return values;
    }

    /// <summary>The words of all that was not taken out.</summary>
    internal IEnumerable<string> Rest => _options.SelectMany(o => o.Name is null ? o.Values : [o.Name, .. o.Values]);
}
