using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Microvm.Declaration;

/// <summary>A line of <c>microvm.assertions.reach</c>: who has to reach whom, or must not.</summary>
/// <param name="Holds">Whether frames have to get there; else that they don't.</param>
/// <param name="Port">A port of the other end; null for any traffic.</param>
internal sealed partial record ReachAssertion(string From, bool Holds, string To, int? Port, string Proto, SourcePosition At)
{
    internal const string Host = "host", Internet = "internet";

    private const string Form = "write \"web -> db\", \"web -> db:5432\", \"web -> db:53/udp\" or \"web !-> internet\"";

    /// <summary>As a person writes it.</summary>
    public override string ToString() => $"{From} {(Holds ? "->" : "!->")} {To}{(Port is null ? "" : $":{Port}{(Proto == "tcp" ? "" : $"/{Proto}")}")}";

    /// <summary>Reads one; null after an error in the bag.</summary>
    internal static ReachAssertion? Read(string text, SourcePosition at, DiagnosticBag diagnostics)
    {
        if (Pattern().Match(text) is not { Success: true } match)
        {
            diagnostics.Error(at, $"'{Printable.Of(text)}' says not who reaches whom; {Form}");
            return null;
        }
        var port = match.Groups["port"] is { Success: true, Value: var digits } ? int.Parse(digits, CultureInfo.InvariantCulture) : (int?)null;
        if (port is < 1 or > 65535)
        {
            diagnostics.Error(at, $"'{Printable.Of(text)}' names port {port}; ports are 1 to 65535");
            return null;
        }
        var proto = match.Groups["proto"] is { Success: true, Value: var named } ? named : "tcp";
        return new(Plain(match.Groups["from"].Value), match.Groups["arrow"].Value == "->", Plain(match.Groups["to"].Value), port, proto, at);
    }

    private static string Plain(string end) => end.Trim('[', ']');

    /// <summary>Whether an end is one that needs no declaration: the host, the world outside, or an address.</summary>
    internal static bool IsOutside(string end) => end is Host or Internet || IPAddress.TryParse(end, out _) && (end.Contains('.') || end.Contains(':'));

    // An address of IPv6 with a port stands in brackets.
    [GeneratedRegex(@"\A\s*(?<from>[^\s\[\]]{1,100}|\[[0-9a-fA-F:.]{2,64}\])\s+(?<arrow>!?->)\s+(?<to>[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*|\[[0-9a-fA-F:.]{2,64}\]|[^\s\[\]:]{1,100})(:(?<port>[0-9]{1,6})(/(?<proto>tcp|udp))?)?\s*\z")]
    private static partial Regex Pattern();
}
