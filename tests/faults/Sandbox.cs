using System.Diagnostics;

namespace Microvm.Faults;

/// <summary>Network, mount and process namespaces of our own, with a /run of our own: nothing outside can be touched, and
/// all that is left vanishes with us.</summary>
internal static class Sandbox
{
    private const string Marker = "--inside";

    /// <summary>Whether this process is inside; else it has run there as a child, whose exit code is given.</summary>
    internal static bool Enter(ref string[] args, out int code)
    {
        code = 0;
        var net = new FileInfo("/proc/self/ns/net").LinkTarget!;
        var mount = new FileInfo("/proc/self/ns/mnt").LinkTarget!;
        if (args is [Marker, var outerNet, var outerMount, ..])
        {
            args = args[3..];
            return net != outerNet && mount != outerMount ? true : throw new InvalidOperationException("not in namespaces of our own");
        }
        string[] self = Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? [Environment.ProcessPath, Environment.GetCommandLineArgs()[0]] : [Environment.ProcessPath!];
        const string Setup = "mount -t sysfs none /sys && mount -t tmpfs none /run && exec \"$@\"";
        using var child = Process.Start(new ProcessStartInfo("unshare",
            ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", Setup, "sh", .. self, Marker, net, mount, .. args]))!;
        child.WaitForExit();
        code = child.ExitCode;
        return false;
    }
}
