namespace Microvm.Declaration;

/// <summary>Compares an attribute set with the table of its options: unknown names, wrong types, numbers and words out of
/// range, what is missing. All findings at once.</summary>
internal sealed class StructureCheck(DiagnosticBag diagnostics)
{
    internal void Check(ObjectNode it, OptionSet options)
    {
        foreach (var member in it.Members)
        {
            if (options.Find(member.Name) is not { } option)
            {
                Unknown(member, options);
            }
            else if (!option.LeftAlone && !(option.Nullable && member.Value is NullNode))
            {
                Check(member.Value, option.Type, option.Name, option);
            }
        }
        foreach (var option in options.Required)
        {
            if (it[option.Name] is null && !Given(it, option.Name))
            {
                diagnostics.Error(it.At, $"'{option.Name}' is missing{Example(option.Name)}");
            }
        }
    }

    private void Check(Node node, OptionType type, string what, DeclaredOption? option = null)
    {
        switch (type, node)
        {
            case (BoolType, BoolNode):
            case (AnyType, _):
                break;
            case (IntegerType range, NumberNode number):
                if (number.Integer is not { } n || n < range.Least || n > range.Most)
                {
                    diagnostics.Error(node.At, $"'{what}' must be {range.Words}");
                }
                break;
            case (ChoiceType choice, StringNode word):
                if (Array.IndexOf(choice.Choices, word.Value) < 0)
                {
                    NoChoice(word, choice, what);
                }
                break;
            case (TextType text, StringNode s):
                Text(s, text.MayBeEmpty, what);
                break;
            case (PathType or PackageType, StringNode path):
                Path(path, what);
                break;
            case (PackageType, ObjectNode package):
                if (package["outPath"] is not StringNode outPath)
                {
                    diagnostics.Error(node.At, $"'{what}' must be a package with an outPath, or a path");
                    break;
                }
                Path(outPath, $"{what}.outPath");
                break;
            case (ListType list, ArrayNode items):
                foreach (var item in items.Items)
                {
                    Check(item, list.Item, what, null);
                }
                break;
            case (AttributesType attributes, ObjectNode set):
                foreach (var member in set.Members)
                {
                    Check(member.Value, attributes.Item, $"{what}.{Printable.Of(member.Name)}");
                }
                break;
            case (SetType nested, ObjectNode set):
                Check(set, nested.Options);
                break;
            case (EitherType either, _):
                Check(node, (either.Second is SetType ? node is not ObjectNode : node is StringNode) ? either.First : either.Second, what);
                break;
            default:
                var entry = option is null ? $"an entry of '{what}'" : $"'{what}'";
                diagnostics.Error(node.At, $"{entry} must be {type.Words}; this is {node.Kind}{Instead(type, node)}");
                break;
        }
    }

    /// <summary>How the value is written that was meant, where that can be told.</summary>
    private static string Instead(OptionType type, Node node) => (type, node) switch
    {
        (IntegerType, StringNode { Value: { Length: > 0 and < 19 } digits }) when digits.All(char.IsAsciiDigit) => $"; write it without quotes: {digits}",
        (BoolType, StringNode { Value: "true" or "false" } word) => $"; write it without quotes: {word.Value}",
        (TextType, NumberNode { Integer: { } n }) => $"; write it in quotes: \"{n}\"",
        (TextType, ArrayNode { Items: [StringNode] }) => "; write it without the brackets",
        (ListType { Item: SetType }, ObjectNode one) when one["type"] is not null || one["id"] is not null => "; put the set in brackets: [ { … } ]",
        (ListType { Item: SetType }, ObjectNode) => "; it is written [ { … } { … } ], without names (in Nix, lib.attrValues makes a list of a set)",
        (ListType, StringNode { Value.Length: < 40 } word) when !word.Value.Contains('"') => $"; put it in brackets: [ \"{Printable.Of(word.Value)}\" ]",
        (ListType, StringNode) => "; put it in brackets",
        _ => "",
    };

    private static string Example(string required) => required switch
    {
        "type" => "; the types are user, tap, macvtap and bridge, as in: type = \"tap\"",
        "id" => "; it is the name of the interface on the host, as in: id = \"vm-web\"",
        "mac" => "; each interface has its own, as in: mac = \"02:00:00:00:00:01\"",
        _ => "",
    };

    private void Text(StringNode s, bool mayBeEmpty, string what)
    {
        if (s.Value.Length == 0 && !mayBeEmpty)
        {
            diagnostics.Error(s.At, $"'{what}' is empty");
        }
        else if (s.Value.Contains('\0'))
        {
            diagnostics.Error(s.At, $"'{what}' has a NUL in it, which no argument of a program can hold");
        }
    }

    private void Path(StringNode path, string what)
    {
        Text(path, false, what);
        if (path.Value.StartsWith('-'))
        {
            diagnostics.Error(path.At, $"'{what}' begins with '-' and could be taken for an option; write ./{Printable.Of(path.Value)}");
        }
        else if (path.Value.AsSpan().ContainsAny('\n', '\r'))
        {
            diagnostics.Error(path.At, $"'{what}' has a line break in it");
        }
    }

    private void NoChoice(StringNode word, ChoiceType choice, string what)
    {
        var near = Printable.Nearest(word.Value, choice.Choices) is { } n ? $"; did you mean '{n}'?" : "";
        diagnostics.Error(word.At, what switch
        {
            "type" => $"'{Printable.Of(word.Value)}' is not an interface type; choose user, tap, macvtap or bridge{near}",
            "mode" => $"'{Printable.Of(word.Value)}' is not a macvtap mode; choose private, vepa, bridge, passthru or source{near}",
            "hypervisor" => $"'{Printable.Of(word.Value)}' is not a known hypervisor; choose {choice.Words}{near}",
            _ => $"'{Printable.Of(word.Value)}' is not a choice for '{what}'; use {choice.Words}{near}",
        });
    }

    private void Unknown(Member member, OptionSet options)
    {
        var names = options.All.Select(o => o.Name);
        var near = member.Name == "balloonMem" ? "; it became the boolean 'balloon'"
            : (Printable.Nearest(member.Name, names) ?? Beginning(member.Name, names)) is { } n ? $"; did you mean '{n}'?"
            : options.All.Count <= 12 ? $"; it has {string.Join(", ", names)}" : "";
        diagnostics.Error(member.At, $"'{options.Path}' has no option '{Printable.Of(member.Name)}'{near}");
    }

    /// <summary>An option that the name begins with, as <c>macAddress</c> does with <c>mac</c>.</summary>
    private static string? Beginning(string name, IEnumerable<string> known) =>
        known.FirstOrDefault(k => k.Length >= 3 && name.Length <= 64 && name.StartsWith(k, StringComparison.OrdinalIgnoreCase));

    // A null where none may be was reported as a wrong type already.
    private static bool Given(ObjectNode it, string name)
    {
        foreach (var member in it.Members)
        {
            if (member.Name == name)
            {
                return true;
            }
        }
        return false;
    }
}
