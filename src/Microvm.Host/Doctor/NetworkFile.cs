using System.IO.Enumeration;

namespace Microvm.Host.Doctor;

/// <summary>A file of systemd-networkd (systemd.network(5)), as far as it says which links it is for, and what it does to their attachment and addresses.</summary>
public sealed class NetworkFile
{
    private readonly Dictionary<string, List<string>> _match = [];

    /// <param name="masters">The bridges and the like that networkd attaches to; null for any. It ignores what else a file names.</param>
    public NetworkFile(string text, IReadOnlySet<string>? masters = null)
    {
        var section = "";
        foreach (var line in text.Split('\n').Select(l => l.Trim()))
        {
            if (line.StartsWith('['))
            {
                section = line;
                continue;
            }
            var at = line.IndexOf('=');
            if (at <= 0 || line[0] is '#' or ';')
            {
                continue;
            }
            var (key, value) = (line[..at].TrimEnd(), line[(at + 1)..].Trim());
            if (section == "[Match]")
            {
                // Said twice is both; said empty is not said.
                _match[key] = value.Length == 0 ? [] : [.. _match.GetValueOrDefault(key) ?? [], .. value.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
            }
            else if (section == "[Link]" && key == "Unmanaged")
            {
                Unmanaged = IsYes(value);
            }
            else if (section == "[Network]" && key is "Bridge" or "Bond" or "VRF" or "BatmanAdvanced")
            {
                Master = value.Length > 0 && masters?.Contains(value) != false ? value : Master;
            }
            else if (section == "[Network]" && key == "KeepMaster")
            {
                KeepsMaster = IsYes(value);
            }
            else if (section == "[Network]" && key == "DHCP")
            {
                AsksDhcp = value is "ipv4" or "ipv6" || IsYes(value);
            }
        }
    }

    /// <summary>It makes networkd leave its links alone.</summary>
    public bool Unmanaged { get; }

    /// <summary>The bridge, or other link, that it attaches its links to; null where it names none.</summary>
    public string? Master { get; }

    /// <summary>It leaves its links attached to what they are attached to; without this, and without <see cref="Master"/>, networkd detaches them.</summary>
    public bool KeepsMaster { get; }

    /// <summary>It asks for an address by DHCP on its links: on a VM's tap it asks the guest.</summary>
    public bool AsksDhcp { get; }

    private static bool IsYes(string value) => value is "1" or "yes" or "y" or "true" or "t" or "on";

    /// <summary>The names that it is for, as they are written.</summary>
    public IReadOnlyList<string> Names => _match.GetValueOrDefault("Name") ?? [];

    /// <summary>Whether the link meets every condition; what speaks of the machine is taken to be met. A file without any is for none.</summary>
    public bool Matches(ManagedLink link) => _match.Any(m => m.Value.Count > 0) && _match.Where(m => m.Value.Count > 0).All(m => m.Key switch
    {
        "Name" or "OriginalName" => Is(m.Value, link.Name),
        "Type" => Is(m.Value, "ether"),
        "Kind" => Is(m.Value, link.Kind),
        "Driver" => Is(m.Value, link.Kind == "macvtap" ? "macvlan" : link.Kind),
        "MACAddress" or "PermanentMACAddress" or "Path" or "Property" or "SSID" or "BSSID" or "WLANInterfaceType" => false,
        _ => true,
    });

    // An exclamation mark before the first turns all of the list around.
    private static bool Is(List<string> patterns, string value) => patterns[0].StartsWith('!')
        ? !Any([patterns[0][1..], .. patterns.Skip(1)], value) : Any(patterns, value);

    private static bool Any(IEnumerable<string> patterns, string value) => patterns.Any(p => FileSystemName.MatchesSimpleExpression(p, value, false));
}
