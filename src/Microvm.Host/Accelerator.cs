namespace Microvm.Host;

/// <summary>Whether hardware can run guests, told by looking.</summary>
public static class Accelerator
{
    /// <summary>KVM is there, may be opened, and is backed by the processor (on x86_64: under kvm_pvm without vmx or svm stock kernels hang).</summary>
    public static bool KvmUsable()
    {
        try
        {
            using var kvm = File.Open("/dev/kvm", FileMode.Open, FileAccess.ReadWrite);
            return IsBacked(File.ReadAllLines("/proc/cpuinfo"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Whether <c>/proc/cpuinfo</c> is that of an Arm processor. It has no flags for virtualization: there the kernel makes <c>/dev/kvm</c> only where it was
    /// started at EL2, and so has what KVM needs (arch/arm64/kvm/arm.c).</summary>
    internal static bool IsArm(IEnumerable<string> processor) => processor.Any(l => l.StartsWith("CPU implementer", StringComparison.Ordinal));

    /// <summary>Whether a <c>/dev/kvm</c> that is there is backed by the processor of this <c>/proc/cpuinfo</c>.</summary>
    internal static bool IsBacked(IReadOnlyCollection<string> processor) => IsArm(processor) || Flags(processor).Any(f => f is "vmx" or "svm");

    /// <summary>The flags of an x86 processor in <c>/proc/cpuinfo</c>.</summary>
    internal static IReadOnlySet<string> Flags(IEnumerable<string> processor) =>
        processor.Where(l => l.StartsWith("flags", StringComparison.Ordinal)).SelectMany(l => l.Split(' ')).ToHashSet();
}
