using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Microvm.Declaration;

/// <summary>The JSON Schema (draft 7, which editors know best) of a declaration, made from <see cref="MicrovmOptions"/>.</summary>
internal static class JsonSchema
{
    private static readonly JsonWriterOptions s_indented =
        new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The schema as indented text that ends with a line break; the same on each call.</summary>
    public static string Text()
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes, s_indented))
        {
            writer.WriteStartObject();
            writer.WriteString("$schema", "http://json-schema.org/draft-07/schema#");
            writer.WriteString("title", "A MicroVM's declaration");
            writer.WriteString("type", "object");
            writer.WriteStartArray("required");
            writer.WriteStringValue("microvm");
            writer.WriteEndArray();
            writer.WriteStartObject("properties");
            writer.WriteStartObject("$schema");
            writer.WriteString("type", "string");
            writer.WriteEndObject();
            writer.WriteStartObject("networking");
            writer.WriteString("type", "object");
            writer.WriteStartObject("properties");
            writer.WriteStartObject("hostName");
            writer.WriteString("description", "The VM's name");
            writer.WriteString("type", "string");
            writer.WriteString("pattern", "^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$");
            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteStartObject("microvm");
            Properties(writer, MicrovmOptions.Microvm);
            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(bytes.WrittenSpan) + "\n";
    }

    private static void Properties(Utf8JsonWriter writer, OptionSet set)
    {
        writer.WriteString("type", "object");
        writer.WriteBoolean("additionalProperties", false);
        if (set.Required.Count > 0)
        {
            writer.WriteStartArray("required");
            foreach (var option in set.Required)
            {
                writer.WriteStringValue(option.Name);
            }
            writer.WriteEndArray();
        }
        writer.WriteStartObject("properties");
        foreach (var option in set.All)
        {
            writer.WriteStartObject(option.Name);
            writer.WriteString("description", option.LeftAlone ? $"{option.Summary} Accepted and left alone." : option.Summary);
            if (option.Default is { } standard && IsJson(standard))
            {
                writer.WritePropertyName("default");
                writer.WriteRawValue(standard);
            }
            if (option.LeftAlone)
            {
                writer.WriteEndObject();
                continue;
            }
            if (option.Nullable && option.Type is not AnyType)
            {
                writer.WriteStartArray("anyOf");
                writer.WriteStartObject();
                Write(writer, option.Type);
                writer.WriteEndObject();
                writer.WriteStartObject();
                writer.WriteString("type", "null");
                writer.WriteEndObject();
                writer.WriteEndArray();
            }
            else
            {
                Write(writer, option.Type);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, OptionType type)
    {
        switch (type)
        {
            case BoolType:
                writer.WriteString("type", "boolean");
                break;
            case IntegerType range:
                writer.WriteString("type", "integer");
                writer.WriteNumber("minimum", range.Least);
                writer.WriteNumber("maximum", range.Most);
                break;
            case ChoiceType choice:
                writer.WriteStartArray("enum");
                foreach (var word in choice.Choices)
                {
                    writer.WriteStringValue(word);
                }
                writer.WriteEndArray();
                break;
            case TextType text:
                writer.WriteString("type", "string");
                if (!text.MayBeEmpty)
                {
                    writer.WriteNumber("minLength", 1);
                }
                break;
            case PathType:
                writer.WriteString("type", "string");
                writer.WriteString("pattern", "^[^-]");
                break;
            case PackageType:
                Either(writer, w => Write(w, new PathType()), w =>
                {
                    w.WriteString("type", "object");
                    w.WriteStartArray("required");
                    w.WriteStringValue("outPath");
                    w.WriteEndArray();
                });
                break;
            case ListType list:
                writer.WriteString("type", "array");
                writer.WriteStartObject("items");
                Write(writer, list.Item);
                writer.WriteEndObject();
                break;
            case AttributesType attributes:
                writer.WriteString("type", "object");
                writer.WriteStartObject("additionalProperties");
                Write(writer, attributes.Item);
                writer.WriteEndObject();
                break;
            case SetType set:
                Properties(writer, set.Options);
                break;
            case EitherType either:
                Either(writer, w => Write(w, either.First), w => Write(w, either.Second));
                break;
        }
    }

    private static void Either(Utf8JsonWriter writer, Action<Utf8JsonWriter> first, Action<Utf8JsonWriter> second)
    {
        writer.WriteStartArray("anyOf");
        writer.WriteStartObject();
        first(writer);
        writer.WriteEndObject();
        writer.WriteStartObject();
        second(writer);
        writer.WriteEndObject();
        writer.WriteEndArray();
    }

    /// <summary>Whether a default is a value; one that depends on other options is told in words instead.</summary>
    internal static bool IsJson(string standard) =>
        standard is "true" or "false" or "[]" or "{}" || long.TryParse(standard, out _)
        || (IsText(standard) && !standard.Contains("HOSTNAME"));

    private static bool IsText(string standard) => standard is ['"', .. var text, '"'] && !text.Contains('"');
}
