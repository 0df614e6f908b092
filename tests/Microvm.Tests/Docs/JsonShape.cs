using System.Text.Json;

namespace Microvm.Tests.Docs;

/// <summary>The shape of what a command printed as JSON: each field's path, the types that it was seen with, and the words in it.</summary>
internal sealed class JsonShape
{
    private readonly Dictionary<string, int> _parents = [];
    private readonly Dictionary<string, List<JsonElement>> _fields = [];
    private readonly SortedSet<string> _arrays = new(StringComparer.Ordinal);

    /// <summary>Field by field, in the words of docs/json.md: <c>string</c>, <c>number or null</c>, <c>string, optional</c>.</summary>
    internal IReadOnlyDictionary<string, string> Types => _fields.ToDictionary(f => f.Key, f => Type(f.Key, f.Value));

    /// <summary>The arrays, also those that were always empty, as <c>steps[]</c>.</summary>
    internal IEnumerable<string> Arrays => _arrays;

    internal IEnumerable<string> Texts(string path) => _fields.GetValueOrDefault(path, []).Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString()!).Distinct();

    /// <param name="json">One document, or one a line.</param>
    /// <param name="isMap">Whether the names of its members are what the caller gave, so that they are no fields.</param>
    internal void Add(string json, bool isMap = false)
    {
        var reader = new Utf8JsonReader(System.Text.Encoding.UTF8.GetBytes(json), new JsonReaderOptions { AllowMultipleValues = true });
        while (reader.Read())
        {
            Look(JsonElement.ParseValue(ref reader), "", isMap);
        }
    }

    private void Look(JsonElement value, string path, bool isMap)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                _parents[path] = _parents.GetValueOrDefault(path) + 1;
                foreach (var member in value.EnumerateObject())
                {
                    Look(member.Value, $"{path}{(path.Length > 0 ? "." : "")}{(isMap ? "*" : member.Name)}", false);
                }
                break;
            case JsonValueKind.Array:
                _arrays.Add($"{path}[]");
                foreach (var element in value.EnumerateArray())
                {
                    Look(element, $"{path}[]", false);
                }
                break;
            default:
                (_fields.TryGetValue(path, out var seen) ? seen : _fields[path] = []).Add(value);
                break;
        }
    }

    private string Type(string path, List<JsonElement> values)
    {
        var types = values.Select(v => v.ValueKind switch
        {
            JsonValueKind.True or JsonValueKind.False => "boolean",
            JsonValueKind.Number => "number",
            JsonValueKind.Null => "null",
            _ => "string",
        }).Distinct().OrderBy(t => t == "null").ToList();
        var parent = path.LastIndexOf('.') is >= 0 and var dot ? path[..dot] : "";
        // An array's elements are as many as they are.
        var isOptional = !path.EndsWith("[]", StringComparison.Ordinal) && values.Count < _parents[parent];
        return $"{string.Join(" or ", types)}{(isOptional ? ", optional" : "")}";
    }
}
