using System.Runtime.InteropServices;

namespace Microvm.Hypervisors;

/// <summary>What of the host decides the command line. Found by others; nothing is looked up here.</summary>
/// <param name="Kvm">Whether KVM can be used; TCG otherwise.</param>
/// <param name="Architecture">The host's, and the guest's.</param>
public sealed record HostFacts(bool Kvm, Architecture Architecture = Architecture.X64)
{
    /// <summary>Where Debian keeps qemu-bridge-helper.</summary>
    public const string DebianBridgeHelper = "/usr/lib/qemu/qemu-bridge-helper";

    /// <summary>The qemu-bridge-helper that QEMU starts for an interface of type bridge.</summary>
    public string BridgeHelper { get; init; } = DebianBridgeHelper;

    /// <summary>The character device of each macvtap that is up, by the interface's id.</summary>
    public IReadOnlyDictionary<string, string> MacvtapNodes { get; init; } = new Dictionary<string, string>();

    /// <summary>The macvtap's character device; <c>/dev/tapN</c>, with a plain N, where it isn't up yet.</summary>
    public string MacvtapNode(string id) => MacvtapNodes.GetValueOrDefault(id, "/dev/tapN");
}
