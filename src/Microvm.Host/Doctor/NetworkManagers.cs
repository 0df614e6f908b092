using System.IO.Enumeration;

namespace Microvm.Host.Doctor;

/// <summary>NetworkManager and systemd-networkd, where they would take our links for theirs.</summary>
public sealed class NetworkManagers : ICheck
{
    public string Name => "network-managers";

    public IEnumerable<Finding> Look(HostView host)
    {
        var names = host.Interfaces.Where(i => i.Type is not Declaration.InterfaceType.User).Select(i => i.Id.Value)
            .Concat(host.Links.Where(host.IsOurs).Select(l => l.Name)).Distinct().ToList();
        var quiet = true;
        if (host.Exists("/run/NetworkManager"))
        {
            var patterns = host.Configuration(".conf", "/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d")
                .Select(f => f.Text).Append(host.Read("/etc/NetworkManager/NetworkManager.conf") ?? "").SelectMany(Unmanaged).ToList();
            var managed = (names.Count > 0 ? names : ["vm-a1"]).Where(n => !patterns.Any(p => FileSystemName.MatchesSimpleExpression(p, n, false))).ToList();
            if (managed.Count > 0)
            {
                quiet = false;
                yield return new(Name, names.Count > 0 ? Severity.Warning : Severity.Note, $"NetworkManager runs and would manage {(names.Count > 0 ? string.Join(", ", managed.Take(5)) : "taps named vm-*")}",
                    "it may give them addresses, take them down, or detach them from their bridge",
                    $"printf '%s\\n' '[keyfile]' {Shell.Quote($"unmanaged-devices={string.Join(';', (names.Count > 0 ? managed : ["vm-*"]).Select(n => $"interface-name:{n}"))}")} | sudo tee /etc/NetworkManager/conf.d/90-microvm.conf; sudo nmcli general reload");
            }
        }
        if (host.Exists("/run/systemd/netif"))
        {
            foreach (var (path, text) in host.Configuration(".network", "/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network"))
            {
                if (names.FirstOrDefault(n => Matches(text, n)) is { } taken)
                {
                    quiet = false;
                    yield return new(Name, Severity.Warning, $"systemd-networkd would configure {taken} by {path}", "it may give it addresses, or detach it from its bridge",
                        $"printf '%s\\n' '[Match]' {Shell.Quote($"Name={taken}")} '[Link]' 'Unmanaged=yes' | sudo tee {Shell.Quote($"/etc/systemd/network/05-{taken}.network")}; sudo networkctl reload");
                }
            }
        }
        if (quiet)
        {
            yield return new(Name, Severity.Ok, "no NetworkManager or systemd-networkd takes our links for its own");
        }
    }

    /// <summary>The interface-name patterns that a NetworkManager configuration leaves alone (NetworkManager.conf(5)).</summary>
    public static IEnumerable<string> Unmanaged(string text) => text.Split('\n').Select(l => l.Trim())
        .Where(l => l.StartsWith("unmanaged-devices", StringComparison.Ordinal) && l.Contains('='))
        .SelectMany(l => l[(l.IndexOf('=') + 1)..].Split([';', ','], StringSplitOptions.RemoveEmptyEntries)).Select(p => p.Trim())
        .Where(p => p.StartsWith("interface-name:", StringComparison.Ordinal) || p == "*").Select(p => p == "*" ? p : p["interface-name:".Length..].TrimStart('='));

    /// <summary>Whether a .network file would take the link, by its name or as any Ethernet (systemd.network(5)).</summary>
    public static bool Matches(string text, string name)
    {
        string section = "";
        bool match = false, unmanaged = false;
        foreach (var line in text.Split('\n').Select(l => l.Trim()))
        {
            if (line.StartsWith('['))
            {
                section = line;
            }
            else if (section == "[Match]" && line.StartsWith("Name=", StringComparison.Ordinal))
            {
                match |= line["Name=".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Any(p => FileSystemName.MatchesSimpleExpression(p, name, false));
            }
            else if (section == "[Link]" && line is "Unmanaged=yes" or "Unmanaged=true" or "Unmanaged=1")
            {
                unmanaged = true;
            }
        }
        return match && !unmanaged;
    }
}
