using System.Text.Json;
using Microvm.Declaration;

namespace Microvm.Cli;

/// <summary>A first declaration for somebody to go on from.</summary>
/// <param name="Guest">What it boots; null where that is left to the person.</param>
/// <param name="Network">The declared network that a tap joins; null for none.</param>
/// <param name="On">The bridge for types bridge and tap (there it may be missing), the lower device for macvtap.</param>
internal sealed record StartingDeclaration(string Name, string Hypervisor, string Type, string Id, string? On, StartingGuest? Guest = null, string? Network = null)
{
    private string Mac => MacFromName.Of($"{Name}/{Id}").ToString();

    internal string ToNix() => $$"""
        # A MicroVM. Look at it with:  microvm check FILE; microvm explain FILE; microvm plan FILE
        { lib, ... }:
        {
          # The VM's name.
          networking.hostName = {{Text(Name)}};

          # {{string.Join(", ", DeclarationReader.Hypervisors.SkipLast(1))}} or {{DeclarationReader.Hypervisors[^1]}}.
          microvm.hypervisor = {{Text(Hypervisor)}};
          microvm.vcpu = 1;
          # MiB
          microvm.mem = {{(Guest is null ? 512 : StartingGuest.MiB)}};

        {{(Guest is null ? Bootless : Guest.ToNix(Text))}}

          microvm.interfaces = [ {
            # {{TypeLine()}}
            type = {{Text(Type)}};

            # {{(Type == "user" ? "a name; no link of the host" : "interface name on the host, 15 bytes at most")}}
            id = {{Text(Id)}};

            # Ethernet address of the MicroVM's interface, not the host's: microvm mac {{Name}}/{{Id}}
            mac = {{Text(Mac)}};
        {{(Type, On) switch
    {
        ("macvtap", { } link) => $"\n    # the host's card whose network the guest joins, and how macvtaps on it see each other\n    macvtap.link = {Text(link)};\n    macvtap.mode = \"bridge\";\n",
        (_, { } bridge) => $"\n    # the host's bridge; 'microvm doctor FILE' says how to create it\n    bridge = {Text(bridge)};\n",
        ("tap", null) when Network is not null => $"\n    # what gives the guest an address and a way out; 'microvm up' makes it, and this one needs no declaration\n    network = {Text(Network)};\n",
        ("tap", null) => "\n    # attach it to a bridge of the host:\n    # bridge = \"br0\";\n",
        _ => "",
    }}}  } ];
        {{(Type == "user" && Guest is not null ? $"\n  # ssh into the guest by this port of the host.\n  microvm.forwardPorts = [ {{ host.address = \"127.0.0.1\"; host.port = {Guest.SshPort}; guest.port = 22; }} ];\n"
            : Type == "user" && Hypervisor == "qemu" ? "\n  # Reach the guest's ssh by port 2222 of the host:\n  # microvm.forwardPorts = [ { host.address = \"127.0.0.1\"; host.port = 2222; guest.port = 22; } ];\n" : "")}}}

        """;

    internal string ToJson()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new() { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject("networking");
            json.WriteString("hostName", Name);
            json.WriteEndObject();
            json.WriteStartObject("microvm");
            json.WriteString("hypervisor", Hypervisor);
            json.WriteNumber("vcpu", 1);
            json.WriteNumber("mem", Guest is null ? 512 : StartingGuest.MiB);
            Guest?.ToJson(json);
            if (Guest is not null && Type == "user")
            {
                json.WriteStartArray("forwardPorts");
                json.WriteStartObject();
                json.WriteStartObject("host");
                json.WriteString("address", "127.0.0.1");
                json.WriteNumber("port", Guest.SshPort);
                json.WriteEndObject();
                json.WriteStartObject("guest");
                json.WriteNumber("port", 22);
                json.WriteEndObject();
                json.WriteEndObject();
                json.WriteEndArray();
            }
            json.WriteStartArray("interfaces");
            json.WriteStartObject();
            json.WriteString("type", Type);
            json.WriteString("id", Id);
            json.WriteString("mac", Mac);
            if (Type == "macvtap")
            {
                json.WriteStartObject("macvtap");
                json.WriteString("link", On);
                json.WriteString("mode", "bridge");
                json.WriteEndObject();
            }
            else if (On is not null)
            {
                json.WriteString("bridge", On);
            }
            else if (Network is not null)
            {
                json.WriteString("network", Network);
            }
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return System.Text.Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private const string Bootless = """
          # What 'microvm run' boots: paths of a kernel image and of an initial ramdisk.
          # microvm.kernel = "/path/to/vmlinuz";
          # microvm.initrdPath = "/path/to/initrd";
        """;

    private string TypeLine() => Type switch
    {
        "user" => "user: the guest reaches out, nothing to set up on the host",
        "tap" => "tap: a card of the host whose cable ends in the guest; bridge it, route it, or NAT it",
        "macvtap" => "macvtap: the guest is a host of the physical network, with a MAC of its own",
        _ => "bridge: a tap that qemu-bridge-helper makes when the VM starts",
    };

    // Nix: in a double-quoted string, backslash, quote and ${ need a backslash.
    private static string Text(string value) =>
        $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("${", "\\${", StringComparison.Ordinal)}\"";
}
