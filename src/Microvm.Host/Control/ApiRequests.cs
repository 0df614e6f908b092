namespace Microvm.Host.Control;

/// <summary>cloud-hypervisor's API (vmm/src/api/openapi/cloud-hypervisor.yaml).</summary>
internal sealed class CloudHypervisorRequests(long memoryMiB) : IApiRequests
{
    public IReadOnlyList<ApiRequest> Shutdown { get; } = [new("PUT", "/api/v1/vm.power-button", null)];
    public ApiRequest? Quit { get; } = new("PUT", "/api/v1/vmm.shutdown", null);

    /// <summary>desired_balloon is in bytes, and is what the balloon takes away.</summary>
    public ApiRequest Memory(long mebibytes) =>
        new("PUT", "/api/v1/vm.resize", $$"""{"desired_balloon":{{Balloon.Taken(memoryMiB, mebibytes) * 1024 * 1024}} }""");
}

/// <summary>Firecracker's API (src/firecracker/swagger/firecracker.yaml).</summary>
internal sealed class FirecrackerRequests(long memoryMiB) : IApiRequests
{
    /// <summary>x86_64 only: Firecracker emulates the i8042 controller there, and nothing like it on aarch64.</summary>
    public IReadOnlyList<ApiRequest> Shutdown { get; } = [new("PUT", "/actions", """{"action_type":"SendCtrlAltDel"}""")];
    public ApiRequest? Quit => null;

    /// <summary>amount_mib is what the balloon takes away.</summary>
    public ApiRequest Memory(long mebibytes) => new("PATCH", "/balloon", $$"""{"amount_mib":{{Balloon.Taken(memoryMiB, mebibytes)}} }""");
}

/// <summary>vfkit's API (doc/usage.md, RESTful service).</summary>
internal sealed class VfkitRequests : IApiRequests
{
    public IReadOnlyList<ApiRequest> Shutdown { get; } = [new("POST", "/vm/state", """{"state":"Stop"}""")];
    public ApiRequest? Quit { get; } = new("POST", "/vm/state", """{"state":"HardStop"}""");
    public ApiRequest Memory(long mebibytes) => throw new ControlException("vfkit has no balloon that can be set while the VM runs");
}

internal static class Balloon
{
    /// <summary>What the balloon has to take so that the guest keeps <paramref name="kept"/> MiB.</summary>
    internal static long Taken(long memory, long kept) =>
        kept > memory ? throw new ControlException($"the guest has {memory} MiB and can't be given {kept}; declare more microvm.mem") : memory - kept;
}
