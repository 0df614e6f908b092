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

    /// <summary>The MTU of each interface's link, by the interface's id.</summary>
    public IReadOnlyDictionary<string, uint> Mtus { get; init; } = new Dictionary<string, uint>();

    /// <summary>The hypervisor's version, where it was asked for and found.</summary>
    public Version? Version { get; init; }

    /// <summary>The empty directory for a jail, where the hypervisor's own is none; null to leave it to the hypervisor.</summary>
    public string? JailRoot { get; init; }

    /// <summary>Whether the hypervisor was built with virtio-rng.</summary>
    public bool VirtioRng { get; init; } = true;

    /// <summary>Whether the hypervisor was built with vhost-net.</summary>
    public bool VhostNet { get; init; } = true;

    /// <summary>Whether the hypervisor was built with vhost-vsock.</summary>
    public bool VhostVsock { get; init; } = true;

    /// <summary>The MTU of an ethernet, which no guest has to be told.</summary>
    public const uint UsualMtu = 1500;

    /// <summary>The MTU of an interface's link.</summary>
    public uint Mtu(string id) => Mtus.GetValueOrDefault(id, UsualMtu);

    /// <summary>The macvtap's character device; <c>/dev/tapN</c>, with a plain N, where it isn't up yet.</summary>
    public string MacvtapNode(string id) => MacvtapNodes.GetValueOrDefault(id, "/dev/tapN");
}
