using System.Text;
using Microvm.Declaration;

namespace Microvm.Host.Doctor;

/// <summary>The declared bridges: there, bridges, and up.</summary>
public sealed class BridgeLinks : ICheck
{
    public string Name => "bridges";

    public IEnumerable<Finding> Look(HostView host)
    {
        foreach (var bridge in host.Interfaces.Select(i => i.Bridge?.Value).Concat(host.Bridged.Select(b => b.Bridge)).OfType<string>().Distinct())
        {
            var link = host.Links.FirstOrDefault(l => l.IsNamed(bridge));
            var quoted = Shell.Quote(bridge);
            yield return link switch
            {
                null when Encoding.UTF8.GetByteCount(bridge) > InterfaceName.MaxBytes => new(Name, Severity.Problem, $"no link has the name {bridge}",
                    $"it is too long for a link's own name, so a bridge has it as an altname or not at all: ip link property add dev br0 altname {quoted}"),
                null => new(Name, Severity.Problem, $"there is no bridge {bridge}", "interfaces are attached to it; we never make or change the host's own bridges",
                    $"{host.Sudo($"ip link add {quoted} type bridge")} && {host.Sudo($"ip link set {quoted} up")}"),
                { Kind: not "bridge" } => new(Name, Severity.Problem, $"{bridge} is no bridge but a link of kind {link.Kind ?? "none"}", "nothing can be attached to it"),
                { Up: false } => new(Name, Severity.Problem, $"the bridge {bridge} is down", "no frame passes it", host.Sudo($"ip link set {quoted} up")),
                _ => new(Name, Severity.Ok, $"the bridge {bridge} is up"),
            };
        }
    }
}
