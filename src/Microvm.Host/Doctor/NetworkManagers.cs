using Microvm.Network;

namespace Microvm.Host.Doctor;

/// <summary>NetworkManager and systemd-networkd, where they would take our links for theirs.</summary>
public sealed class NetworkManagers : ICheck
{
    private const string OwnConf = "/etc/NetworkManager/conf.d/90-microvm.conf", OwnNetwork = "/etc/systemd/network/00-microvm.network";
    private static readonly ManagedLink s_example = new("vm-a1", "tun");

    public string Name => "network-managers";

    public IEnumerable<Finding> Look(HostView host)
    {
        var links = DesiredLink.Of(host.Attachments, null, null).Select(d => new ManagedLink(d.Name, d.Kind == LinkKind.Tap ? "tun" : d.Kind.ToString().ToLowerInvariant()))
            .Concat(host.Links.Where(host.IsOurs).Select(l => new ManagedLink(l.Name, l.Kind ?? ""))).Distinct().ToList();
        Finding[] found = [.. NetworkManager(host, links), .. Networkd(host, links)];
        return found.Length > 0 ? found : [new(Name, Severity.Ok, "no NetworkManager or systemd-networkd takes our links for its own")];
    }

    private IEnumerable<Finding> NetworkManager(HostView host, List<ManagedLink> links)
    {
        if (!host.Exists("/run/NetworkManager"))
        {
            yield break;
        }
        // The administrator's file and directory come last, and so have the last word (NetworkManager.conf(5)).
        var settings = new NetworkManagerSettings([
            .. host.Configuration(".conf", "/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d").Where(f => !f.Path.StartsWith("/etc/", StringComparison.Ordinal)).Select(f => f.Text),
            host.Read("/etc/NetworkManager/NetworkManager.conf") ?? "",
            .. host.Configuration(".conf", "/etc/NetworkManager/conf.d").Select(f => f.Text)]);
        var managed = (links.Count > 0 ? links : [s_example]).Where(settings.Manages).Select(l => l.Name).ToList();
        if (managed.Count > 0)
        {
            // Appended to what others leave alone; what was mended before stays mended.
            var before = new NetworkManagerSettings([host.Read(OwnConf) ?? ""]).Unmanaged;
            var devices = before.Concat((links.Count > 0 ? managed : ["vm-*"]).Select(n => $"interface-name:{n}")).Distinct();
            yield return new(Name, links.Count > 0 ? Severity.Warning : Severity.Note, $"NetworkManager runs and would manage {(links.Count > 0 ? Few(managed) : "taps named vm-*")}",
                "it may give them addresses, take them down, or detach them from their bridge",
                $"sudo mkdir -p {Path.GetDirectoryName(OwnConf)}; printf '%s\\n' '[keyfile]' {Shell.Quote($"unmanaged-devices+={string.Join(';', devices)}")} | sudo tee {OwnConf}; sudo nmcli general reload");
        }
    }

    private IEnumerable<Finding> Networkd(HostView host, List<ManagedLink> links)
    {
        if (!host.Exists("/run/systemd/netif"))
        {
            yield break;
        }
        var files = host.Configuration(".network", "/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network")
            .Select(f => (f.Path, File: new NetworkFile(f.Text))).ToList();
        // The first file that matches is the only one that counts (systemd.network(5)).
        var taken = links.Select(l => (l.Name, By: files.FirstOrDefault(f => f.File.Matches(l)))).Where(t => t.By.File?.Unmanaged == false).ToList();
        if (taken.Count > 0)
        {
            var names = new NetworkFile(host.Read(OwnNetwork) ?? "").Names.Concat(taken.Select(t => t.Name)).Distinct();
            yield return new(Name, Severity.Warning, $"systemd-networkd would configure {Few([.. taken.Select(t => t.Name)])} by {string.Join(", ", taken.Select(t => t.By.Path).Distinct())}", "it may give it addresses, or detach it from its bridge",
                $"sudo mkdir -p {Path.GetDirectoryName(OwnNetwork)}; printf '%s\\n' '[Match]' {Shell.Quote($"Name={string.Join(' ', names)}")} '[Link]' 'Unmanaged=yes' | sudo tee {OwnNetwork}; sudo networkctl reload");
        }
    }

    private static string Few(List<string> names) => string.Join(", ", names.Take(5)) + (names.Count > 5 ? $" and {names.Count - 5} more" : "");
}

/// <summary>A link as these see it.</summary>
/// <param name="Kind">The kernel's kind: tun, macvtap, macvlan.</param>
public sealed record ManagedLink(string Name, string Kind);
