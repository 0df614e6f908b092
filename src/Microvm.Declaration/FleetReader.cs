namespace Microvm.Declaration;

/// <summary>One VM of a fleet file: with a configuration of its own, or a flake that has it.</summary>
/// <param name="Config">The declaration, its host name the VM's name; null where a flake is named that is not on this machine.</param>
/// <param name="Declaration">The same as it was written; null where a flake is named.</param>
/// <param name="Flake">The flake that it is built from.</param>
/// <param name="Autostart">Whether it starts with the host.</param>
internal sealed record FleetVm(string Name, SourcePosition At, MicrovmConfig? Config, ObjectNode? Declaration, string? Flake, bool Autostart)
{
    /// <summary>Whether a change of the VM restarts it.</summary>
    public bool RestartIfChanged { get; init; }
}

/// <summary>The VMs of one host.</summary>
/// <param name="StateDirectory"><c>microvm.stateDir</c>; null where it is not given.</param>
internal sealed record Fleet(IReadOnlyList<FleetVm> Vms, string? StateDirectory);

/// <summary>Reads a fleet file: <c>microvm.vms.NAME.config</c> or <c>.flake</c>, <c>microvm.autostart</c>, <c>microvm.stateDir</c>.</summary>
internal static class FleetReader
{
    private static readonly string[] s_host = ["vms", "autostart", "stateDir", "host"];
    private static readonly string[] s_vm = ["config", "flake", "updateFlake", "autostart", "restartIfChanged", "nixpkgs"];

    /// <summary>What the front door adds to a VM that it found in its flake.</summary>
    private const string Evaluated = "evaluated";

    /// <summary>Whether this declares a host, with or without VMs, rather than one VM.</summary>
    public static bool IsFleet(Node root) => Microvm(root) is { } microvm && s_host.Any(o => microvm[o] is not null);

    /// <summary>What this declares of one VM: all of it where it is no host, and where a host is a guest as well, which interfaces of its
    /// own tell, what is not of the host; null for a host alone.</summary>
    public static Node? Guest(Node root)
    {
        if (!IsFleet(root))
        {
            return root;
        }
        var microvm = Microvm(root)!;
        return microvm["interfaces"] is null ? null
            : new ObjectNode(root.At, [.. ((ObjectNode)root).Members.Select(m => m.Name == "microvm" ? m with { Value = new ObjectNode(microvm.At, [.. Guest(microvm)]) } : m)]);
    }

    private static ObjectNode? Microvm(Node root) => root is ObjectNode top ? top["microvm"] as ObjectNode : null;
    private static IEnumerable<Member> Guest(ObjectNode microvm) => microvm.Members.Where(m => !s_host.Contains(m.Name));

    /// <summary>The fleet, or null after errors. Rules over all its VMs together are <see cref="FleetRules"/>'s.</summary>
    public static Fleet? Read(Node root, DiagnosticBag diagnostics)
    {
        var own = new DiagnosticBag();
        var fleet = ReadInto(((ObjectNode)((ObjectNode)root)["microvm"]!), own);
        diagnostics.Take(own);
        return own.HasErrors ? null : fleet;
    }

    private static Fleet ReadInto(ObjectNode microvm, DiagnosticBag diagnostics)
    {
        // A host that is a guest as well has a guest's options beside its own.
        if (microvm["interfaces"] is null)
        {
            new StructureCheck(diagnostics).Check(new(microvm.At, [.. microvm.Members.Where(m => m.Name == "networks")]), new("microvm", MicrovmOptions.Microvm.Find("networks")!));
            Known(microvm, "microvm", [.. s_host, "networks"], "; options of a single VM go into microvm.vms.NAME.config", diagnostics);
        }
        var names = new HashSet<string>();
        foreach (var item in microvm["autostart"] is ArrayNode list ? list.Items : [])
        {
            if (item is StringNode s)
            {
                _ = names.Add(s.Value);
            }
            else
            {
                diagnostics.Error(item.At, $"microvm.autostart holds VMs' names; this is {item.Kind}");
            }
        }
        if (microvm["autostart"] is { } notList and not ArrayNode)
        {
            diagnostics.Error(notList.At, $"microvm.autostart must be a list; this is {notList.Kind}");
        }
        var state = Text(microvm, "stateDir", diagnostics);
        if (state is not null && !state.StartsWith('/'))
        {
            diagnostics.Error(microvm["stateDir"]!.At, $"microvm.stateDir must be an absolute path, not '{Printable.Of(state)}'");
        }
        var vms = new List<FleetVm>();
        if (microvm["vms"] is null)
        {
            return new(vms, state);
        }
        if (microvm["vms"] is not ObjectNode all)
        {
            diagnostics.Error(microvm["vms"]!.At, $"microvm.vms must be an attribute set of VMs; this is {microvm["vms"]!.Kind}");
            return new(vms, state);
        }
        var networks = new NetworkReader(diagnostics).Read(microvm);
        foreach (var member in all.Members)
        {
            if (member.Value is not ObjectNode given)
            {
                diagnostics.Error(member.At, $"microvm.vms.{Printable.Of(member.Name)} must be an attribute set; this is {member.Value.Kind}");
            }
            else if (Vm(member, given, names.Contains(member.Name), networks, diagnostics) is { } vm)
            {
                // What the host declares, all its VMs may name.
                vms.Add(networks.Count == 0 || vm.Config is null ? vm : vm with
                {
                    Declaration = vm.Declaration is null ? null : WithNetworks(vm.Declaration, microvm.Set("networks")!),
                });
            }
        }
        return new(vms, state);
    }

    private static FleetVm? Vm(Member member, ObjectNode given, bool listed, IReadOnlyList<DeclaredNetwork> networks, DiagnosticBag diagnostics)
    {
        var name = member.Name;
        if (name.Length is 0 or > 63 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')) || name[0] is '-' or '.')
        {
            diagnostics.Error(member.At, $"'{Printable.Of(name)}' can't be a VM's name: use 1 to 63 of a-z, 0-9, '-', '_' and '.', with a letter or digit in front");
            return null;
        }
        Known(given, $"microvm.vms.{name}", s_vm, "", diagnostics, Evaluated);
        var autostart = given["autostart"] is { } a ? a is BoolNode { Value: true } : true;
        if (given["autostart"] is { } wrong and not BoolNode)
        {
            diagnostics.Error(wrong.At, $"microvm.vms.{name}.autostart must be true or false; this is {wrong.Kind}");
        }
        var restart = given["restartIfChanged"] is BoolNode { Value: true };
        if (given["restartIfChanged"] is { } noFlag and not BoolNode)
        {
            diagnostics.Error(noFlag.At, $"microvm.vms.{name}.restartIfChanged must be true or false; this is {noFlag.Kind}");
        }
        var flake = Text(given, "updateFlake", diagnostics) ?? Text(given, "flake", diagnostics);
        if (flake is not null && given["config"] is not null)
        {
            diagnostics.Error(given.At, $"microvm.vms.{name} has both a config and a flake; keep one");
            return null;
        }
        if (flake is not null)
        {
            var found = given[Evaluated] is ObjectNode evaluated ? new DeclarationReader(diagnostics) { HostNetworks = networks }.Read(evaluated) : null;
            return new(name, member.At, found is null ? null : Named(found, name), null, flake, autostart || listed) { RestartIfChanged = restart };
        }
        if (given["config"] is not ObjectNode config)
        {
            diagnostics.Error(given.At, $"microvm.vms.{name} needs a config (the VM's declaration) or a flake");
            return null;
        }
        return new DeclarationReader(diagnostics) { HostNetworks = networks }.Read(config) is not { } read ? null
            : new(name, member.At, Named(read, name), config, null, autostart || listed) { RestartIfChanged = restart };
    }

    /// <summary>A VM's declaration as it is by itself, with the networks that its host declares.</summary>
    private static ObjectNode WithNetworks(ObjectNode declaration, ObjectNode networks)
    {
        var microvm = declaration.Set("microvm") ?? new(declaration.At, []);
        var own = microvm.Set("networks")?.Members ?? [];
        var all = new ObjectNode(networks.At, [.. own, .. networks.Members.Where(n => !own.Any(o => o.Name == n.Name))]);
        return Having(declaration, "microvm", Having(microvm, "networks", all));

        static ObjectNode Having(ObjectNode set, string name, Node value) => new(set.At, [.. set.Members.Where(m => m.Name != name), new(name, value.At, value)]);
    }

    /// <summary>A guest's declaration under the VM's name, which is what a host knows it by, whatever the guest calls itself.</summary>
    private static MicrovmConfig Named(MicrovmConfig config, string name) => config with { Name = name };

    /// <summary>A declaration of its own under a VM's name; null where it declares another. "nixos" is NixOS's own default, and no choice.</summary>
    public static MicrovmConfig? Renamed(MicrovmConfig config, string name) => config.Name == name || config.Name == "nixos" ? config with { Name = name } : null;

    private static string? Text(ObjectNode it, string name, DiagnosticBag diagnostics)
    {
        if (it[name] is { } node and not StringNode)
        {
            diagnostics.Error(node.At, $"'{name}' must be a string; this is {node.Kind}");
        }
        return (it[name] as StringNode)?.Value;
    }

    private static void Known(ObjectNode it, string where, string[] known, string more, DiagnosticBag diagnostics, string? hidden = null)
    {
        foreach (var member in it.Members.Where(m => !known.Contains(m.Name) && m.Name != hidden))
        {
            var near = Printable.Nearest(member.Name, known) is { } n ? $"; did you mean '{n}'?" : $"; it has {string.Join(", ", known)}{more}";
            diagnostics.Error(member.At, $"'{where}' has no option '{Printable.Of(member.Name)}'{near}");
        }
    }
}
