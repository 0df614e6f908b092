namespace Microvm.Declaration;

/// <summary>A piece of a runner's script, and where it goes: smaller orders run earlier.</summary>
/// <param name="Order">As NixOS counts: <c>mkBefore</c> is 500, <c>mkAfter</c> 1500, a piece without either 1000.</param>
internal sealed record ScriptPart(int Order, string Text);

/// <summary>What a declaration adds to one script of the runner's <c>bin/</c> (<c>microvm.binScripts.NAME</c>).</summary>
/// <param name="Name">The script's file name, like <c>tap-up</c>.</param>
/// <param name="Parts">By order; equal orders stand as they were declared.</param>
/// <param name="Replaces">The declaration said <c>mkForce</c>: only its own parts run, none of ours.</param>
internal sealed record BinScript(string Name, IReadOnlyList<ScriptPart> Parts, bool Replaces = false)
{
    public IReadOnlyList<ScriptPart> Parts { get; } = ValueList<ScriptPart>.Of(Parts);

    /// <summary>The order at which our own part stands. A declared part of the same order runs after it.</summary>
    public const int OwnOrder = 1000;

    /// <summary>The whole script around our own part, which may be empty.</summary>
    public string Around(string own)
    {
        IEnumerable<string> texts = Replaces
            ? Parts.Select(p => p.Text)
            : [.. Parts.Where(p => p.Order < OwnOrder).Select(p => p.Text), own, .. Parts.Where(p => p.Order >= OwnOrder).Select(p => p.Text)];
        return string.Concat(texts.Where(t => t.Length > 0).Select(t => t.EndsWith('\n') ? t : t + "\n"));
    }

    /// <summary>Reads <c>microvm.binScripts</c>. A script is its text (order 1000), or a list of texts and of
    /// <c>{ order, text }</c>, or <c>{ replaces, parts }</c> with such a list; the last is what <c>mkForce</c> turns into.</summary>
    public static IReadOnlyList<BinScript> ReadAll(Node? node, DiagnosticBag diagnostics)
    {
        if (node is null or NullNode)
        {
            return [];
        }
        if (node is not ObjectNode scripts)
        {
            diagnostics.Error(node.At, $"microvm.binScripts must be an attribute set of scripts; this is {node.Kind}");
            return [];
        }
        var all = new List<BinScript>();
        foreach (var member in scripts.Members)
        {
            if (member.Name is "" or "." or ".." || member.Name.Any(c => c == '/' || char.IsControl(c)))
            {
                diagnostics.Error(member.At, $"'{Printable.Of(member.Name)}' can't be the file name of a script");
            }
            else if (Read(member, diagnostics) is { } script)
            {
                all.Add(script);
            }
        }
        return all;
    }

    private static BinScript? Read(Member member, DiagnosticBag diagnostics)
    {
        var (value, replaces) = member.Value is ObjectNode o && o["parts"] is { } parts ? (parts, o["replaces"] is BoolNode { Value: true }) : (member.Value, false);
        IReadOnlyList<Node> items = value is ArrayNode list ? list.Items : [value];
        var read = items.Select(Part).ToList();
        if (read.Contains(null))
        {
            var wrong = items[read.IndexOf(null)];
            diagnostics.Error(wrong.At, $"microvm.binScripts.{Printable.Of(member.Name)} must be a script's text, or a list of {{ order; text; }}; this is {wrong.Kind}");
            return null;
        }
        return new(member.Name, [.. read.OfType<ScriptPart>().OrderBy(p => p.Order)], replaces);
    }

    private static ScriptPart? Part(Node node) => node switch
    {
        StringNode text => new(OwnOrder, text.Value),
        ObjectNode o when o["text"] is StringNode text && (o["order"] is null or NumberNode { Integer: >= 0 and <= 10_000 })
            => new((int?)(o["order"] as NumberNode)?.Integer ?? OwnOrder, text.Value),
        _ => null,
    };
}
