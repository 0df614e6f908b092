using System.Net;
using Microvm.Declaration;

namespace Microvm.Network.Reach;

/// <summary>An end of a way.</summary>
internal abstract record ReachEnd(string Shown)
{
    /// <summary>An interface of a VM.</summary>
    internal sealed record Guest(MicrovmConfig Vm, NetworkInterface Interface) : ReachEnd($"{Vm.Name}/{Interface.Id}");

    /// <summary>The host itself.</summary>
    internal sealed record Host() : ReachEnd("the host");

    /// <summary>Whoever is beyond the host.</summary>
    /// <param name="Address">A station there; null for any.</param>
    internal sealed record Outside(IPAddress? Address) : ReachEnd(Address?.ToString() ?? "the internet");

    /// <summary>The ends that a name means: one of each interface of a VM.</summary>
    /// <param name="name">VM, VM/INTERFACE, <c>host</c>, <c>internet</c> or an address.</param>
    /// <param name="scene">What is declared, and what is there.</param>
    /// <param name="fault">What is wrong with the name; null where nothing is.</param>
    internal static IReadOnlyList<ReachEnd> Of(string name, ReachScene scene, out string? fault)
    {
        fault = null;
        if (name == ReachAssertion.Host)
        {
            return [new Host()];
        }
        if (name == ReachAssertion.Internet)
        {
            return [new Outside((IPAddress?)null)];
        }
        var slash = name.IndexOf('/');
        var (vmName, id) = slash < 0 ? (name, null) : (name[..slash], name[(slash + 1)..]);
        if (scene.Vms.FirstOrDefault(v => v.Name == vmName) is { } vm)
        {
            IReadOnlyList<ReachEnd> all = [.. vm.Interfaces.Where(i => id is null || i.Id.Value == id).Select(i => new Guest(vm, i))];
            fault = all.Count > 0 ? null : id is null ? $"'{Printable.Of(vmName)}' has no network interface"
                : $"'{Printable.Of(vmName)}' has no interface '{Printable.Of(id)}'; it has {string.Join(", ", vm.Interfaces.Select(i => i.Id))}";
            return all;
        }
        if (slash < 0 && ReachAssertion.IsOutside(name))
        {
            var address = IPAddress.Parse(name);
            if (scene.Vms.SelectMany(v => v.Interfaces.Select(i => (v, i))).FirstOrDefault(x => scene.AddressesOf(x.v, x.i).Contains(address)) is { v: not null } owner)
            {
                return [new Guest(owner.v, owner.i)];
            }
            return scene.IsHosts(address) ? [new Host()] : [new Outside(address)];
        }
        var near = Printable.Nearest(vmName, [.. scene.Vms.Select(v => v.Name), ReachAssertion.Host, ReachAssertion.Internet]);
        fault = $"there is no VM '{Printable.Of(vmName)}'{(near is null ? $"; name {(scene.Vms.Count == 0 ? "" : "one that is declared, ")}host, internet or an address" : $"; did you mean '{near}'?")}";
        return [];
    }
}
