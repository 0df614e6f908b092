namespace Microvm.Declaration;

/// <summary>The four types of the specification.</summary>
public enum InterfaceType { User, Tap, Macvtap, Bridge }

/// <summary>How a macvtap filters (<c>MACVLAN_MODE_*</c> in linux/if_link.h).</summary>
public enum MacvtapMode { Private, Vepa, Bridge, Passthru, Source }

/// <summary>One declared interface that passed every rule.</summary>
/// <param name="Bridge">The bridge to attach to: required for type bridge, welcome for tap.</param>
public sealed record NetworkInterface(
    InterfaceType Type, InterfaceName Id, MacAddress Mac, SourcePosition At,
    InterfaceName? Bridge = null, InterfaceName? MacvtapLink = null, MacvtapMode? MacvtapMode = null, bool Vhost = false);

/// <summary>A port of the host that reaches the guest, or (from the guest) the other way round.</summary>
public sealed record ForwardPort(string From, string Proto, string HostAddress, int HostPort, string GuestAddress, int GuestPort);

/// <summary>One VM's declaration that passed every rule.</summary>
/// <param name="MemoryMiB">Memory of the guest in MiB.</param>
public sealed record MicrovmConfig(
    string Name, string Hypervisor, int Vcpu, int MemoryMiB, IReadOnlyList<NetworkInterface> Interfaces,
    IReadOnlyList<ForwardPort> ForwardPorts, string? Kernel, string? InitrdPath, string KernelParams, string Machine)
{
    /// <summary>What the declaration adds to the runner's scripts.</summary>
    public IReadOnlyList<BinScript> BinScripts { get; init; } = [];
}
