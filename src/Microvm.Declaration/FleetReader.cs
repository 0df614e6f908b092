namespace Microvm.Declaration;

/// <summary>One VM of a fleet file: with a configuration of its own, or a flake that has it.</summary>
/// <param name="Config">The declaration, its host name the VM's name; null where a flake is named.</param>
/// <param name="Declaration">The same as it was written; null where a flake is named.</param>
/// <param name="Autostart">Whether it starts with the host.</param>
internal sealed record FleetVm(string Name, SourcePosition At, MicrovmConfig? Config, ObjectNode? Declaration, string? Flake, bool Autostart);

/// <summary>The VMs of one host.</summary>
/// <param name="StateDirectory"><c>microvm.stateDir</c>; null where it is not given.</param>
internal sealed record Fleet(IReadOnlyList<FleetVm> Vms, string? StateDirectory);

/// <summary>Reads a fleet file: <c>microvm.vms.NAME.config</c> or <c>.flake</c>, <c>microvm.autostart</c>, <c>microvm.stateDir</c>.</summary>
internal static class FleetReader
{
    private static readonly string[] s_host = ["vms", "autostart", "stateDir", "host"];
    private static readonly string[] s_vm = ["config", "flake", "updateFlake", "autostart", "restartIfChanged"];

    /// <summary>Whether this declares a host's VMs rather than one VM.</summary>
    public static bool IsFleet(Node root) => root is ObjectNode top && top["microvm"] is ObjectNode microvm && microvm["vms"] is not null;

    /// <summary>The fleet, or null after errors. Rules over all its VMs together are <see cref="FleetRules"/>'s.</summary>
    public static Fleet? Read(Node root, DiagnosticBag diagnostics)
    {
        var own = new DiagnosticBag();
        var fleet = ReadInto(((ObjectNode)((ObjectNode)root)["microvm"]!), own);
        foreach (var d in own.All)
        {
            if (d.Severity == Severity.Error)
            {
                diagnostics.Error(d.At, d.Message);
            }
            else
            {
                diagnostics.Warning(d.At, d.Message);
            }
        }
        return own.HasErrors ? null : fleet;
    }

    private static Fleet ReadInto(ObjectNode microvm, DiagnosticBag diagnostics)
    {
        Known(microvm, "microvm", s_host, "; options of a single VM go into microvm.vms.NAME.config", diagnostics);
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
        if (microvm["vms"] is not ObjectNode all)
        {
            diagnostics.Error(microvm["vms"]!.At, $"microvm.vms must be an attribute set of VMs; this is {microvm["vms"]!.Kind}");
            return new(vms, state);
        }
        foreach (var member in all.Members)
        {
            if (member.Value is not ObjectNode given)
            {
                diagnostics.Error(member.At, $"microvm.vms.{Printable.Of(member.Name)} must be an attribute set; this is {member.Value.Kind}");
            }
            else if (Vm(member, given, names.Contains(member.Name), diagnostics) is { } vm)
            {
                vms.Add(vm);
            }
        }
        return new(vms, state);
    }

    private static FleetVm? Vm(Member member, ObjectNode given, bool listed, DiagnosticBag diagnostics)
    {
        var name = member.Name;
        if (name.Length is 0 or > 63 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')) || name[0] is '-' or '.')
        {
            diagnostics.Error(member.At, $"'{Printable.Of(name)}' can't be a VM's name: use 1 to 63 of a-z, 0-9, '-', '_' and '.', with a letter or digit in front");
            return null;
        }
        Known(given, $"microvm.vms.{name}", s_vm, "", diagnostics);
        var autostart = given["autostart"] is { } a ? a is BoolNode { Value: true } : true;
        if (given["autostart"] is { } wrong and not BoolNode)
        {
            diagnostics.Error(wrong.At, $"microvm.vms.{name}.autostart must be true or false; this is {wrong.Kind}");
        }
        var flake = Text(given, "updateFlake", diagnostics) ?? Text(given, "flake", diagnostics);
        if (flake is not null && given["config"] is not null)
        {
            diagnostics.Error(given.At, $"microvm.vms.{name} has both a config and a flake; keep one");
            return null;
        }
        if (flake is not null)
        {
            return new(name, member.At, null, null, flake, autostart || listed);
        }
        if (given["config"] is not ObjectNode config)
        {
            diagnostics.Error(given.At, $"microvm.vms.{name} needs a config (the VM's declaration) or a flake");
            return null;
        }
        return new DeclarationReader(diagnostics).Read(config) is not { } read ? null
            : Named(read, name) is { } named ? new(name, member.At, named, config, null, autostart || listed)
            : Refuse();

        FleetVm? Refuse()
        {
            diagnostics.Error(config.At, $"microvm.vms.{name}.config says networking.hostName = \"{read.Name}\"; leave it out, or name the VM so");
            return null;
        }
    }

    /// <summary>The declaration under a VM's name; null where it declares another. "nixos" is NixOS's own default, and no choice.</summary>
    public static MicrovmConfig? Named(MicrovmConfig config, string name) => config.Name == name || config.Name == "nixos" ? config with { Name = name } : null;

    private static string? Text(ObjectNode it, string name, DiagnosticBag diagnostics)
    {
        if (it[name] is { } node and not StringNode)
        {
            diagnostics.Error(node.At, $"'{name}' must be a string; this is {node.Kind}");
        }
        return (it[name] as StringNode)?.Value;
    }

    private static void Known(ObjectNode it, string where, string[] known, string more, DiagnosticBag diagnostics)
    {
        foreach (var member in it.Members.Where(m => !known.Contains(m.Name)))
        {
            var near = Printable.Nearest(member.Name, known) is { } n ? $"; did you mean '{n}'?" : $"; it has {string.Join(", ", known)}{more}";
            diagnostics.Error(member.At, $"'{where}' has no option '{Printable.Of(member.Name)}'{near}");
        }
    }
}
