using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Host.Doctor;

/// <summary>Ids and MACs of the declarations that the host has already for something else.</summary>
public sealed class Clashes : ICheck
{
    public string Name => "clashes";

    public IEnumerable<Finding> Look(HostView host)
    {
        var clean = true;
        foreach (var wanted in DesiredLink.Of(host.Attachments, null, null))
        {
            if (host.Links.FirstOrDefault(l => l.Name == wanted.Name && l.Alias != wanted.Alias) is { } same)
            {
                clean = false;
                var owner = Ownership.Vm(same.Alias);
                var link = Shell.Quote(wanted.Name);
                yield return new(Name, Severity.Problem, $"the host has a link {wanted.Name} already, {(owner is null ? "not created by microvm" : $"of the VM '{owner}'")}",
                    $"'up' refuses to touch it; give the interface of '{wanted.Vm}' another id, or delete the link if nothing needs it", $"{host.Sudo($"ip link delete {link}")}   # ip -details link show {link} shows what it is");
            }
        }
        foreach (var vm in host.Vms)
        {
            foreach (var i in vm.Interfaces)
            {
                var mac = Convert.ToHexStringLower(i.Mac.ToBytes());
                // Links of this interface's own (a macvtap, a macvlan behind a redirect) bear its MAC by design.
                bool IsItsOwn(Link l) => (Ownership.Vm(l.Alias) == vm.Name && Ownership.Id(l.Alias) == i.Id.Value) || l.Name == i.Id.Value;
                if (host.Links.FirstOrDefault(l => l.Address == mac && !IsItsOwn(l)) is { } twin)
                {
                    clean = false;
                    yield return new(Name, Severity.Problem, $"the MAC {i.Mac} of '{i.Id}' is {twin.Name}'s too", "frames go to one or the other; the guest loses its network now and then",
                        $"microvm mac {Shell.Quote($"{vm.Name}/{i.Id}")}   # prints another MAC, to put into {i.At.File}");
                }
            }
        }
        if (clean && host.Vms.Count > 0)
        {
            yield return new(Name, Severity.Ok, "no declared id or MAC exists on the host already");
        }
    }
}
