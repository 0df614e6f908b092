namespace Microvm.Declaration;

/// <summary>A value of a declaration with its position, whichever front door it came through.</summary>
public abstract record Node(SourcePosition At)
{
    /// <summary>The kind of value, in the words of an error message.</summary>
    public string Kind => this switch
    {
        ObjectNode => "an attribute set",
        ArrayNode => "a list",
        StringNode => "a string",
        NumberNode => "a number",
        BoolNode => "a boolean",
        _ => "null",
    };
}

internal sealed record Member(string Name, SourcePosition At, Node Value);
internal sealed record ObjectNode(SourcePosition At, IReadOnlyList<Member> Members) : Node(At)
{
    /// <summary>A value by name; null where it isn't given, or is null.</summary>
    public Node? this[string name]
    {
        get
        {
            for (var i = Members.Count - 1; i >= 0; i--)
            {
                if (Members[i].Name == name)
                {
                    return Members[i].Value is NullNode ? null : Members[i].Value;
                }
            }
            return null;
        }
    }

    public bool Equals(ObjectNode? other) => base.Equals(other) && Members.SequenceEqual(other.Members);
    public override int GetHashCode() => HashCode.Combine(base.GetHashCode(), Members.Count);
}
internal sealed record ArrayNode(SourcePosition At, IReadOnlyList<Node> Items) : Node(At)
{
    public bool Equals(ArrayNode? other) => base.Equals(other) && Items.SequenceEqual(other.Items);
    public override int GetHashCode() => HashCode.Combine(base.GetHashCode(), Items.Count);
}
internal sealed record StringNode(SourcePosition At, string Value) : Node(At);
/// <summary>A number; <see cref="Integer"/> is null where it has a fraction or does not fit 64 bits.</summary>
internal sealed record NumberNode(SourcePosition At, long? Integer) : Node(At);
internal sealed record BoolNode(SourcePosition At, bool Value) : Node(At);
internal sealed record NullNode(SourcePosition At) : Node(At);
