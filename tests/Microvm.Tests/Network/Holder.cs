using System.Diagnostics;

namespace Microvm.Tests;

/// <summary>A process in a namespace that has a device open, as a hypervisor would; ended on disposal.</summary>
internal sealed class Holder : IDisposable
{
    private readonly Process _process;

    /// <param name="device">A macvtap's node, or the name of a tap.</param>
    internal Holder(string netns, string device)
        // A tap is attached to with TUNSETIFF by QEMU; a node has only to be open.
        : this(netns, device.StartsWith('/')
            ? ["-c", "exec 9<>\"$1\" && echo open && exec sleep 600", "sh", device]
            : ["-c", $"{Qemu}ifname=\"$1\",script=no,downscript=no", "sh", device])
    {
    }

    /// <summary>Has several queues of a multi-queue tap open.</summary>
    internal static Holder OfQueues(string netns, string tap, int queues) => new(netns, ["-c", $"{Qemu}ifname=\"$1\",script=no,downscript=no,queues={queues}", "sh", tap]);

    private const string Qemu = "exec qemu-system-x86_64 -nodefaults -no-user-config -display none -S -M none -monitor stdio -netdev tap,id=n,";

    private Holder(string netns, string[] words)
    {
        _process = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", netns, "sh", .. words]) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        Assert.NotNull(_process.StandardOutput.ReadLine());
    }

    internal int Id => _process.Id;

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
