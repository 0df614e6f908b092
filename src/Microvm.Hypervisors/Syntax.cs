using System.Globalization;
using System.Runtime.InteropServices;
using Microvm.Declaration;

namespace Microvm.Hypervisors;

/// <summary>How values are written so that each stays inside its argument.</summary>
public static class Syntax
{
    /// <summary>QEMU's option parser reads a doubled comma as one.</summary>
    public static string Qemu(string value) => value.Replace(",", ",,", StringComparison.Ordinal);

    /// <summary>cloud-hypervisor reads a value in double quotes literally, and a doubled quote in it as one (option_parser).</summary>
    public static string CloudHypervisor(string value) =>
        value.AsSpan().ContainsAny("\",[]") || value != value.Trim() ? $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : value;

    /// <summary>crosvm reads a value in double quotes, with a backslash before a quote or a backslash (serde_keyvalue).</summary>
    public static string Crosvm(string value) =>
        value.All(c => char.IsAsciiLetterOrDigit(c) || "-_./:+@".Contains(c)) ? value
            : $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    internal static string Number(long n) => n.ToString(CultureInfo.InvariantCulture);
    internal static string OnOff(bool on) => on ? "on" : "off";

    /// <summary>The program of a package, or its name alone, to be found on the PATH.</summary>
    internal static string Program(string? package, string name) => package is null ? name : $"{package.TrimEnd('/')}/bin/{name}";

    /// <summary>The kernel image: a path as it is; inside a kernel package, the file that the hypervisor boots.</summary>
    /// <param name="format">What it wants out of a package on x86_64.</param>
    internal static string Kernel(MicrovmConfig vm, HostFacts host, KernelFormats format)
    {
        var kernel = vm.Kernel!;
        if (vm.KernelDev is null && !IsStorePackage(kernel))
        {
            return kernel;
        }
        return host.Architecture == Architecture.Arm64 ? $"{kernel}/Image" : format == KernelFormats.Vmlinux ? $"{vm.KernelDev ?? kernel}/vmlinux" : $"{kernel}/bzImage";
    }

    // A file inside a package has a path below its store directory; a package's path has none.
    private static bool IsStorePackage(string path) =>
        path.StartsWith("/nix/store/", StringComparison.Ordinal) && path.IndexOf('/', "/nix/store/".Length) < 0;

    /// <summary>The process name, where the hypervisor is to be renamed.</summary>
    internal static string? ProcessName(MicrovmConfig vm) => vm.PrettyProcessName ? $"microvm@{vm.Name}" : null;

    internal static bool IsArm(HostFacts host) => host.Architecture == Architecture.Arm64;
}

/// <summary>Numbers the descriptors that a hypervisor inherits.</summary>
internal static class Descriptors
{
    internal static IReadOnlyList<InheritedQueue> Of(IReadOnlyList<Attachment> attachments) =>
        [.. from a in attachments where a.Kind == AttachmentKind.TapByFd from q in Enumerable.Range(0, a.QueuePairs) select new InheritedQueue(a, q)];

    /// <summary>The words of every interface, in order, each told its first descriptor.</summary>
    internal static List<IReadOnlyList<string>> Network(IHypervisor hypervisor, MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        var words = new List<IReadOnlyList<string>>(attachments.Count);
        var next = Invocation.FirstDescriptor;
        foreach (var (n, attachment) in attachments.Index())
        {
            words.Add(hypervisor.Network(vm, attachment, n, next, host));
            next += attachment.Kind == AttachmentKind.TapByFd ? attachment.QueuePairs : 0;
        }
        return words;
    }

    /// <summary>The descriptors of one attachment, with a separator between.</summary>
    internal static string List(Attachment attachment, int first, char separator) =>
        string.Join(separator, Enumerable.Range(first, attachment.QueuePairs));
}
