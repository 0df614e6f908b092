using System.Text.Json;

namespace Microvm.Cli;

/// <summary>The files that a first declaration boots from, by whole paths: <c>run</c> finds them from everywhere.</summary>
/// <param name="Image">A disk with the root file system and nothing else on it.</param>
/// <param name="SshPort">The port of the host's loopback that leads to the guest's ssh, where its network is a user network.</param>
internal sealed record StartingGuest(string Kernel, string Initrd, string Image, int SshPort)
{
    /// <summary>Memory with which a distribution starts without swapping.</summary>
    internal const int MiB = 1024;

    private const string Parameters = "root=/dev/vda rw";

    internal string ToNix(Func<string, string> text) => $$"""
          # What 'microvm run' boots, and its disk.
          microvm.kernel = {{text(Kernel)}};
          microvm.initrdPath = {{text(Initrd)}};
          microvm.kernelParams = [ {{string.Join(' ', Parameters.Split(' ').Select(text))}} ];
          microvm.volumes = [ { image = {{text(Image)}}; mountPoint = "/"; autoCreate = false; } ];
        """;

    internal void ToJson(Utf8JsonWriter json)
    {
        json.WriteString("kernel", Kernel);
        json.WriteString("initrdPath", Initrd);
        json.WriteStartArray("kernelParams");
        foreach (var parameter in Parameters.Split(' '))
        {
            json.WriteStringValue(parameter);
        }
        json.WriteEndArray();
        json.WriteStartArray("volumes");
        json.WriteStartObject();
        json.WriteString("image", Image);
        json.WriteString("mountPoint", "/");
        json.WriteBoolean("autoCreate", false);
        json.WriteEndObject();
        json.WriteEndArray();
    }
}
