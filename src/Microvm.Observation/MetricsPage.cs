using System.Globalization;
using System.Text;
using Microvm.Declaration;

namespace Microvm.Observation;

/// <summary>Prometheus' text format (version 0.0.4) of the interfaces. Names and labels are only ever added.</summary>
public static class MetricsPage
{
    /// <summary>The Content-Type of the page.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>The whole page. Pure: the same interfaces give the same page.</summary>
    public static string Of(IReadOnlyList<InterfaceStatus> interfaces, string version) => Of(interfaces, [], version);

    /// <summary>The whole page, with the leases of declared networks. Pure.</summary>
    /// <param name="interfaces">In the order in which they are told.</param>
    /// <param name="leases">How many leases each declared network has given.</param>
    /// <param name="version">That of microvm.</param>
    public static string Of(IReadOnlyList<InterfaceStatus> interfaces, IReadOnlyList<(string Network, int Count)> leases, string version)
    {
        var page = new StringBuilder();
        Family("microvm_build_info", "gauge", "The version of microvm.", [([("version", version)], 1)]);
        Family("microvm_interface_info", "gauge", "An interface of a VM, and how it is joined.",
            interfaces.Select(i => (Labels(i, ("type", i.Type), ("attachment", i.Attachment?.Text() ?? ""), ("mac", i.Mac ?? ""), ("bridge", i.Upper ?? ""), ("lower", i.Lower ?? "")), 1d)));
        Family("microvm_interface_state", "gauge", "1 for the state that the interface is in.", interfaces.Select(i => (Labels(i, ("state", i.State.Word())), 1d)));
        Family("microvm_interface_up", "gauge", "1 where the link is there, ours and up.", interfaces.Select(i => (Labels(i), i.Link?.Up == true && i.State != InterfaceState.Foreign ? 1d : 0)));
        Family("microvm_interface_drift", "gauge", "1 where the host or the running guest is not as declared, or where the bridge or lower device is down or has no carrier.",
            interfaces.Select(i => (Labels(i), i.Reason is null ? 0d : 1)));
        Family("microvm_interface_queues", "gauge", "Declared queue pairs.", interfaces.Where(i => i.QueuePairs is not null).Select(i => (Labels(i), (double)i.QueuePairs!.Value)));
        Family("microvm_interface_queues_in_use", "gauge", "Queues that a program has open.", interfaces.Select(i => (Labels(i), (double)i.QueuesInUse)));
        Family("microvm_interface_address", "gauge", "An address of the guest, and how it is known: reserved, leased, or seen.",
            interfaces.SelectMany(i => i.Addresses.Select(a => (Labels(i, ("address", a.Address.ToString()), ("from", a.From)), 1d))));
        Family("microvm_network_leases", "gauge", "Leases that a declared network has given.", leases.Select(l => (new[] { ("network", l.Network) }, (double)l.Count)));
        Counter("bytes", "Bytes that crossed the interface.", t => t.Bytes);
        Counter("packets", "Packets that crossed the interface.", t => t.Packets);
        Counter("drops", "Packets that were dropped.", t => t.Dropped);
        Counter("errors", "Packets in error.", t => t.Errors);
        return page.ToString();

        void Counter(string what, string help, Func<Traffic, ulong> of) => Family($"microvm_interface_{what}_total", "counter", help,
            interfaces.Where(i => i.Link is not null && i.State != InterfaceState.Foreign)
                .SelectMany(i => new[] { (Labels(i, ("direction", "to_vm")), (double)of(i.ToVm)), (Labels(i, ("direction", "from_vm")), of(i.FromVm)) }));

        void Family(string name, string type, string help, IEnumerable<((string Name, string Value)[] Labels, double Value)> samples)
        {
            page.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");
            foreach (var (labels, value) in samples)
            {
                page.Append(name).Append('{').AppendJoin(',', labels.Select(l => $"{l.Name}=\"{Escape(l.Value)}\"")).Append("} ").Append(value.ToString("0", CultureInfo.InvariantCulture)).Append('\n');
            }
        }
    }

    private static (string, string)[] Labels(InterfaceStatus i, params (string, string)[] more) => [("vm", i.Vm), ("interface", i.Id), .. more];

    // A name may hold what a terminal obeys, and a page is also looked at.
    private static string Escape(string value) => Printable.Of(value, int.MaxValue)
        .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
}
