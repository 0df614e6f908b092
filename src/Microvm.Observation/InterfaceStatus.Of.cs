using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Observation;

public sealed partial record InterfaceStatus
{
    /// <summary>The declared interfaces, in their order, then what these VMs have besides. Pure: the same input gives the same answer.</summary>
    public static IReadOnlyList<InterfaceStatus> OfDeclared(IReadOnlyList<Attachment> attachments, Plan plan, HostState state, IReadOnlyList<LinkHolder> holders)
    {
        var byAlias = state.Links.Where(l => Ownership.Vm(l.Alias) is not null).DistinctBy(l => l.Alias).ToDictionary(l => l.Alias!);
        var byName = state.Links.DistinctBy(l => l.Name).ToDictionary(l => l.Name);
        var steps = plan.Steps.Where(s => s.Desired is not null && s.Kind != StepKind.Keep).ToLookup(s => s.Desired!.Alias);
        return [.. attachments.Select(Declared), .. Strays()];

        InterfaceStatus Declared(Attachment a)
        {
            var i = a.Interface;
            var wanted = DesiredLink.Of([a], null, null).ToList();
            var found = wanted.ConvertAll(w => byAlias.GetValueOrDefault(w.Alias) ?? byName.GetValueOrDefault(w.Name));
            var foreign = found.Zip(wanted).Any(p => p.First is { } l && l.Alias != p.Second.Alias);
            var todo = wanted.SelectMany(w => steps[w.Alias]).ToList();
            var refusals = plan.Refusals.Where(r => wanted.Any(w => r.StartsWith($"'{w.Name}' ", StringComparison.Ordinal) || r.StartsWith($"a link '{w.Name}' ", StringComparison.Ordinal) || r.StartsWith($"'{w.Id}' ", StringComparison.Ordinal))).ToList();
            var at = wanted.Count == 0 ? InterfaceState.Unlinked
                : foreign ? InterfaceState.Foreign
                : found.TrueForAll(l => l is null) ? InterfaceState.Missing
                : refusals.Count > 0 || todo.Exists(s => s.Differs != Difference.Down) ? InterfaceState.Drifted
                : found.TrueForAll(l => l!.Up) ? InterfaceState.Up : InterfaceState.Down;
            // What is refused is said first: it has to be cleared away before anything else can be done.
            string[] reasons = at is InterfaceState.Up or InterfaceState.Unlinked ? []
                : refusals.Count > 0 ? [.. refusals]
                : [.. todo.Select(s => wanted.Count > 1 && !(at == InterfaceState.Missing) ? $"{s.Name}: {s.Reason}" : s.Reason).Distinct()];
            var links = found.OfType<Link>().ToList();
            return new(a.Vm, i.Id.Value, Word(i.Type), a.Kind, at, reasons.Length > 0 ? string.Join("; ", reasons) : null, links.FirstOrDefault(), i.Mac.ToString(), a.QueuePairs,
                Name(state, links.FirstOrDefault()?.Master) ?? i.Bridge?.Value, links.Select(l => LowerOf(state, l)).FirstOrDefault(n => n is not null) ?? i.MacvtapLink?.Value,
                Holding(holders, links.FirstOrDefault()))
            {
                Partner = links.ElementAtOrDefault(1),
            };
        }

        IEnumerable<InterfaceStatus> Strays()
        {
            var going = plan.Steps.Where(s => s.Kind == StepKind.Delete && s.Observed is not null).ToDictionary(s => s.Observed!.Index);
            return OfHost(state with { Links = [.. state.Links.Where(l => going.ContainsKey(l.Index))] }, holders)
                .Select(i => i with { State = InterfaceState.Drifted, Reason = going[i.Link!.Index].Reason });
        }
    }

    /// <summary>All interfaces whose links carry a VM's alias, by VM and id.</summary>
    /// <param name="state">With the redirects of all pairs, as <see cref="HostState.ReadOurs"/> gives.</param>
    public static IReadOnlyList<InterfaceStatus> OfHost(HostState state, IReadOnlyList<LinkHolder> holders) =>
        [.. state.Links.Where(l => Ownership.Vm(l.Alias) is not null)
            .GroupBy(l => (Vm: Ownership.Vm(l.Alias)!, Id: Ownership.Id(l.Alias)!, Alone: Ownership.IsPart(l.Alias) ? 0 : l.Index))
            .OrderBy(g => g.Key.Vm).ThenBy(g => g.Key.Id).ThenBy(g => g.Key.Alone)
            .Select(g => g.Key.Alone == 0 ? Pair(g.Key.Vm, g.Key.Id, state, [.. g], holders) : Single(g.Key.Vm, g.Key.Id, state, g.First(), holders))];

    private static InterfaceStatus Single(string vm, string id, HostState state, Link link, IReadOnlyList<LinkHolder> holders) =>
        new(vm, id, link.Kind == "tun" ? "tap" : link.Kind ?? "link", null, link.Up ? InterfaceState.Up : InterfaceState.Down, null, link,
            IsGuestSide(link) ? Colons(link.Address) : null, null, Name(state, link.Master), LowerOf(state, link), Holding(holders, link));

    /// <summary>A tap and a macvlan that stand for one macvtap, or what is left of them.</summary>
    private static InterfaceStatus Pair(string vm, string id, HostState state, IReadOnlyList<Link> links, IReadOnlyList<LinkHolder> holders)
    {
        var (tap, macvlan) = (links.FirstOrDefault(l => l.Tun is not null), links.FirstOrDefault(l => l.Kind == "macvlan"));
        string?[] faults = tap is null || macvlan is null
            ? [$"its {(tap is null ? "tap" : "macvlan")} is not there"]
            : [Unjoined(tap, macvlan), Unjoined(macvlan, tap)];
        var reason = string.Join("; ", faults.OfType<string>());
        var at = reason.Length > 0 ? InterfaceState.Drifted : links.All(l => l.Up) ? InterfaceState.Up : InterfaceState.Down;
        var first = tap ?? macvlan ?? links[0];
        return new(vm, id, Word(InterfaceType.Macvtap), AttachmentKind.TapRedirect, at, reason.Length > 0 ? reason : null, first,
            Colons(macvlan?.Address), null, null, macvlan is null ? null : LowerOf(state, macvlan), Holding(holders, first))
        {
            Partner = first == tap ? macvlan : null,
        };

        string? Unjoined(Link from, Link to) => state.Redirects.GetValueOrDefault(from.Index) == to.Index ? null : $"'{from.Name}' is not redirected to '{to.Name}'";
    }

    private static IReadOnlyList<LinkHolder> Holding(IReadOnlyList<LinkHolder> holders, Link? link) => link is null ? [] : [.. holders.Where(h => h.Link == link.Name)];
    private static string? LowerOf(HostState state, Link link) => IsGuestSide(link) ? Name(state, link.Lower) : null;
    private static string? Name(HostState state, int? index) => index is > 0 ? state.Links.FirstOrDefault(l => l.Index == index)?.Name : null;
    private static string Word(InterfaceType type) => type.ToString().ToLowerInvariant();
}
