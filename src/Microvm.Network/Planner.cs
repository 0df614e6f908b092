using Microvm.Linux;

namespace Microvm.Network;

/// <summary>Makes the plan of one <c>up</c>.</summary>
internal sealed class Planner
{
    private readonly IReadOnlyList<DesiredLink> _wanted;
    private readonly HostState _state;
    private readonly PlanOptions _options;
    private readonly Dictionary<string, Link> _byName = [];
    private readonly Dictionary<string, Link> _byAlias = [];
    private readonly Dictionary<int, Link> _byIndex = [];
    private readonly ILookup<int, Link> _onLower;
    private readonly ILookup<int, Link> _passthruOnLower;
    private readonly HashSet<string> _contendedLowers;
    private readonly Dictionary<uint, string?> _groups = [];
    private readonly Dictionary<string, uint> _groupOf = [];
    private readonly HashSet<int> _going = [];
    private readonly List<Step> _steps = [];
    private readonly List<Refusal> _refusals = [];

    internal Planner(IReadOnlyList<DesiredLink> wanted, HostState state, PlanOptions options)
    {
        (_wanted, _state, _options) = ([.. wanted.Where(w => options.Only == LinkSelection.All || Selection(w) == options.Only)], state, options);
        _onLower = state.Links.Where(l => l.Macvlan is not null && l.Lower is not null).ToLookup(l => l.Lower!.Value);
        _passthruOnLower = state.Links.Where(l => l.Macvlan?.Mode == MacvlanMode.Passthru && l.Lower is not null).ToLookup(l => l.Lower!.Value);
        _contendedLowers = Contended(_wanted);
        foreach (var link in state.Links)
        {
            _byName[link.Name] = link;
            _byIndex[link.Index] = link;
            var vm = Ownership.Vm(link.Alias);
            if (vm is not null)
            {
                _byAlias.TryAdd(link.Alias!, link);
            }
            if (link.Group != 0)
            {
                // A number that two have is nobody's to take.
                _groups[link.Group] = _groups.TryGetValue(link.Group, out var other) && other != vm ? null : vm;
            }
        }
    }

    /// <summary>Lower devices that one wanted link would have to itself, and another wants too.</summary>
    private static HashSet<string> Contended(IReadOnlyList<DesiredLink> wanted)
    {
        HashSet<string> seen = [], twice = [], alone = [];
        foreach (var want in wanted)
        {
            if (want.Lower is { } lower)
            {
                _ = seen.Add(lower) || twice.Add(lower);
                _ = want.Mode == MacvlanMode.Passthru && alone.Add(lower);
            }
        }
        twice.IntersectWith(alone);
        return twice;
    }

    internal Plan ForUp()
    {
        Strays();
        var names = new HashSet<string>();
        foreach (var want in _wanted)
        {
            if (names.Add(want.Name))
            {
                One(want);
            }
            else
            {
                Refuse(RefusalKind.NameTwice, want, $"two links would be named '{want.Name}'; choose another id");
            }
        }
        return new(_steps, _refusals);
    }

    /// <summary>Links of ours that no declaration names any more.</summary>
    private void Strays()
    {
        HashSet<string> vms = [.. _options.Vms], aliases = new(_wanted.Count);
        foreach (var want in _wanted)
        {
            aliases.Add(want.Alias);
            if (_options.Vms.Count == 0)
            {
                vms.Add(want.Vm);
            }
        }
        foreach (var link in _state.Links)
        {
            if (Ownership.Vm(link.Alias) is not { } vm || !vms.Contains(vm) || aliases.Contains(link.Alias!) || !Selected(link, _options.Only))
            {
                continue;
            }
            _going.Add(link.Index);
            Held(link, vm, "is no longer declared");
            _steps.Add(new(StepKind.Delete, vm, link.Name, "the declaration no longer has it", null, link, link.Group));
        }
    }

    private void One(DesiredLink want)
    {
        var group = Group(want.Vm);
        if (!Bridge(want, out var master) || !Lower(want, out var lower))
        {
            return;
        }
        var taken = _byName.GetValueOrDefault(want.Name);
        var link = taken?.Alias == want.Alias ? taken : _byAlias.GetValueOrDefault(want.Alias) ?? taken;
        if (link is not null && taken is not null && taken != link && !_going.Contains(taken.Index))
        {
            Refuse(RefusalKind.NameTaken, want, $"'{want.Name}' was renamed to '{link.Name}', and another link has its name now; rename or delete that one: ip link delete {want.Name}");
            return;
        }
        if (link is null || (link == taken && _going.Contains(link.Index)))
        {
            _steps.Add(new(StepKind.Create, want.Vm, want.Name, "it is not there", want, null, group, master, lower));
            return;
        }
        var redirect = want.RedirectTo is { } to && _byName.TryGetValue(to, out var target) ? target.Index : -1;
        var comparison = new Comparison(want, link, _state).Compare(group, master, lower, redirect);
        if (link.Alias != want.Alias && !Adoptable(want, link, comparison))
        {
            return;
        }
        if (comparison.Differs.HasFlag(Difference.Fixed) || (comparison.Differs.HasFlag(Difference.Owner) && link is { InUse: true, Tun.MultiQueue: false }))
        {
            Held(link, want.Vm, $"must be replaced ({comparison.Reason})");
            _steps.Add(new(StepKind.Replace, want.Vm, want.Name, comparison.Reason, want, link, group, master, lower, comparison.Differs));
            return;
        }
        _steps.Add(comparison.Differs == Difference.None
            ? new(StepKind.Keep, want.Vm, want.Name, "it is right", want, link, group, master, lower)
            : new(StepKind.Change, want.Vm, want.Name, comparison.Reason, want, link, group, master, lower, comparison.Differs));
    }

    private bool Adoptable(DesiredLink want, Link link, Comparison comparison)
    {
        var other = Ownership.Vm(link.Alias);
        var fits = (comparison.Differs & ~(Difference.Mark | Difference.Down | Difference.Ipv6)) == Difference.None;
        if (other is null && _options.Adopt && fits)
        {
            return true;
        }
        var why = other is not null ? $": it belongs to the VM '{other}'"
            : _options.Adopt ? $" and does not fit ({comparison.Reason})"
            : "";
        var adopt = other is null && !_options.Adopt && fits ? "take it over with --adopt, " : "";
        Refuse(RefusalKind.Foreign, want, $"a link '{want.Name}' is there already and is not ours{why}; {adopt}choose another id, or delete it yourself");
        return false;
    }

    private bool Bridge(DesiredLink want, out int master)
    {
        master = 0;
        if (want.Bridge is not { } bridge)
        {
            return true;
        }
        if (!_byName.TryGetValue(bridge, out var found))
        {
            Refuse(RefusalKind.BridgeMissing, want, $"'{want.Name}' wants the bridge '{bridge}', which is not there; make it first: ip link add {bridge} type bridge");
            return false;
        }
        if (found.Kind != "bridge")
        {
            Refuse(RefusalKind.BridgeUnfit, want, $"'{want.Name}' wants the bridge '{bridge}', but that link is {(found.Kind is { } k ? $"a {k}" : "no bridge")}");
            return false;
        }
        master = found.Index;
        return true;
    }

    private bool Lower(DesiredLink want, out int lower)
    {
        lower = 0;
        if (want.Lower is not { } name)
        {
            return true;
        }
        if (LowerFault(want, name, out lower) is not { } fault)
        {
            return true;
        }
        Refuse(lower == 0 ? RefusalKind.LowerMissing : RefusalKind.LowerUnfit, want, $"'{want.Id}' wants the lower device '{name}', {fault}");
        return false;
    }

    private string? LowerFault(DesiredLink want, string name, out int lower)
    {
        lower = 0;
        if (!_byName.TryGetValue(name, out var device))
        {
            return "which is not there; ip link shows what is";
        }
        lower = device.Index;
        if (device.Kind is "macvlan" or "macvtap")
        {
            return $"which is a {device.Kind} itself; name the device below it";
        }
        if (device.Master is { } master && _byIndex.GetValueOrDefault(master)?.Kind == "bridge")
        {
            return $"which is a port of the bridge '{_byIndex[master].Name}'; use type \"tap\" with that bridge";
        }
        if (want.Mode == MacvlanMode.Passthru && _onLower[lower].FirstOrDefault(l => l.Alias != want.Alias && !_going.Contains(l.Index)) is { } other)
        {
            return $"and mode passthru wants it alone, but '{other.Name}' uses it";
        }
        if (_passthruOnLower[lower].FirstOrDefault(l => l.Alias != want.Alias && !_going.Contains(l.Index)) is { } passthru)
        {
            return $"which '{passthru.Name}' has to itself in mode passthru";
        }
        return _contendedLowers.Contains(name)
            ? "which one interface in mode passthru would have to itself, but another declared one wants it too" : null;
    }

    private void Refuse(RefusalKind kind, DesiredLink want, string text) => _refusals.Add(new(kind, want.Vm, want.Name, want.Alias, text));

    private void Held(Link link, string vm, string what)
    {
        if (link.InUse && !_options.ReplaceRunning)
        {
            _refusals.Add(new(RefusalKind.Held, vm, link.Name, link.Alias ?? "", $"'{link.Name}' {what}, but a VM has it open; stop '{vm}' first, or say --replace-running"));
        }
    }

    private uint Group(string vm)
    {
        if (!_groupOf.TryGetValue(vm, out var group))
        {
            group = Ownership.LinkGroup(vm, g => _groups.TryGetValue(g, out var other) && other != vm);
            // A number that it had to move on to stays its own, also once the first one is free again.
            var kept = Enumerable.Range(0, 64).Select(n => group + (uint)n).FirstOrDefault(g => _groups.TryGetValue(g, out var own) && own == vm, group);
            _groupOf[vm] = group = kept;
            _groups[group] = vm;
        }
        return group;
    }

    internal static LinkSelection Selection(DesiredLink want) =>
        want.Kind == LinkKind.Tap && want.RedirectTo is null ? LinkSelection.Tap : LinkSelection.Macvtap;

    /// <summary>Whether a link of ours is of that selection: the two of a redirected pair say so in their aliases.</summary>
    internal static bool Selected(Link link, LinkSelection only) => only == LinkSelection.All
        || (link.Kind == "macvtap" || Ownership.IsPart(link.Alias) ? LinkSelection.Macvtap : LinkSelection.Tap) == only;
}
