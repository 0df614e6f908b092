using System.Text.Json.Serialization;
using Microvm.Declaration;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>One direction's counters, and its rate where two looks were taken.</summary>
internal sealed record TrafficReport(ulong Bytes, ulong Packets, ulong Dropped, ulong Errors, double? BytesPerSecond, double? PacketsPerSecond);

internal sealed record HolderReport(int Pid, string Name, int Queues);

/// <summary>An address of a guest.</summary>
/// <param name="From">reserved, leased or seen.</param>
internal sealed record AddressReport(string Address, string From)
{
    internal static IReadOnlyList<AddressReport> Of(InterfaceStatus i) => [.. i.Addresses.Select(a => new AddressReport(a.Address.ToString(), a.From))];
}

/// <summary>One interface of <c>microvm status --json</c>. Fields are only ever added.</summary>
internal sealed record LinkReport(
    string Vm, string Id, string State, int? Index, bool MultiQueue, uint? Owner, uint? Group, string? Bridge,
    string Type, string? Attachment, string? Reason, string? Mac, string? HostMac, int? QueuePairs, int QueuesInUse, string? Lower, bool? Carrier,
    IReadOnlyList<HolderReport> Holders, TrafficReport ToVm, TrafficReport FromVm, IReadOnlyList<string> Links,
    IReadOnlyList<AddressReport> Addresses)
{
    internal static LinkReport Of(InterfaceStatus i, InterfaceRate? rate) => new(
        i.Vm, i.Id, i.State.Word(), i.Link?.Index, i.Link?.Tun?.MultiQueue ?? i.QueuePairs > 1, i.Link?.Tun?.Owner, i.Link?.Tun?.Group, i.Upper,
        i.Type, i.Attachment?.Text(), i.Reason, i.Mac, i.HostMac, i.QueuePairs, i.QueuesInUse, i.Lower, i.Link?.Carrier,
        [.. i.Holders.Select(h => new HolderReport(h.Pid, h.Name, h.Queues))], Of(i.ToVm, rate?.ToVm), Of(i.FromVm, rate?.FromVm),
        [.. new[] { i.Link, i.Partner }.OfType<Microvm.Linux.Link>().Select(l => l.Name)], AddressReport.Of(i));

    private static TrafficReport Of(Traffic t, Rate? rate) => new(t.Bytes, t.Packets, t.Dropped, t.Errors, rate?.Bytes, rate?.Packets);
}

/// <summary>A line each, so not indented.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LinkReport[]))]
internal sealed partial class StatusLines : JsonSerializerContext;
