using System.Net;
using Microvm.Declaration;

namespace Microvm.Network.Networks;

/// <summary>An interface that joins a network.</summary>
/// <param name="Host">The guest's name in the network.</param>
/// <param name="Forwards">Ports of the host that lead to it.</param>
/// <param name="Addresses">Those that it is to be given; of a family that is not among them, the network chooses one.</param>
internal sealed record NetworkMember(string Vm, string Id, MacAddress Mac, string Host, IReadOnlyList<IPAddress> Addresses, IReadOnlyList<ForwardPort> Forwards)
{
    /// <summary>Where it may connect to.</summary>
    internal EgressPolicy Egress { get; init; } = EgressPolicy.None;

    /// <summary>Whether it has rules of its own.</summary>
    internal bool HasRules => Forwards.Count > 0 || !Egress.IsNone;
}

/// <summary>A network as declarations want it on the host.</summary>
internal sealed record DesiredNetwork(DeclaredNetwork Declared, IReadOnlyList<NetworkMember> Members)
{
    internal string Name => Declared.Name;

    /// <summary>The networks that the VMs declare or name, with their interfaces; nothing where they name none.</summary>
    internal static IReadOnlyList<DesiredNetwork> Of(IReadOnlyList<MicrovmConfig> vms)
    {
        var declared = DeclaredNetwork.Of(vms);
        return declared.Count == 0 ? [] : [.. declared.Select(n => new DesiredNetwork(n, [.. vms.SelectMany(v => MembersOf(v, n.Name))]))];
    }

    private static IEnumerable<NetworkMember> MembersOf(MicrovmConfig vm, string network) => vm.Interfaces.Where(i => i.Network == network)
        .Select((i, n) => new NetworkMember(vm.Name, i.Id.Value, i.Mac, HostOf(vm.Name, n), i.Addresses,
            i.Id == vm.Interfaces.First(f => f.Network is not null).Id ? vm.NetworkForwards : [])
        { Egress = i.Egress });

    /// <summary>A label of a domain name; further interfaces of a VM are numbered.</summary>
    private static string HostOf(string vm, int n)
    {
        var label = string.Concat(vm.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) || c == '-' ? c : '-')).Trim('-');
        return n == 0 ? label : $"{label}-{n + 1}";
    }
}
