using System.Text;
using System.Text.Json;

namespace Microvm.Declaration;

/// <summary>Reads a JSON declaration into nodes that know their line and column.</summary>
public static class JsonFrontDoor
{
    /// <summary>Deeper nesting than this is refused; no declaration needs it.</summary>
    public const int MaxDepth = 64;

    /// <summary>The document as a node, or null after an error in <paramref name="diagnostics"/>.</summary>
    public static Node? Read(string file, ReadOnlySpan<byte> utf8, DiagnosticBag diagnostics)
    {
        if (utf8.StartsWith(Encoding.UTF8.Preamble))
        {
            utf8 = utf8[3..];
        }
        if (utf8.Trim(" \t\r\n"u8).IsEmpty)
        {
            diagnostics.Error(new(file, 0, 0), "this is empty; 'microvm init' writes a declaration to start from");
            return null;
        }
        var positions = new LineTable(file, utf8);
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth, CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        try
        {
            reader.Read();
            var node = ReadValue(ref reader, positions, diagnostics);
            reader.Read();
            return diagnostics.HasErrors ? null : node;
        }
        catch (JsonException e)
        {
            var at = new SourcePosition(file, (int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1);
            var why = e.Message.Split(" LineNumber:")[0];
            diagnostics.Error(at, $"this is not valid JSON: {Printable.Of(why, 300)}");
            return null;
        }
        catch (InvalidOperationException)
        {
            diagnostics.Error(positions.At(reader.TokenStartIndex), "this string is not valid UTF-8 or UTF-16");
            return null;
        }
    }

    private static Node ReadValue(ref Utf8JsonReader reader, LineTable positions, DiagnosticBag diagnostics)
    {
        var at = positions.At(reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var members = new List<Member>();
                // Most objects are small, and there are thousands of them.
                HashSet<string>? seen = null;
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    var nameAt = positions.At(reader.TokenStartIndex);
                    var name = reader.GetString()!;
                    var twice = members.Count < 16 ? members.Exists(m => m.Name == name) : !(seen ??= [.. members.Select(m => m.Name)]).Add(name);
                    if (twice)
                    {
                        diagnostics.Error(nameAt, $"'{Printable.Of(name)}' is given twice in one object; keep one");
                    }
                    reader.Read();
                    members.Add(new(name, nameAt, ReadValue(ref reader, positions, diagnostics)));
                }
                return new ObjectNode(at, members);
            case JsonTokenType.StartArray:
                var items = new List<Node>();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    items.Add(ReadValue(ref reader, positions, diagnostics));
                }
                return new ArrayNode(at, items);
            case JsonTokenType.String: return new StringNode(at, reader.GetString()!);
            case JsonTokenType.Number: return new NumberNode(at, reader.TryGetInt64(out var n) ? n : null);
            case JsonTokenType.True: return new BoolNode(at, true);
            case JsonTokenType.False: return new BoolNode(at, false);
            default: return new NullNode(at);
        }
    }
}

/// <summary>Byte offsets to lines and columns (columns count bytes, as compilers do).</summary>
internal sealed class LineTable
{
    private readonly string _file;
    private readonly List<int> _starts = [0];
    private int _line;

    public LineTable(string file, ReadOnlySpan<byte> utf8)
    {
        _file = file;
        for (int start = 0, length; (length = utf8[start..].IndexOf((byte)'\n')) >= 0;)
        {
            start += length + 1;
            _starts.Add(start);
        }
    }

    /// <summary>Quick where offsets come in order, as a reader's do.</summary>
    public SourcePosition At(long offset)
    {
        if (offset < _starts[_line])
        {
            _line = 0;
        }
        while (_line + 1 < _starts.Count && _starts[_line + 1] <= offset)
        {
            _line++;
        }
        return new(_file, _line + 1, (int)offset - _starts[_line] + 1);
    }
}
