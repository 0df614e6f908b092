using System.Text;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Resources;

namespace Microvm.Network.Planning;

/// <summary>Makes the plan of one <c>up</c>.</summary>
internal sealed class Planner
{
    private readonly IReadOnlyList<DesiredLink> _wanted;
    private readonly HostState _state;
    private readonly PlanOptions _options;
    private readonly Dictionary<string, Link> _byName = [];
    private readonly Dictionary<string, Link> _byAltName = [];
    private readonly Dictionary<string, Link> _byAlias = [];
    private readonly Dictionary<int, Link> _byIndex = [];
    private readonly ILookup<int, Link> _onLower;
    private readonly ILookup<int, Link> _passthruOnLower;
    private readonly HashSet<string> _contendedLowers;
    private readonly SettingRules _settings;
    private readonly IpTool _ip;
    private KernelRules? _rules;
    private readonly Dictionary<int, int> _newPorts = [];
    private readonly Dictionary<uint, string?> _groups = [];
    private readonly Dictionary<string, uint> _groupOf = [];
    private readonly HashSet<int> _going = [];
    private readonly List<(DesiredLink Want, Link Holder)> _waiting = [];
    private readonly List<Step> _steps = [];
    private readonly List<Refusal> _refusals = [];
    private Dictionary<string, string>? _namesWanted;

    internal Planner(IReadOnlyList<DesiredLink> wanted, HostState state, PlanOptions options)
    {
        (_wanted, _state, _options) = ([.. wanted.Where(w => options.Only == LinkSelection.All || Selection(w) == options.Only)], state, options);
        _onLower = state.Links.Where(l => l.Macvlan is not null && l.Lower is not null).ToLookup(l => l.Lower!.Value);
        _passthruOnLower = state.Links.Where(l => l.Macvlan?.Mode == MacvlanMode.Passthru && l.Lower is not null).ToLookup(l => l.Lower!.Value);
        foreach (var link in state.Links)
        {
            _byName[link.Name] = link;
            _byIndex[link.Index] = link;
            foreach (var name in link.AltNames)
            {
                _byAltName[name] = link;
            }
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
        _contendedLowers = Contended();
        _ip = new(options.Netns);
        _settings = new(_wanted, state, _byIndex, _going, _ip);
    }

    /// <summary>The link of that name or altname. The kernel keeps both in one table, so no two links share one.</summary>
    private Link? Find(string name) => _byName.GetValueOrDefault(name) ?? _byAltName.GetValueOrDefault(name);

    /// <summary>Lower devices that one wanted link would have to itself, and another wants too.</summary>
    private HashSet<string> Contended()
    {
        HashSet<string> seen = [], twice = [], alone = [];
        foreach (var want in _wanted)
        {
            if (want.Lower is { } name)
            {
                var lower = Find(name)?.Name ?? name;
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
        DropWhatWaitsInVain();
        return new(_steps, _refusals) { Unguarded = [.. Unguarded()] };
    }

    /// <summary>Guards of ours that are no longer wanted. Where a declaration does not say, what is there stays.</summary>
    private IEnumerable<string> Unguarded()
    {
        if (_state.Guards is not { Guards.Count: > 0 } seen || _options.Only == LinkSelection.Macvtap)
        {
            yield break;
        }
        var wanted = _wanted.DistinctBy(w => w.Name).ToDictionary(w => w.Name);
        HashSet<string> vms = _options.Vms.Count > 0 ? [.. _options.Vms] : [.. _wanted.Select(w => w.Vm)];
        foreach (var guard in seen.Guards.Values.Where(g => Ownership.Vm(g.Alias) is { } vm && vms.Contains(vm)))
        {
            if (wanted.GetValueOrDefault(guard.Link) is not { } want || want.AntiSpoof is AntiSpoof.Off or AntiSpoof.Mac)
            {
                yield return guard.Link;
            }
        }
    }

    /// <summary>A name that another link of ours has is free once that one is named as declared; where it is not going to be, this one can't have it.</summary>
    private void DropWhatWaitsInVain()
    {
        for (var dropped = _waiting.Count > 0; dropped;)
        {
            dropped = false;
            foreach (var (want, holder) in _waiting)
            {
                if (_steps.FindIndex(s => s.Desired?.Alias == want.Alias) is >= 0 and var at
                    && !_steps.Exists(s => s.Desired?.Alias == holder.Alias && (s.Kind == StepKind.Replace || s.Differs.HasFlag(Difference.Name))))
                {
                    _steps.RemoveAt(at);
                    Refuse(RefusalKind.NameTaken, want, $"'{want.Name}' is now the name of another link that microvm created and that can't get its declared name; see the message about that one");
                    dropped = true;
                }
            }
        }
    }

    /// <summary>Whether a link is one of the declared, under a name that it is not to keep.</summary>
    private bool IsToBeRenamed(Link link)
    {
        _namesWanted ??= _wanted.DistinctBy(w => w.Alias).ToDictionary(w => w.Alias, w => w.Name);
        return link.Alias is { } alias && _namesWanted.TryGetValue(alias, out var name) && name != link.Name;
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
        if (!Bridge(want, out var bridge) || !Lower(want, out var lower))
        {
            return;
        }
        if (_byAltName.TryGetValue(want.Name, out var other) && !_going.Contains(other.Index))
        {
            Refuse(RefusalKind.NameTaken, want, $"'{want.Name}' is an altname of '{other.Name}', so no link can be named so; choose another id, or take it from that one: "
                + _ip.Command("link", "property", "del", "dev", other.Name, "altname", want.Name));
            return;
        }
        var taken = _byName.GetValueOrDefault(want.Name);
        var mine = taken?.Alias == want.Alias ? taken : _byAlias.GetValueOrDefault(want.Alias);
        var link = mine ?? taken;
        if (_settings.Unmet(want, link, bridge, lower) is var (unmet, why))
        {
            Refuse(unmet, want, why);
            return;
        }
        if (taken is not null && taken != mine && IsToBeRenamed(taken))
        {
            link = mine;
            _waiting.Add((want, taken));
        }
        else if (link is not null && taken is not null && taken != link && !_going.Contains(taken.Index))
        {
            Refuse(RefusalKind.NameTaken, want, $"'{want.Name}' was renamed to '{link.Name}', and another link has its name now; rename or delete that one: {_ip.Command("link", "delete", want.Name)}");
            return;
        }
        if (bridge is not null && link?.Master != bridge.Index && !TakesPort(want, bridge.Index, link is null || _going.Contains(link.Index) ? null : link))
        {
            return;
        }
        if (link is null || (link == taken && _going.Contains(link.Index)))
        {
            _steps.Add(new(StepKind.Create, want.Vm, want.Name, $"not there yet{Lowers(want, bridge)}", want, null, group, bridge?.Index ?? 0, lower) { Mtu = want.Mtu ?? MtuOf(bridge) });
            return;
        }
        var redirect = want.RedirectTo is { } to && _byName.TryGetValue(to, out var target) ? target.Index : -1;
        var comparison = Comparison.Of(want, link, _state, group, bridge?.Index ?? 0, lower, redirect);
        if (link.Alias != want.Alias && !Adoptable(want, link, comparison))
        {
            return;
        }
        if (comparison.Differs.HasFlag(Difference.Fixed))
        {
            Held(link, want.Vm, $"must be replaced ({comparison.Reason})");
            _steps.Add(Replace(want, link, comparison, group, bridge, lower));
            return;
        }
        _steps.Add(comparison.Differs == Difference.None ? Keep(want, link, group, bridge, lower)
            : new(StepKind.Change, want.Vm, want.Name, $"{comparison.Reason}{(comparison.Differs.HasFlag(Difference.Mtu) ? Lowers(want, bridge) : "")}", want, link, group, bridge?.Index ?? 0, lower, comparison.Differs)
            {
                // A bridge takes on the smallest MTU of its ports.
                Mtu = !comparison.Differs.HasFlag(Difference.Master) ? null : want.Mtu ?? (MtuOf(bridge) is { } mtu && link.Mtu < mtu ? mtu : null),
            });
    }

    private Step Keep(DesiredLink want, Link link, uint group, Link? bridge, int lower) =>
        new(StepKind.Keep, want.Vm, want.Name, Around(bridge, lower) is { } note ? $"it is right, but {note}" : "it is right", want, link, group, bridge?.Index ?? 0, lower) { Note = Around(bridge, lower) };

    /// <summary>What keeps frames from a link that can be had all the same; null where nothing does.</summary>
    private string? Around(Link? bridge, int lower) => bridge is { Up: false } ? DownBridge(bridge) : lower == 0 ? null : _byIndex[lower] switch
    {
        { Up: false } device => $"its lower device '{device.Name}' is down: {SetUp(device)}",
        { Carrier: false } device => $"its lower device '{device.Name}' has no carrier",
        _ => null,
    };

    /// <summary>A declared network's bridge is brought up by what makes the network.</summary>
    private string? DownBridge(Link bridge) => Networks.NetworkSite.NetworkOf(bridge) is null ? $"its bridge '{bridge.Name}' is down: {SetUp(bridge)}"
        : _options.Networks.Count > 0 ? null : $"its bridge '{bridge.Name}' is down";

    private string SetUp(Link link) => _ip.Command("link", "set", link.Name, "up");

    /// <summary>Who comes in the place of another keeps what the declaration says nothing of: whom it is attached to, MTU, port settings.</summary>
    private Step Replace(DesiredLink want, Link link, Comparison comparison, uint group, Link? bridge, int lower)
    {
        var master = want.Bridge is null && !want.Detached ? TapResource.MasterOf(link) : bridge?.Index ?? 0;
        var stays = master != 0 && master == link.Master;
        return new(StepKind.Replace, want.Vm, want.Name, comparison.Reason, want, link, group, master, lower, comparison.Differs)
        {
            Mtu = want.Mtu is { } declared ? declared : want.Kind == LinkKind.Tap ? (stays || bridge is null ? link.Mtu : MtuOf(bridge))
                : link.Lower == lower && _byIndex.GetValueOrDefault(lower)?.Mtu > link.Mtu ? link.Mtu : null,
            Port = stays ? link.Port : null,
        };
    }

    private string Lowers(DesiredLink want, Link? bridge) => bridge is null || !(want.Mtu < bridge.Mtu) ? ""
        : $"; '{bridge.Name}' takes on its MTU of {want.Mtu}, unless its own was set ({_ip.Command("link", "set", "dev", bridge.Name, "mtu", $"{bridge.Mtu}")})";

    // A tap can have no more (MAX_MTU in drivers/net/tun.c, less the Ethernet header).
    private static uint? MtuOf(Link? bridge) => bridge is null ? null : Math.Min(bridge.Mtu, 65521);

    private bool Adoptable(DesiredLink want, Link link, Comparison comparison)
    {
        var other = Ownership.Vm(link.Alias);
        var fits = comparison.FitsForAdoption;
        if (other is null && _options.Adopt && fits)
        {
            return true;
        }
        var whose = other is not null ? $"belongs to the VM '{other}'"
            : _options.Adopt ? $"was not created by microvm, and does not fit ({comparison.Reason})"
            : "was not created by microvm";
        var adopt = other is not null ? $"if '{want.Vm}' is the same VM under a new name: sudo microvm rename {other} {want.Vm}; otherwise "
            : !_options.Adopt && fits ? "take it over with --adopt, " : "";
        Refuse(RefusalKind.Foreign, want, $"a link '{want.Name}' already exists and {whose}; {adopt}choose another id, or delete it yourself");
        return false;
    }

    private bool Bridge(DesiredLink want, out Link? found)
    {
        found = null;
        if (want.Bridge is not { } bridge)
        {
            return true;
        }
        found = Find(bridge);
        if (found is null)
        {
            var renamed = _byAlias.GetValueOrDefault(want.Alias) is { MasterKind: "bridge", Master: { } now } ? Renamed(want, now, bridge) : null;
            Refuse(RefusalKind.BridgeMissing, want, $"'{want.Name}' needs the bridge '{bridge}', which is not there; {renamed ?? MakeBridge(bridge)}");
            return false;
        }
        if (found.Kind != "bridge")
        {
            Refuse(RefusalKind.BridgeUnfit, want, $"'{want.Name}' needs the bridge '{bridge}', but that link is {(found.Kind is { } k ? $"a {k}" : "no bridge")}");
            return false;
        }
        return true;
    }

    // A name that is longer than a link's can only be given to a link that is there.
    private string MakeBridge(string name) => Encoding.UTF8.GetByteCount(name) <= InterfaceName.MaxBytes ? $"make it first: {_ip.Command("link", "add", name, "type", "bridge")}"
        : $"it is too long for a link's own name, so give it to your bridge as an altname: {_ip.Command("link", "property", "add", "dev", "br0", "altname", name)}";

    /// <summary>What to type where a device is there under another name than the declared.</summary>
    private string? Renamed(DesiredLink want, int index, string name) => _byIndex.GetValueOrDefault(index) is not { } now ? null
        : $"'{want.Name}' is on '{now.Name}' now. If that is the same device, let it have this name too: {_ip.Command("link", "property", "add", "dev", now.Name, "altname", name)}";

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
        Refuse(lower == 0 ? RefusalKind.LowerMissing : RefusalKind.LowerUnfit, want, $"'{want.Id}' needs the lower device '{name}', {fault}");
        return false;
    }

    private string? LowerFault(DesiredLink want, string name, out int lower)
    {
        lower = 0;
        if (Find(name) is not { } device)
        {
            return $"which is not there; {(_byAlias.GetValueOrDefault(want.Alias)?.Lower is { } now ? Renamed(want, now, name) : null) ?? $"{_ip.Command("link")} shows what is"}";
        }
        lower = device.Index;
        if (device.Kind is "macvlan" or "macvtap")
        {
            return $"which is a {device.Kind} itself; name the device below it";
        }
        // What stands on it already, the kernel has taken.
        var own = _byAlias.GetValueOrDefault(want.Alias);
        if ((own?.Lower != lower || device.Master is not null) && Rules.LowerDevice(device) is { } unfit)
        {
            return unfit;
        }
        if (want.Mode == MacvlanMode.Passthru && _onLower[lower].FirstOrDefault(l => l.Alias != want.Alias && !_going.Contains(l.Index)) is { } other)
        {
            return $"and mode passthru needs it exclusively, but '{other.Name}' uses it";
        }
        if (_passthruOnLower[lower].FirstOrDefault(l => l.Alias != want.Alias && !_going.Contains(l.Index)) is { } passthru)
        {
            return $"which '{passthru.Name}' uses exclusively in mode passthru";
        }
        var mac = want.Mac!.Value.ToHex();
        if (want.Mode != MacvlanMode.Passthru && (own is not { Up: true } || own.Lower != lower || own.Address != mac) && Rules.Mac(mac, device, l => l.Alias != want.Alias && !_going.Contains(l.Index) && !IsToChange(l)) is { } busy)
        {
            return busy;
        }
        return _contendedLowers.Contains(device.Name)
            ? "which one interface in mode passthru would use exclusively, but another declared interface needs it too" : null;
    }

    private KernelRules Rules => _rules ??= new(_state.Links, _ip);

    /// <summary>Whether a bridge has a port left for a link, and the link can become one.</summary>
    private bool TakesPort(DesiredLink want, int bridge, Link? link)
    {
        if (link is not null && link.Alias == want.Alias && Rules.Port(link) is { } held)
        {
            Refuse(RefusalKind.BridgeUnfit, want, $"'{want.Name}' needs the bridge '{want.Bridge}', but {held}");
            return false;
        }
        if (Rules.Bridge(_byIndex[bridge]) is { } full)
        {
            Refuse(RefusalKind.BridgeUnfit, want, $"'{want.Name}' needs the bridge '{want.Bridge}', {full}");
            return false;
        }
        if (!_newPorts.TryGetValue(bridge, out var ports))
        {
            ports = Rules.Ports(bridge) - _going.Count(i => _byIndex[i].Master == bridge);
        }
        if (ports >= KernelRules.MostPorts)
        {
            Refuse(RefusalKind.BridgeUnfit, want, $"'{want.Name}' needs the bridge '{want.Bridge}', which would have more than the {KernelRules.MostPorts} ports that the kernel allows; use a second bridge");
            return false;
        }
        _newPorts[bridge] = ports + 1;
        return true;
    }

    /// <summary>Whether a link is one of the declared, whose MAC this plan may change.</summary>
    private bool IsToChange(Link link) => link.Alias is { } alias && _wanted.Any(w => w.Alias == alias && w.Mac is { } mac && mac.ToHex() != link.Address);

    private void Refuse(RefusalKind kind, DesiredLink want, string text) => _refusals.Add(new(kind, want.Vm, want.Name, want.Alias, text));

    private void Held(Link link, string vm, string what)
    {
        if (!_options.ReplaceRunning && Occupation.Of(link, _state) is { } by)
        {
            _refusals.Add(new(RefusalKind.Held, vm, link.Name, link.Alias ?? "", $"'{link.Name}' {what}, but {by}; stop '{vm}' first, or use --replace-running"));
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
