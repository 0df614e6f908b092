using System.IO.Enumeration;

namespace Microvm.Host.Doctor;

/// <summary>Which links NetworkManager leaves alone (NetworkManager.conf(5)).</summary>
public sealed class NetworkManagerSettings
{
    private readonly List<string[]> _devices = [];

    /// <param name="files">The texts of its files, in the order in which it reads them.</param>
    public NetworkManagerSettings(IReadOnlyList<string> files)
    {
        foreach (var file in files)
        {
            string section = "", match = "";
            foreach (var line in file.Split('\n').Select(l => l.Trim()))
            {
                if (line.StartsWith('['))
                {
                    (section, match) = (line.Trim('[', ']'), "");
                    continue;
                }
                var (key, value) = line.IndexOf('=') is > 0 and var at && line[0] != '#' ? (line[..at].TrimEnd(), line[(at + 1)..].Trim()) : ("", "");
                switch (section, key)
                {
                    case ("keyfile", "unmanaged-devices"): Unmanaged = Specs(value); break;
                    case ("keyfile", "unmanaged-devices+"): Unmanaged = [.. Unmanaged, .. Specs(value)]; break;
                    case ("keyfile", "unmanaged-devices-"): Unmanaged = [.. Unmanaged.Except(Specs(value))]; break;
                    case (_, "match-device") when section.StartsWith("device", StringComparison.Ordinal): match = value; break;
                    case (_, "managed") when section.StartsWith("device", StringComparison.Ordinal) && value is "0" or "false" or "no": _devices.Add(Specs(match.Length > 0 ? match : "*")); break;
                }
            }
        }
    }

    /// <summary>The devices that it is told to leave alone.</summary>
    public IReadOnlyList<string> Unmanaged { get; private set; } = [];

    /// <summary>Whether it would take the link for its own.</summary>
    public bool Manages(ManagedLink link) => !Match(Unmanaged, link) && !_devices.Exists(d => Match(d, link));

    private static string[] Specs(string list) => list.Split([';', ','], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static bool Match(IReadOnlyList<string> specs, ManagedLink link) =>
        specs.Any(s => Matches(s, link)) && !specs.Any(s => s.StartsWith("except:", StringComparison.Ordinal) && Matches(s["except:".Length..], link));

    private static bool Matches(string spec, ManagedLink link) => spec.Split(':', 2) switch
    {
        ["*"] => true,
        ["interface-name", ['=', .. var name]] => name == link.Name,
        ["interface-name", var pattern] => FileSystemName.MatchesSimpleExpression(pattern, link.Name, false),
        // A macvtap is a macvlan to it.
        ["type", var type] => type == (link.Kind == "macvtap" ? "macvlan" : link.Kind),
        _ => false,
    };
}
