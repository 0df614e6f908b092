using Microvm.Declaration;
using Microvm.Network;

namespace Microvm.Host.Doctor;

/// <summary>NetworkManager and systemd-networkd, where they would do to our links what the declaration contradicts. That networkd attaches a tap to a bridge, or
/// gives it addresses and routes, is a fine set-up where the declaration names no bridge.</summary>
public sealed class NetworkManagers : ICheck
{
    private const string OwnConf = "/etc/NetworkManager/conf.d/90-microvm.conf", OwnNetwork = "/etc/systemd/network/00-microvm.network";
    private static readonly string[] s_networkd = ["/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network"];
    private static readonly ManagedLink s_example = new("vm-a1", "tun");

    public string Name => "network-managers";

    public IEnumerable<Finding> Look(HostView host)
    {
        var declared = DesiredLink.Of(host.Attachments, null, null).Select(d => new ManagedLink(d.Name, d.Kind == LinkKind.Tap ? "tun" : d.Kind.ToString().ToLowerInvariant()) { Bridge = d.Bridge is { } bridge ? host.NameOf(bridge) : null }).ToList();
        var known = declared.Select(d => d.Name).ToHashSet();
        List<ManagedLink> links = [.. declared, .. host.Links.Where(l => host.IsOurs(l) && !known.Contains(l.Name)).Select(l => new ManagedLink(l.Name, l.Kind ?? ""))];
        Finding[] found = [.. NetworkManager(host, links), .. Networkd(host, links)];
        return found.Length > 0 ? found : [new(Name, Severity.Ok, "neither NetworkManager nor systemd-networkd would manage links that microvm creates")];
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
        // It attaches only to what it has made itself, or found made: what a .netdev file names (networkd-network.c).
        var own = host.Configuration(".netdev", s_networkd).SelectMany(f => f.Text.Split('\n')).Select(l => l.Trim()).Where(l => l.StartsWith("Name=", StringComparison.Ordinal)).Select(l => l["Name=".Length..].Trim()).ToHashSet();
        var files = host.Configuration(".network", s_networkd).Select(f => (f.Path, File: new NetworkFile(f.Text, own))).ToList();
        // The first file that matches is the only one that counts (systemd.network(5)).
        var taken = links.Select(l => (Link: l, By: files.FirstOrDefault(f => f.File.Matches(l)))).Where(t => t.By.File?.Unmanaged == false).ToList();
        foreach (var moved in taken.Where(t => Moves(t.Link, t.By.File)).GroupBy(t => (t.Link.Bridge, t.By.Path)))
        {
            var (bridge, path) = moved.Key;
            yield return new(Name, Severity.Problem,
                $"systemd-networkd would {(moved.First().By.File.Master is { } master ? $"attach {Few([.. moved.Select(t => t.Link.Name)])} to {master}" : $"detach {Few([.. moved.Select(t => t.Link.Name)])}")} by {path}, and {(moved.Count() == 1 ? "its declaration attaches it" : "the declarations attach them")} to {bridge}",
                $"the last of the two to act wins, and 'up' and networkd undo each other's work; or put Bridge={bridge} into {path}, or take the bridge out of the declaration", LeaveAlone(host, moved.Select(t => t.Link.Name)));
        }
        var taps = taken.Where(t => !Moves(t.Link, t.By.File)).ToList();
        var harmed = taps.Where(t => t.Link.Kind != "tun" || t.By.File.AsksDhcp).ToList();
        if (harmed.Count > 0)
        {
            yield return new(Name, Severity.Warning, $"systemd-networkd would configure {Few([.. harmed.Select(t => t.Link.Name)])} by {string.Join(", ", harmed.Select(t => t.By.Path).Distinct())}",
                "it would ask the guest for an address by DHCP, or give the host one on the guest's own card", LeaveAlone(host, harmed.Select(t => t.Link.Name)));
        }
        foreach (var fine in taps.Except(harmed).GroupBy(t => t.By.Path))
        {
            var master = fine.First().By.File.Master;
            yield return new(Name, Severity.Ok, $"systemd-networkd {(master is null ? "configures" : "attaches")} {Few([.. fine.Select(t => t.Link.Name)])} {(master is null ? "" : $"to {master} ")}by {fine.Key}, which the declaration leaves to others");
        }
    }

    /// <summary>Whether networkd would take the tap off the bridge of its declaration.</summary>
    private static bool Moves(ManagedLink link, NetworkFile file) => link.Bridge is { } bridge && (file.Master is { } master ? master != bridge : !file.KeepsMaster);

    /// <summary>Appended to what is left alone already, so that what was mended before stays mended.</summary>
    private static string LeaveAlone(HostView host, IEnumerable<string> links)
    {
        var names = new NetworkFile(host.Read(OwnNetwork) ?? "").Names.Concat(links).Distinct();
        return $"sudo mkdir -p {Path.GetDirectoryName(OwnNetwork)}; printf '%s\\n' '[Match]' {Shell.Quote($"Name={string.Join(' ', names)}")} '[Link]' 'Unmanaged=yes' | sudo tee {OwnNetwork}; sudo networkctl reload";
    }

    private static string Few(List<string> names) => string.Join(", ", names.Take(5)) + (names.Count > 5 ? $" and {names.Count - 5} more" : "");
}

/// <summary>A link as these see it.</summary>
/// <param name="Kind">The kernel's kind: tun, macvtap, macvlan.</param>
public sealed record ManagedLink(string Name, string Kind)
{
    /// <summary>The bridge of its declaration; null where that leaves it to others.</summary>
    public string? Bridge { get; init; }
}
