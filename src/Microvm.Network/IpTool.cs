using Microvm.Declaration;

namespace Microvm.Network;

/// <summary>Commands of iproute2's <c>ip</c>, for a person to type.</summary>
/// <param name="Netns">The named network namespace that is meant; null for the one that the command is typed in.</param>
internal readonly record struct IpTool(string? Netns)
{
    /// <summary>The command with these words, of which every one is quoted that a shell would not take as it is.</summary>
    internal string Command(params IEnumerable<string> words)
    {
        string[] start = Netns is null ? ["ip"] : ["ip", "-n", Netns];
        return string.Join(' ', start.Concat(words).Select(w => Shell.Quote(Printable.Of(w))));
    }
}
