namespace Microvm.Declaration;

/// <summary>Takes values out of attribute sets that <see cref="StructureCheck"/> has been over: a value of a wrong type was
/// reported there and counts as missing here.</summary>
internal static class Values
{
    internal static ObjectNode? Set(this ObjectNode? it, string name) => it?[name] as ObjectNode;
    internal static string? Text(this ObjectNode? it, string name) => (it?[name] as StringNode)?.Value;
    internal static bool Flag(this ObjectNode? it, string name, bool standard) => it?[name] is BoolNode b ? b.Value : standard;
    internal static int? Number(this ObjectNode? it, string name) => it?[name] is NumberNode { Integer: >= int.MinValue and <= int.MaxValue and var n } ? (int)n : null;
    internal static IReadOnlyList<Node> Items(this ObjectNode? it, string name) => it?[name] is ArrayNode list ? list.Items : [];

    internal static IReadOnlyList<string> Texts(this ObjectNode? it, string name) =>
        it?[name] is ArrayNode { Items.Count: > 0 } list ? [.. list.Items.OfType<StringNode>().Select(s => s.Value)] : [];

    /// <summary>The attribute sets of a list, each made into what <paramref name="make"/> returns; null is left out.</summary>
    internal static IReadOnlyList<T> Each<T>(this ObjectNode? it, string name, Func<ObjectNode, T?> make) where T : class
    {
        var items = it.Items(name);
        if (items.Count == 0)
        {
            return [];
        }
        var made = new List<T>(items.Count);
        foreach (var item in items)
        {
            if (item is ObjectNode set && make(set) is { } value)
            {
                made.Add(value);
            }
        }
        return made;
    }

    /// <summary>A package's directory, or a path.</summary>
    internal static string? Package(this ObjectNode? it, string name) => it?[name] switch
    {
        StringNode path => path.Value,
        ObjectNode package => package.Text("outPath"),
        _ => null,
    };

    /// <summary>Where a value stands; where its set stands, if it isn't given.</summary>
    internal static SourcePosition PositionOf(this ObjectNode it, string name) => it[name]?.At ?? it.At;
}
