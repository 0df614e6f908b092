using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Observation;

public sealed partial record InterfaceStatus
{
    /// <summary>The declared interfaces, in their order, then what these VMs have besides. Pure: the same input gives the same answer.</summary>
    public static IReadOnlyList<InterfaceStatus> OfDeclared(IReadOnlyList<Attachment> attachments, Plan plan, IReadOnlyList<Link> links, IReadOnlyList<LinkHolder> holders)
    {
        var host = new HostLinks(links, holders);
        var steps = plan.Steps.Where(s => s.Desired is not null && s.Kind != StepKind.Keep).ToLookup(s => s.Desired!.Alias);
        var notes = plan.Steps.Where(s => s.Note is not null).ToLookup(s => s.Desired!.Alias, s => s.Note!);
        var refused = plan.Refusals.ToLookup(r => r.Alias);
        var declared = attachments.Select(Declared).ToList();
        var ofVm = declared.GroupBy(i => i.Vm).ToDictionary(g => g.Key, g => (Runs: g.Any(GuestFault.IsHeld), IsSeen: g.Any(i => i.Holders.Count > 0)));
        return [.. declared.Select(i => GuestFault.Of(i, ofVm[i.Vm].Runs, ofVm[i.Vm].IsSeen) is { } fault ? i with { Guest = fault, Reason = i.Reason is null ? fault.Text : $"{i.Reason}; {fault.Text}" } : i), .. Strays()];

        InterfaceStatus Declared(Attachment a)
        {
            var i = a.Interface;
            var wanted = DesiredLink.Of([a], null, null).ToList();
            var found = wanted.ConvertAll(w => host.OfAlias(w.Alias) ?? host.OfName(w.Name));
            var foreign = found.Zip(wanted).Any(p => p.First is { } l && l.Alias != p.Second.Alias);
            var todo = wanted.SelectMany(w => steps[w.Alias]).ToList();
            var refusals = wanted.SelectMany(w => refused[w.Alias]).Select(r => r.Text).ToList();
            var at = wanted.Count == 0 ? InterfaceState.Unlinked
                : foreign ? InterfaceState.Foreign
                : found.TrueForAll(l => l is null) ? InterfaceState.Missing
                : refusals.Count > 0 || todo.Exists(s => s.Differs != Difference.Down) ? InterfaceState.Drifted
                : found.TrueForAll(l => l!.Up) ? InterfaceState.Up : InterfaceState.Down;
            // What is refused is said first: it has to be cleared away before anything else can be done.
            string[] reasons = at is InterfaceState.Up or InterfaceState.Unlinked ? [.. wanted.SelectMany(w => notes[w.Alias])]
                : refusals.Count > 0 ? [.. refusals]
                : [.. todo.Select(s => wanted.Count > 1 && !(at == InterfaceState.Missing) ? $"{s.Name}: {s.Reason}" : s.Reason).Distinct()];
            var its = found.OfType<Link>().ToList();
            return new(a.Vm, i.Id.Value, i.Type.Word(), a.Kind, at, reasons.Length > 0 ? string.Join("; ", reasons) : null, its.FirstOrDefault(), i.Mac.ToString(), a.QueuePairs,
                host.NameOf(its.FirstOrDefault()?.Master) ?? i.Bridge?.Value,
                its.Select(l => LowerOf(host, l)).FirstOrDefault(n => n is not null) ?? i.MacvtapLink?.Value, host.Holding(its.FirstOrDefault()))
            {
                Partner = its.ElementAtOrDefault(1),
            };
        }

        IEnumerable<InterfaceStatus> Strays()
        {
            var going = plan.Steps.Where(s => s.Kind == StepKind.Delete && s.Observed is not null).ToDictionary(s => s.Observed!.Index);
            return OfHost(host, null).Where(i => going.ContainsKey(i.Link!.Index))
                .Select(i => i with { State = InterfaceState.Drifted, Reason = going[i.Link!.Index].Reason });
        }
    }

    /// <summary>All interfaces whose links carry a VM's alias, by VM and id.</summary>
    /// <param name="redirects">Where the two of a pair are redirected, by ifindex; null where nobody looked.</param>
    public static IReadOnlyList<InterfaceStatus> OfHost(IReadOnlyList<Link> links, IReadOnlyDictionary<int, int>? redirects, IReadOnlyList<LinkHolder> holders) =>
        OfHost(new HostLinks(links, holders), redirects);

    private static IReadOnlyList<InterfaceStatus> OfHost(HostLinks host, IReadOnlyDictionary<int, int>? redirects) =>
        [.. host.All.Where(l => Ownership.Vm(l.Alias) is not null)
            .GroupBy(l => (Vm: Ownership.Vm(l.Alias)!, Id: Ownership.Id(l.Alias)!, Alone: Ownership.IsPart(l.Alias) ? 0 : l.Index))
            .OrderBy(g => g.Key.Vm).ThenBy(g => g.Key.Id).ThenBy(g => g.Key.Alone)
            .Select(g => g.Key.Alone == 0 ? Pair(g.Key.Vm, g.Key.Id, host, [.. g], redirects) : Single(g.Key.Vm, g.Key.Id, host, g.First()))];

    private static InterfaceStatus Single(string vm, string id, HostLinks host, Link link) =>
        new(vm, id, link.Kind == "tun" ? "tap" : link.Kind ?? "link", null, link.Up ? InterfaceState.Up : InterfaceState.Down, null, link,
            IsGuestSide(link) ? Colons(link.Address) : null, null, host.NameOf(link.Master), LowerOf(host, link), host.Holding(link));

    /// <summary>A tap and a macvlan that stand for one macvtap, or what is left of them.</summary>
    private static InterfaceStatus Pair(string vm, string id, HostLinks host, IReadOnlyList<Link> parts, IReadOnlyDictionary<int, int>? redirects)
    {
        var (tap, macvlan) = (parts.FirstOrDefault(l => l.Tun is not null), parts.FirstOrDefault(l => l.Kind == "macvlan"));
        string?[] faults = tap is null || macvlan is null
            ? [$"its {(tap is null ? "tap" : "macvlan")} is not there"]
            : [Unjoined(tap, macvlan), Unjoined(macvlan, tap)];
        var reason = string.Join("; ", faults.OfType<string>());
        var at = reason.Length > 0 ? InterfaceState.Drifted : parts.All(l => l.Up) ? InterfaceState.Up : InterfaceState.Down;
        var first = tap ?? macvlan ?? parts[0];
        return new(vm, id, InterfaceType.Macvtap.Word(), AttachmentKind.TapRedirect, at, reason.Length > 0 ? reason : null, first,
            Colons(macvlan?.Address), null, null, macvlan is null ? null : LowerOf(host, macvlan), host.Holding(first))
        {
            Partner = first == tap ? macvlan : null,
        };

        string? Unjoined(Link from, Link to) => redirects is null || redirects.GetValueOrDefault(from.Index) == to.Index ? null : $"'{from.Name}' is not redirected to '{to.Name}'";
    }

    private static string? LowerOf(HostLinks host, Link link) => IsGuestSide(link) ? host.NameOf(link.Lower) : null;
}
