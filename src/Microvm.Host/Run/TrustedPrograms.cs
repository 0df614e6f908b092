using System.Text;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>What the administrator has agreed to have run, by content: a file for each, named after it, where only root writes. Who takes
/// such a file away takes the consent back.</summary>
/// <param name="folder">Where they are.</param>
internal sealed class TrustedPrograms(string folder)
{
    /// <summary>This host's.</summary>
    public static TrustedPrograms OfHost { get; } = new("/var/lib/microvm/trusted");

    /// <summary>Whether that was agreed to.</summary>
    public bool Has(string identity)
    {
        var path = Path.Combine(folder, identity);
        return FileStatus.Of(path) is { IsRegular: true } && FileStatus.OpenToOthers(path) is null;
    }

    /// <summary>Remembers it, with its words for people who look.</summary>
    /// <exception cref="LinuxException">It can't be written.</exception>
    /// <exception cref="IOException">Others may write there.</exception>
    public void Add(string identity, string words)
    {
        using var held = HeldFolder.OpenOrMake(folder);
        if (FileStatus.OpenToOthers(folder) is { } part)
        {
            throw new IOException($"others than root could change {part}");
        }
        held.Put(identity, Encoding.UTF8.GetBytes(words));
    }
}
