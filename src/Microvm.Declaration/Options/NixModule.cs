using System.Globalization;
using System.Text;

namespace Microvm.Declaration;

/// <summary>The generated files of <c>nix/modules/microvm</c>, made from <see cref="MicrovmOptions"/>.</summary>
internal static class NixModule
{
    private const string Head = "# Written by scripts/generate.sh from src/Microvm.Declaration/Options; do not edit.\n";

    private const string Shared = "networks";

    private static readonly string[] s_declared =
    [
        "declared = mkOption {",
        "  type = types.attrs;",
        "  default = import ../../lib/declared.nix (import ./table.nix).interface options;",
        "  internal = true;",
        "  visible = false;",
        "  readOnly = true;",
        "  description = \"What was written of it, as a declaration in JSON has it.\";",
        "};",
    ];

    /// <summary>The text of <c>options.nix</c>: every option as NixOS declares options.</summary>
    public static string Options()
    {
        var text = new StringBuilder(Head).Append("""
            { config, lib, pkgs, ... }:
            let
              inherit (lib) mkOption types literalExpression;
              cfg = config.microvm;
              hostName = config.networking.hostName or "$HOSTNAME";
            in
            {
              imports = [ ./outputs.nix ./networks.nix ];

              options.microvm = {

            """);
        Declare(text, [.. MicrovmOptions.Microvm.All.Where(o => o.Name != Shared)], "    ");
        return text.Append("  };\n}\n").ToString();
    }

    /// <summary>The text of <c>networks.nix</c>: what a host declares as a VM does. A file of its own, so that a host that is a guest too has it once.</summary>
    public static string Networks()
    {
        var text = new StringBuilder(Head).Append("{ lib, ... }:\nlet\n  inherit (lib) mkOption types literalExpression;\nin\n{\n  options.microvm = {\n");
        Declare(text, [.. MicrovmOptions.Microvm.All.Where(o => o.Name == Shared)], "    ");
        return text.Append("  };\n}\n").ToString();
    }

    /// <summary>The text of <c>table.nix</c>: the hypervisors, and the names of what a declaration in JSON has.</summary>
    public static string Table()
    {
        var text = new StringBuilder(Head).Append("{\n  hypervisors = [");
        foreach (var hypervisor in MicrovmOptions.Hypervisors)
        {
            _ = text.Append(' ').Append(Text(hypervisor));
        }
        text.Append(" ];\n  declared = ");
        Names(text, MicrovmOptions.Microvm, "  ");
        text.Append("  interface = ");
        Names(text, DeviceOptions.Interface, "  ");
        return text.Append("}\n").ToString();
    }

    private static void Names(StringBuilder text, OptionSet set, string indent)
    {
        text.Append("{\n");
        foreach (var option in set.All.Where(o => !o.LeftAlone && o.Nix is not { Internal: true }))
        {
            if (option.Type is SetType { Options: var inner })
            {
                // A set of what is left alone is left alone.
                if (inner.All.Any(o => !o.LeftAlone))
                {
                    Names(text.Append($"{indent}  {option.Name} = "), inner, indent + "  ");
                }
            }
            else
            {
                text.Append($"{indent}  {option.Name} = null;\n");
            }
        }
        text.Append(indent).Append("};\n");
    }

    private static void Declare(StringBuilder text, IReadOnlyList<DeclaredOption> options, string indent)
    {
        foreach (var option in options.Where(o => o.Nix is not { ByHand: true }))
        {
            text.Append($"{indent}{option.Name} = ");
            if (option.Type is SetType { Options: var inner })
            {
                text.Append("{\n");
                Declare(text, inner.All, indent + "  ");
                text.Append(indent).Append("};\n");
            }
            else
            {
                text.Append("mkOption {\n");
                Body(text, option, indent + "  ");
                text.Append(indent).Append("};\n");
            }
        }
    }

    private static void Body(StringBuilder text, DeclaredOption option, string indent)
    {
        text.Append(indent).Append("type = ");
        if (option.Type is ListType { Item: SetType { Options: var ofList } })
        {
            Submodule(text, "listOf", ofList, indent);
        }
        else if (option.Type is AttributesType { Item: SetType { Options: var ofAttributes } })
        {
            Submodule(text, "attrsOf", ofAttributes, indent);
        }
        else
        {
            text.Append(option.Nix?.Type ?? (option.Nullable ? $"types.nullOr {Nested(option.Type)}" : TypeOf(option.Type))).Append(";\n");
        }
        if (option.Nix?.Default is { } computed)
        {
            text.Append($"{indent}default = {computed};\n");
            var shown = option.Nix.DefaultText ?? computed.Replace("cfg.", "config.microvm.", StringComparison.Ordinal);
            if (shown != computed || NeedsMore(computed))
            {
                text.Append($"{indent}defaultText = literalExpression {Text(shown)};\n");
            }
        }
        else if (DefaultOf(option) is { } standard)
        {
            text.Append($"{indent}default = {standard};\n");
        }
        var example = option.Example ?? (option.Default == "true" ? "false" : "true");
        var isShown = NeedsMore(example) || example.Contains("{ ", StringComparison.Ordinal);
        text.Append($"{indent}example = {(isShown ? $"literalExpression {Text(example)}" : example)};\n");
        if (option.Nix is { Internal: true })
        {
            text.Append(indent).Append("internal = true;\n");
        }
        text.Append($"{indent}description = {Text(option.Summary)};\n");
    }

    private static void Submodule(StringBuilder text, string of, OptionSet item, string indent)
    {
        text.Append($"types.{of} (types.submodule ({{ config, options, ... }}: {{\n").Append(indent).Append("  options = {\n");
        Declare(text, item.All, indent + "    ");
        if (item.All.Any(o => o.NullIsAChoice))
        {
            // Whether a null was written down can be told only from inside.
            foreach (var line in s_declared)
            {
                text.Append($"{indent}    {line}\n");
            }
        }
        text.Append(indent).Append("  };\n").Append(indent).Append("}));\n");
    }

    // An expression that is no plain value by itself is shown as it is written.
    private static bool NeedsMore(string expression) =>
        ((string[])["config.", "cfg.", "pkgs.", "lib.", "hostName"]).Any(word => expression.Contains(word, StringComparison.Ordinal));

    private static string? DefaultOf(DeclaredOption option)
    {
        if (option.Required || option.Nix is { NoDefault: true })
        {
            return null;
        }
        if (option.Default is { } standard && JsonSchema.IsJson(standard))
        {
            return standard switch { "[]" => "[ ]", "{}" => "{ }", _ => standard };
        }
        return option.Nullable ? "null"
            : option.Default is null ? null
            : throw new InvalidOperationException($"{option.Name} has a default in words, and no Nix expression for it");
    }

    private static string TypeOf(OptionType type) => type switch
    {
        BoolType => "types.bool",
        IntegerType { Least: 1, Most: 65535 } => "types.port",
        IntegerType { Least: >= 1 } => "types.ints.positive",
        IntegerType { Least: 0 } => "types.ints.unsigned",
        IntegerType => "types.int",
        ChoiceType choice => $"types.enum [ {string.Join(' ', choice.Choices.Select(Text))} ]",
        TextType or PathType => "types.str",
        PackageType => "types.package",
        ListType list => $"types.listOf {Nested(list.Item)}",
        AttributesType { Item: AnyType } or AnyType => "types.attrs",
        AttributesType attributes => $"types.attrsOf {Nested(attributes.Item)}",
        EitherType either => $"types.either {Nested(either.First)} {Nested(either.Second)}",
        _ => throw new InvalidOperationException($"no Nix type goes with {type.Words}"),
    };

    private static string Nested(OptionType type) => TypeOf(type) is var text && text.Contains(' ') ? $"({text})" : text;

    /// <summary>A string as Nix writes it.</summary>
    internal static string Text(string text)
    {
        var result = new StringBuilder("\"");
        foreach (var (n, c) in text.Index())
        {
            _ = c switch
            {
                '"' or '\\' => result.Append('\\').Append(c),
                '\n' => result.Append("\\n"),
                '$' when n + 1 < text.Length && text[n + 1] == '{' => result.Append("\\$"),
                < ' ' => throw new ArgumentException(((int)c).ToString(CultureInfo.InvariantCulture), nameof(text)),
                _ => result.Append(c),
            };
        }
        return result.Append('"').ToString();
    }
}
