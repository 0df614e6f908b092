using System.Text.Json;
using Microvm.Declaration;

namespace Microvm.Nix;

/// <summary>Reads what <c>nix/standalone/declaration.nix</c> prints: values with their positions.</summary>
internal static class TaggedValue
{
    internal static Node Read(JsonElement whole, NixSource source, DiagnosticBag diagnostics)
    {
        var here = new SourcePosition(source.Name, 0, 0);
        if (whole.TryGetProperty("w", out var warnings))
        {
            foreach (var warning in warnings.EnumerateArray())
            {
                diagnostics.Warning(here, Printable.Of(warning.GetString()!));
            }
        }
        return Value(whole, here, source, diagnostics) ?? new NullNode(here);
    }

    /// <returns>Null where definitions contradict each other, which has been said.</returns>
    private static Node? Value(JsonElement tagged, SourcePosition outer, NixSource source, DiagnosticBag diagnostics)
    {
        var at = tagged.TryGetProperty("p", out var p) ? Position(p, outer, source) : outer;
        if (!tagged.TryGetProperty("v", out var value))
        {
            return new NullNode(at);
        }
        switch (value.ValueKind)
        {
            case JsonValueKind.Object when value.TryGetProperty("m", out var members):
                var list = new List<Member>(members.GetArrayLength());
                foreach (var member in members.EnumerateArray())
                {
                    if (Value(member, at, source, diagnostics) is { } node)
                    {
                        list.Add(new(member.GetProperty("n").GetString()!, node.At, node));
                    }
                }
                return new ObjectNode(at, list);
            case JsonValueKind.Object when value.TryGetProperty("l", out var items):
                var nodes = new List<Node>(items.GetArrayLength());
                foreach (var item in items.EnumerateArray())
                {
                    if (Value(item, at, source, diagnostics) is { } node)
                    {
                        nodes.Add(node);
                    }
                }
                return new ArrayNode(at, nodes);
            case JsonValueKind.Object when value.TryGetProperty("c", out var places):
                var others = places.EnumerateArray().Select(place => Position(place, outer, source)).ToList();
                diagnostics.Error(others[^1], $"this is defined with another value at {others[0]}; keep one, or use lib.mkForce on the one that counts");
                return null;
            case JsonValueKind.Object:
                diagnostics.Error(at, $"{(value.TryGetProperty("f", out var kind) ? kind.GetString() : "this")} can't be a value of a declaration{(kind.ValueKind == JsonValueKind.String && kind.ValueEquals("a function") ? "; is an argument missing where it is called?" : "")}");
                return null;
            case JsonValueKind.String: return new StringNode(at, value.GetString()!);
            case JsonValueKind.Number: return new NumberNode(at, value.TryGetInt64(out var n) ? n : null);
            case JsonValueKind.True or JsonValueKind.False: return new BoolNode(at, value.GetBoolean());
            default: return new NullNode(at);
        }
    }

    private static SourcePosition Position(JsonElement p, SourcePosition outer, NixSource source) => p.ValueKind == JsonValueKind.Object
        ? new(source.Shown(p.GetProperty("file").GetString()!), p.GetProperty("line").GetInt32(), p.GetProperty("column").GetInt32())
        : outer;
}
