using System.Net;
using System.Net.Sockets;

namespace Microvm.Network.Networks;

/// <summary>The addresses that one guest is given, as a line of dnsmasq's <c>dhcp-hostsdir</c> has it.</summary>
internal sealed record Reservation(string Vm, string Mac, IPAddress? V4, IPAddress? V6, string Host)
{
    internal IEnumerable<IPAddress> Addresses => new[] { V4, V6 }.OfType<IPAddress>();

    internal string Line => string.Join(',', new[] { Mac, V4?.ToString(), V6 is null ? null : $"[{V6}]", Host }.OfType<string>());

    /// <summary>A line that was written here; null for any other.</summary>
    internal static Reservation? Parse(string vm, string line)
    {
        if (line.Split(',') is not [var mac, .. var addresses, var host])
        {
            return null;
        }
        var parsed = addresses.Select(a => IPAddress.TryParse(a.Trim('[', ']'), out var ip) ? ip : null).OfType<IPAddress>().ToList();
        return new(vm, mac, parsed.Find(a => a.AddressFamily == AddressFamily.InterNetwork), parsed.Find(a => a.AddressFamily == AddressFamily.InterNetworkV6), host);
    }

    /// <summary>The addresses of each guest, by its MAC.</summary>
    internal static IReadOnlyDictionary<string, IReadOnlyList<IPAddress>> ByMac(IEnumerable<Reservation> reservations) =>
        reservations.DistinctBy(r => r.Mac).ToDictionary(r => r.Mac, r => (IReadOnlyList<IPAddress>)[.. r.Addresses]);

    /// <summary>What is reserved for a VM on all networks that are up, IPv4 of each first.</summary>
    internal static IEnumerable<IPAddress> Of(string vm) => NetworkFolder.All().SelectMany(n => All(new(n))).Where(r => r.Vm == vm).SelectMany(r => r.Addresses);

    /// <summary>All of a network, in the order of the VMs' names.</summary>
    internal static IReadOnlyList<Reservation> All(NetworkFolder folder) =>
        [.. folder.List(NetworkFolder.Reservations).SelectMany(vm => (folder.Read($"{NetworkFolder.Reservations}/{vm}") ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => Parse(vm, l))).OfType<Reservation>()];
}
