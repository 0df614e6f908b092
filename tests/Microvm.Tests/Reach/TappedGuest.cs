using Microvm.Linux;

namespace Microvm.Tests;

/// <summary>A guest behind a real tap, without a hypervisor: whoever has the tap open hands its frames to a tap in a namespace of the guest's own, and back.</summary>
internal sealed class TappedGuest : IDisposable
{
    private readonly TunDevice.Tap _outer, _inner;

    internal Namespace Net { get; } = new();

    /// <param name="tap">The tap, up and closed.</param>
    internal TappedGuest(Namespace host, string tap, string mac, string address, string? gateway)
    {
        Net.Ip("link", "set", "lo", "up");
        Net.Ip("tuntap", "add", "eth0", "mode", "tap", "vnet_hdr");
        Net.Ip("link", "set", "eth0", "address", mac);
        _outer = host.Hold(tap);
        _inner = Net.Hold("eth0");
        Net.Ip("link", "set", "eth0", "up");
        Net.Ip("addr", "add", address, "dev", "eth0");
        if (gateway is not null)
        {
            Net.Ip("route", "add", "default", "via", gateway, "dev", "eth0", "onlink");
        }
        Carry(_outer.Descriptor, _inner.Descriptor);
        Carry(_inner.Descriptor, _outer.Descriptor);
    }

    private static unsafe void Carry(int from, int to) => new Thread(() =>
    {
        const int Most = 65536 + 64;
        var frame = new byte[Most];
        fixed (byte* at = frame)
        {
            // It ends once its link is gone.
            for (nint length; (length = Libc.read(from, at, Most)) > 0;)
            {
                _ = Libc.write(to, at, (nuint)length);
            }
        }
    })
    { IsBackground = true }.Start();

    /// <summary>Whether an address answers it.</summary>
    internal bool Pings(string address) => Pings(Net, address);

    internal static bool Pings(Namespace from, string address) => Binary.Run("ip", null, "netns", "exec", from.Name, "ping", "-n", "-c", "1", "-w", "5", address).Code == 0;

    public void Dispose()
    {
        Net.Dispose();
        _outer.Dispose();
        _inner.Dispose();
    }
}
