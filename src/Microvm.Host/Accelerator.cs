namespace Microvm.Host;

/// <summary>Whether hardware can run guests, told by looking.</summary>
public static class Accelerator
{
    /// <summary>KVM is there, may be opened, and is backed by the processor (under kvm_pvm without vmx or svm stock kernels hang).</summary>
    public static bool KvmUsable()
    {
        try
        {
            using var kvm = File.Open("/dev/kvm", FileMode.Open, FileAccess.ReadWrite);
            return File.ReadLines("/proc/cpuinfo").Any(l => l.StartsWith("flags", StringComparison.Ordinal) && l.Split(' ').Any(f => f is "vmx" or "svm"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
