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

/// <summary>Words for a person to paste into a shell.</summary>
public static class Shell
{
    /// <summary>The bash for scripts with lines that people wrote for one: Debian's, NixOS's, or what there is.</summary>
    public static string Bash { get; } = ((string[])["/bin/bash", "/usr/bin/bash", "/run/current-system/sw/bin/bash"]).FirstOrDefault(File.Exists) ?? "/bin/sh";

    /// <summary>The word as it is where it is harmless, else in single quotes (POSIX 2.2.2).</summary>
    public static string Quote(string word) =>
        word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || "-_./:,=@+".Contains(c)) ? word : $"'{word.Replace("'", "'\\''")}'";
}
