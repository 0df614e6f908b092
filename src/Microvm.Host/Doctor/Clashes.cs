using Microvm.Declaration;
using Microvm.Network;

namespace Microvm.Host.Doctor;

/// <summary>Ids and MACs of the declarations that the host has already for something else.</summary>
public sealed class Clashes : ICheck
{
    public string Name => "clashes";

    public IEnumerable<Finding> Look(HostView host)
    {
        var clean = true;
        foreach (var vm in host.Vms)
        {
            foreach (var i in vm.Interfaces)
            {
                var ours = Ownership.Alias(vm.Name, i.Id.Value);
                if (i.Type is not InterfaceType.User && host.Links.FirstOrDefault(l => l.Name == i.Id.Value && l.Alias != ours) is { } same)
                {
                    clean = false;
                    var owner = Ownership.Vm(same.Alias);
                    yield return new(Name, Severity.Problem, $"the host has a link {i.Id} already, {(owner is null ? "not one of ours" : $"of the VM '{owner}'")}",
                        $"'up' refuses to touch it; give the interface of '{vm.Name}' another id, or delete the link yourself if nothing needs it", $"ip -details link show {Shell.Quote(i.Id.Value)}");
                }
                var mac = Convert.ToHexStringLower(i.Mac.ToBytes());
                // Links of this interface's own (a macvtap, a macvlan behind a redirect) bear its MAC by design.
                if (host.Links.FirstOrDefault(l => l.Address == mac && l.Alias?.StartsWith(ours, StringComparison.Ordinal) != true && l.Name != i.Id.Value) is { } twin)
                {
                    clean = false;
                    yield return new(Name, Severity.Problem, $"the MAC {i.Mac} of '{i.Id}' is {twin.Name}'s too", "frames go to the one or the other; the guest loses its network now and then",
                        $"microvm mac {Shell.Quote($"{vm.Name}/{i.Id}")}   # a MAC of its own, to put into {i.At.File}");
                }
            }
        }
        if (clean && host.Vms.Count > 0)
        {
            yield return new(Name, Severity.Ok, "no id or MAC of the declarations is the host's already");
        }
    }
}
