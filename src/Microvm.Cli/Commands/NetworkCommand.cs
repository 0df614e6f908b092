using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Networks;

namespace Microvm.Cli.Commands;

internal static class NetworkCommand
{
    internal static Command Create()
    {
        var network = new Command("network", "The declared networks that are up on this host");
        network.Add(Verb.Define("list", "List the networks that are up, with their addresses, their VMs, and whether their service runs",
            ["microvm network list", "microvm network list --json"], List, CommonOptions.Json, CommonOptions.Netns));
        network.Add(Verb.Define("leases", "List who was given an address: the VMs' reservations, and the leases of the DHCP server",
            ["microvm network leases", "microvm network leases --json"], Leases, CommonOptions.Json, CommonOptions.Netns));
        return network;
    }

    private static int List(ParseResult result)
    {
        using var route = new RouteSocket();
        var links = route.Links(statistics: false);
        var addresses = route.Addresses().ToLookup(a => a.Link);
        NetworkReport[] rows = [.. from link in links
                                   let name = NetworkSite.NetworkOf(link)
                                   where name is not null && link.Kind == "bridge"
                                   orderby name
                                   let folder = new NetworkFolder(name)
                                   select new NetworkReport(name, link.Name, link.Up, [.. addresses[link.Index].Where(a => !a.Address.IsIPv6LinkLocal).Select(a => a.ToString())],
                                       [.. Reservation.All(folder).Select(r => r.Vm).Distinct()], folder.Read("dnsmasq.conf") is null ? null : ServiceResource.IsRunning(folder))];
        if (result.GetValue(CommonOptions.Json))
        {
            Console.WriteLine(JsonSerializer.Serialize(rows, NetworkReports.Default.NetworkReportArray));
            return 0;
        }
        if (rows.Length == 0)
        {
            Console.WriteLine("no declared network is up");
            return 0;
        }
        var table = new Table(new("NETWORK", 100, 8), new("BRIDGE", 90), new("ADDRESSES", 80, 8), new("SERVICE", 70), new("VMS", 60, 8));
        foreach (var r in rows)
        {
            table.Add(r.Name, new Cell(r.Bridge, r.Up ? Style.Plain : Style.Red), string.Join(' ', r.Addresses),
                r.Service is { } runs ? new Cell(runs ? "runs" : "ended", runs ? Style.Green : Style.Red) : "-", string.Join(' ', r.Vms));
        }
        table.Print(Terminal.Output, Console.Out);
        return 0;
    }

    private static int Leases(ParseResult result)
    {
        var rows = NetworkFolder.All().SelectMany(n => Rows(new(n))).ToArray();
        if (result.GetValue(CommonOptions.Json))
        {
            Console.WriteLine(JsonSerializer.Serialize(rows, NetworkReports.Default.LeaseReportArray));
            return 0;
        }
        if (rows.Length == 0)
        {
            Console.WriteLine("nobody was given an address");
            return 0;
        }
        var table = new Table(new("NETWORK", 80, 8), new("ADDRESS", 100), new("VM", 90), new("NAME", 50), new("MAC", 70), new("UNTIL", 60));
        foreach (var r in rows)
        {
            table.Add(r.Network, r.Address, r.Vm ?? "-", Printable.Of(r.Name ?? "-"), r.Mac ?? "-", r.Until?.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) ?? (r.Leased ? "for ever" : "reserved"));
        }
        table.Print(Terminal.Output, Console.Out);
        return 0;
    }

    /// <summary>Each reservation, with its lease where it has one; then the leases of guests that nobody declared.</summary>
    private static IEnumerable<LeaseReport> Rows(NetworkFolder folder)
    {
        var leases = Lease.All(folder);
        var reserved = Reservation.All(folder).SelectMany(r => r.Addresses.Select(a => (Reservation: r, Address: a))).ToList();
        foreach (var (r, address) in reserved)
        {
            var lease = leases.FirstOrDefault(l => l.Address.Equals(address));
            yield return new(folder.Network, address.ToString(), r.Vm, r.Host, r.Mac, lease is not null, lease?.Expires);
        }
        foreach (var lease in leases.Where(l => !reserved.Exists(r => r.Address.Equals(l.Address))))
        {
            var mac = lease.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? lease.Mac : null;
            yield return new(folder.Network, lease.Address.ToString(), null, lease.Host, mac, true, lease.Expires);
        }
    }
}

/// <param name="Service">Whether its dnsmasq runs; null where it has none.</param>
internal sealed record NetworkReport(string Name, string Bridge, bool Up, IReadOnlyList<string> Addresses, IReadOnlyList<string> Vms, bool? Service);

/// <param name="Vm">Null for a guest that nobody declared.</param>
/// <param name="Leased">Whether the guest has asked for it.</param>
internal sealed record LeaseReport(string Network, string Address, string? Vm, string? Name, string? Mac, bool Leased, DateTimeOffset? Until);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(NetworkReport[]))]
[JsonSerializable(typeof(LeaseReport[]))]
internal sealed partial class NetworkReports : JsonSerializerContext;
