using Microvm.Declaration;
using Microvm.Host.Run;
using Microvm.Network;
using Microvm.Network.Planning;

namespace Microvm.Host.Doctor;

/// <summary>The lower devices of macvtaps: there, up, free, and able to carry a second MAC.</summary>
public sealed class LowerDevices : ICheck
{
    public string Name => "lower-devices";

    public IEnumerable<Finding> Look(HostView host)
    {
        foreach (var lower in host.Interfaces.Select(i => i.MacvtapLink?.Value).OfType<string>().Distinct())
        {
            var link = host.Links.FirstOrDefault(l => l.IsNamed(lower));
            var quoted = Shell.Quote(lower);
            if (link is null)
            {
                yield return new(Name, Severity.Problem, $"there is no link {lower}", "a macvtap is made on it", $"{(host.Netns is null ? "" : $"sudo ip netns exec {Shell.Quote(host.Netns)} ")}ip -brief link   # shows what there is");
            }
            else if (link.Master is { } master)
            {
                yield return new(Name, Severity.Problem, $"{lower} is attached to {host.Links.FirstOrDefault(l => l.Index == master)?.Name ?? "another link"} already",
                    "a bridge port can't carry macvtaps; use type tap with that bridge", host.Sudo($"ip link set {quoted} nomaster"));
            }
            else if (new KernelRules(host.Links, new(host.Netns)).LowerDevice(link) is { } unfit)
            {
                yield return new(Name, Severity.Problem, $"{lower} can carry no macvtap", $"it is a device {unfit}");
            }
            else if (WirelessCard.Is(link, host.At))
            {
                yield return new(Name, Severity.Problem, $"{lower} is a wireless card", WirelessCard.Mend);
            }
            else if (!link.Up)
            {
                yield return new(Name, Severity.Problem, $"{lower} is down", "its macvtaps have no carrier", host.Sudo($"ip link set {quoted} up"));
            }
            else if (!link.Carrier)
            {
                yield return new(Name, Severity.Problem, $"{lower} is up and has no carrier", "its macvtaps have none either: look at the cable, or at the link's other end");
            }
            else
            {
                yield return new(Name, Severity.Ok, $"{lower} is up and free");
            }
        }
    }
}
