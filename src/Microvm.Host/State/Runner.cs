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
    public static IReadOnlyDictionary<string, string> Files(MicrovmConfig vm, ObjectNode declaration, string binary)
    {
        var call = Shell.Quote(binary);
        // A script finds its runner by its own path, so that "booted" stays what it was.
        string Script(string words) => $"#!/bin/sh\nset -eu\nhere=$(readlink -f \"$0\")\nhere=${{here%/bin/*}}\nexec {words}\n";
        var files = new Dictionary<string, string>
        {
            ["share/microvm/declaration.json"] = Json(declaration, vm.Name),
            ["share/microvm/hypervisor"] = vm.Hypervisor + "\n",
            ["bin/microvm-run"] = Script($"{call} run \"$here/share/microvm/declaration.json\""),
        };
        foreach (var (type, declares) in (ReadOnlySpan<(string, Func<InterfaceType, bool>)>)[("tap", t => t is InterfaceType.Tap or InterfaceType.Bridge), ("macvtap", t => t == InterfaceType.Macvtap)])
        {
            if (vm.Interfaces.Any(i => declares(i.Type)))
            {
                files[$"bin/{type}-up"] = Script($"{call} up --user microvm --only {type} \"$here/share/microvm/declaration.json\"");
                files[$"bin/{type}-down"] = Script($"{call} down --only {type} \"$here/share/microvm/declaration.json\"");
            }
        }
        return files;
    }

    /// <summary>The declaration as JSON, with the VM's name in networking.hostName.</summary>
    public static string Json(ObjectNode declaration, string name)
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
