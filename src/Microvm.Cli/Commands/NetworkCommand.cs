using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Network.Networks;

namespace Microvm.Cli.Commands;

internal static class NetworkCommand
{
    private static readonly Argument<string> s_name = new("NETWORK") { Description = "A network's name" };

    internal static Command Create()
    {
        var network = new Command("network", "The declared networks that are up on this host");
        network.Add(Verb.Define("list", "List the networks that are up, with their addresses, their VMs, and whether their service runs",
            ["microvm network list", "microvm network list --json"], List, CommonOptions.Json, CommonOptions.Netns));
        network.Add(Verb.Define("leases", "List who was given an address: the VMs' reservations, and the leases of the DHCP server",
            ["microvm network leases", "microvm network leases --json"], Leases, CommonOptions.Json, CommonOptions.Netns));
        network.Add(Verb.Define("show", "Show a network: its bridge, what is on it, and where its rules and settings are",
            ["microvm network show home", "microvm network show home --json"], Show, s_name, CommonOptions.Json, CommonOptions.Netns));
        network.Add(Verb.Define("up", "Make a declared network before a VM is on it; it stays until 'network down', or until its last VM goes",
            ["sudo microvm network up home net.nix", "sudo microvm network up default"], Up, s_name, CommonOptions.MaybeFiles, VmHost.State, CommonOptions.Json, CommonOptions.Netns));
        network.Add(Verb.Define("down", "Take a network down that no VM is on",
            ["sudo microvm network down home"], Down, s_name, CommonOptions.Json, CommonOptions.Netns));
        return network;
    }

    private static int Up(ParseResult result)
    {
        var name = result.GetValue(s_name)!;
        if (HostSession.Read(result, CommonOptions.MaybeFiles) is not { } vms)
        {
            return 2;
        }
        var hasFiles = result.GetValue(CommonOptions.MaybeFiles) is { Length: > 0 };
        var declared = DeclaredNetwork.Of(hasFiles ? vms : [.. HostDeclarations.Of(result).All().Select(v => v.Config)]).FirstOrDefault(n => n.Name == name)
            ?? (name == DeclaredNetwork.Default ? new() { Name = name } : throw new UsageException(hasFiles ? $"no network '{Printable.Of(name)}' is declared there"
                : $"no VM of this host declares a network '{Printable.Of(name)}'; name the file that does: sudo microvm network up {Printable.Of(name)} FILE"));
        using var interrupts = new Interrupts();
        using var network = HostSession.Network(result, interrupts);
        return Print(network.Up([], new() { Networks = [new(declared, [])] }), result);
    }

    private static int Down(ParseResult result)
    {
        var name = result.GetValue(s_name)!;
        Privilege.Read(result, networks: true, rules: true);
        using var interrupts = new Interrupts();
        using var network = HostSession.Network(result, interrupts);
        var plan = network.Down([], LinkSelection.All, null, running: false, [name]);
        var code = Print(plan, result);
        if (plan.Networks?.Steps is [{ Kind: StepKind.Keep }, ..])
        {
            Console.Error.WriteLine($"microvm: VMs are on the network '{Printable.Of(name)}', which would lose it; take them down first (sudo microvm down FILE, or sudo microvm stop NAME), and it goes with the last");
            return 1;
        }
        return code;
    }

    private static int Print(Plan plan, ParseResult result) => Verb.Report(plan.HasChanges && plan.Refusals.Count == 0, () =>
    {
        PlanOutput.Print(plan, result.GetValue(CommonOptions.Json));
        return plan.Refusals.Count > 0 ? 1 : 0;
    });

    private static int Show(ParseResult result)
    {
        var name = result.GetValue(s_name)!;
        using var route = new RouteSocket();
        var links = route.Links(statistics: false);
        if (links.FirstOrDefault(l => l.Kind == "bridge" && NetworkSite.NetworkOf(l) == name) is not { } bridge)
        {
            Console.Error.WriteLine($"microvm: no declared network '{Printable.Of(name)}' is up; microvm network list shows those that are");
            return 1;
        }
        var folder = new NetworkFolder(name);
        var network = Report(bridge, route.Addresses());
        string[] ports = [.. links.Where(l => l.Master == bridge.Index).Select(l => l.Name)];
        var shown = new NetworkDetail(network.Name, network.Bridge, network.Up, bridge.Mtu, network.Addresses, network.Service, new NftTable(name).Name, folder.Path, ports, [.. Rows(folder)]);
        if (result.GetValue(CommonOptions.Json))
        {
            Console.WriteLine(JsonSerializer.Serialize(shown, NetworkReports.Default.NetworkDetail));
            return 0;
        }
        Line("bridge", $"{shown.Bridge}, {(shown.Up ? "up" : "down")}, MTU {shown.Mtu}");
        Line("addresses", string.Join(' ', shown.Addresses));
        Line("service", shown.Service is { } runs ? $"dnsmasq {(runs ? "runs" : "has ended")}{(NetworkUnit.IsInstalled ? $": systemctl status {NetworkUnit.Name(name)}" : "")}" : "none");
        Line("rules", $"sudo nft list table inet {shown.Table}");
        Line("settings", shown.Folder);
        Line("ports", shown.Ports.Count == 0 ? "none" : Printable.Of(string.Join(' ', shown.Ports), int.MaxValue));
        foreach (var guest in shown.Guests)
        {
            Line("guest", $"{guest.Address} {(guest.Vm is { } vm ? Printable.Of(vm) : $"{Printable.Of(guest.Name ?? "unknown")}, declared nowhere")}");
        }
        return 0;

        static void Line(string what, string value) => Console.WriteLine($"{what,-10} {value}");
    }

    private static NetworkReport Report(Link bridge, IReadOnlyList<LinkAddress> addresses)
    {
        var name = NetworkSite.NetworkOf(bridge)!;
        var folder = new NetworkFolder(name);
        return new(name, bridge.Name, bridge.Up, [.. addresses.Where(a => a.Link == bridge.Index && !a.Address.IsIPv6LinkLocal).Select(a => a.ToString())],
            [.. Reservation.All(folder).Select(r => r.Vm).Distinct()], folder.Read("dnsmasq.conf") is null ? null : ServiceResource.IsRunning(folder));
    }

    private static int List(ParseResult result)
    {
        using var route = new RouteSocket();
        var links = route.Links(statistics: false);
        var addresses = route.Addresses();
        NetworkReport[] rows = [.. links.Where(l => l.Kind == "bridge" && NetworkSite.NetworkOf(l) is not null).OrderBy(NetworkSite.NetworkOf, StringComparer.Ordinal).Select(l => Report(l, addresses))];
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
            table.Add(r.Network, r.Address, r.Vm ?? "-", Printable.Of(r.Name ?? "-"), Printable.Of(r.Mac ?? "-"), r.Until?.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) ?? (r.Leased ? "for ever" : "reserved"));
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

/// <param name="Table">The nftables table of family inet.</param>
/// <param name="Folder">Where its settings, reservations and leases are.</param>
/// <param name="Ports">The links on the bridge.</param>
internal sealed record NetworkDetail(string Name, string Bridge, bool Up, uint Mtu, IReadOnlyList<string> Addresses, bool? Service, string Table, string Folder, IReadOnlyList<string> Ports, IReadOnlyList<LeaseReport> Guests);

/// <param name="Vm">Null for a guest that nobody declared.</param>
/// <param name="Leased">Whether the guest has asked for it.</param>
internal sealed record LeaseReport(string Network, string Address, string? Vm, string? Name, string? Mac, bool Leased, DateTimeOffset? Until);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(NetworkReport[]))]
[JsonSerializable(typeof(NetworkDetail))]
[JsonSerializable(typeof(LeaseReport[]))]
internal sealed partial class NetworkReports : JsonSerializerContext;
