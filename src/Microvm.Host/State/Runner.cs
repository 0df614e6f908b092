using System.Text;
using System.Text.Json;
using Microvm.Declaration;

namespace Microvm.Host;

/// <summary>The files of a runner: what microvm.nix calls a declared runner, made of calls of our binary. Pure.</summary>
public static class Runner
{
    /// <summary>All files by their path below the runner.</summary>
    /// <param name="declaration">The declaration as read; its host name is the VM's name.</param>
    /// <param name="binary">The path of the <c>microvm</c> binary.</param>
    /// <param name="user">Who may open the interfaces; null for who runs the script behind sudo.</param>
    internal static IReadOnlyDictionary<string, string> Files(MicrovmConfig vm, ObjectNode declaration, string binary, string? user = "microvm")
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["share/microvm/declaration.json"] = Json(declaration, vm.Name) };
        foreach (var (name, content) in RunnerFacts.Of(vm))
        {
            files[$"share/microvm/{name}"] = content;
        }
        foreach (var (name, content) in RunnerScripts.Of(vm, binary, user))
        {
            files[$"bin/{name}"] = content;
        }
        return files;
    }

    /// <summary>The declaration as JSON, with the VM's name in networking.hostName.</summary>
    internal static string Json(ObjectNode declaration, string name)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("networking");
            writer.WriteString("hostName", name);
            writer.WriteEndObject();
            foreach (var member in declaration.Members.Where(m => m.Name != "networking"))
            {
                writer.WritePropertyName(member.Name);
                Write(writer, member.Value);
            }
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private static void Write(Utf8JsonWriter writer, Node node)
    {
        switch (node)
        {
            case ObjectNode o:
                writer.WriteStartObject();
                foreach (var member in o.Members)
                {
                    writer.WritePropertyName(member.Name);
                    Write(writer, member.Value);
                }
                writer.WriteEndObject();
                break;
            case ArrayNode a:
                writer.WriteStartArray();
                foreach (var item in a.Items)
                {
                    Write(writer, item);
                }
                writer.WriteEndArray();
                break;
            case StringNode s: writer.WriteStringValue(s.Value); break;
            case NumberNode { Integer: { } n }: writer.WriteNumberValue(n); break;
            case BoolNode b: writer.WriteBooleanValue(b.Value); break;
            default: writer.WriteNullValue(); break;
        }
    }
}
