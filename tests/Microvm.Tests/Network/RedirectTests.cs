using System.Buffers.Binary;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Tests;

/// <summary>The pair that stands for a macvtap where a hypervisor takes only a tap: a tap and a macvlan, joined both ways.</summary>
public sealed class RedirectTests : IDisposable
{
    private static readonly Attachment s_pair = NetworkHost.Attach("a", "vm-a1", AttachmentKind.TapRedirect, "eth0", MacvtapMode.Bridge);
    private readonly NetworkHost _host = new();
    private readonly Namespace _far = new();

    public RedirectTests()
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0", "netns", _far.Name);
        _host.Net.Ip("link", "set", "eth0", "up");
        _far.Ip("link", "set", "far0", "up");
        _far.Ip("address", "add", "10.9.8.1/24", "dev", "far0");
    }

    public void Dispose()
    {
        _far.Dispose();
        _host.Dispose();
    }

    private string Filters(string link) => Binary.Run("tc", null, "-n", _host.Net.Name, "filter", "show", "dev", link, "ingress").Out;

    [Fact]
    public void It_is_made_verified_and_taken_down_as_a_whole()
    {
        var before = _host.Net.Links();
        _host.Up(s_pair);
        var (tap, macvlan) = (_host.Link("vm-a1"), _host.Link("mv-vm-a1"));
        Assert.Equal("tun", tap.GetProperty("linkinfo").GetProperty("info_kind").GetString());
        Assert.Equal("macvlan", macvlan.GetProperty("linkinfo").GetProperty("info_kind").GetString());
        Assert.Equal(NetworkHost.MacOf("vm-a1"), macvlan.GetProperty("address").GetString());
        Assert.Equal(tap.GetProperty("group").GetString(), macvlan.GetProperty("group").GetString());
        Assert.StartsWith("microvm:a/vm-a1:", tap.GetProperty("ifalias").GetString());
        Assert.StartsWith("microvm:a/vm-a1:", macvlan.GetProperty("ifalias").GetString());
        Assert.Contains("Egress Redirect to device mv-vm-a1", Filters("vm-a1"));
        Assert.Contains("Egress Redirect to device vm-a1", Filters("mv-vm-a1"));
        Assert.False(_host.Up(s_pair).HasChanges);
        _host.Done("down", "--vm", "a");
        Assert.Equal(before, _host.Net.Links());
    }

    [Fact]
    public void A_guest_on_the_tap_pings_the_lower_devices_network()
    {
        _host.Up(s_pair);
        _host.Inside(_ =>
        {
            using var tap = TunDevice.OpenQueue("vm-a1", false);
            Ping(tap.Descriptor, Convert.FromHexString(NetworkHost.MacOf("vm-a1").Replace(":", "")));
            return 0;
        });
    }

    [Fact]
    public void Each_half_that_is_lost_is_mended()
    {
        _host.Up(s_pair);
        Action[] blows =
        [
            () => _host.Net.Ip("link", "delete", "mv-vm-a1"),
            () => _host.Net.Ip("link", "delete", "vm-a1"),
            () => Assert.Equal(0, Binary.Run("tc", null, "-n", _host.Net.Name, "qdisc", "delete", "dev", "vm-a1", "clsact").Code),
            () => Assert.Equal(0, Binary.Run("tc", null, "-n", _host.Net.Name, "filter", "delete", "dev", "mv-vm-a1", "ingress").Code),
            () => _host.Net.Ip("link", "set", "mv-vm-a1", "down"),
            () => _host.Net.Ip("link", "set", "mv-vm-a1", "name", "elsewhere"),
        ];
        foreach (var blow in blows)
        {
            blow();
            Assert.True(_host.Up(s_pair).HasChanges);
            Assert.Contains("Egress Redirect to device mv-vm-a1", Filters("vm-a1"));
            Assert.Contains("Egress Redirect to device vm-a1", Filters("mv-vm-a1"));
            Assert.False(_host.Up(s_pair).HasChanges);
        }
    }

    [Fact]
    public void A_taken_name_of_its_second_link_is_refused_before_anything_is_made()
    {
        _host.Net.Ip("link", "add", "mv-vm-a1", "type", "bridge");
        var before = _host.Net.Links();
        var plan = _host.Inside(_ =>
        {
            using var network = new HostNetwork();
            return network.Up([.. DesiredLink.Of([s_pair], null, null)]);
        });
        Assert.Contains("'mv-vm-a1' already exists and was not created by microvm", Assert.Single(plan.Refusals).Text);
        Assert.Equal(before, _host.Net.Links());
    }

    [Theory]
    [InlineData(AttachmentKind.TapByFd)]
    [InlineData(AttachmentKind.MacvtapPath)]
    public void Another_hypervisor_turns_the_pair_into_a_macvtap_and_back(AttachmentKind kind)
    {
        _host.Up(s_pair);
        var macvtap = s_pair with { Kind = kind };
        _host.Up(macvtap);
        Assert.Equal("macvtap", _host.Link("vm-a1").GetProperty("linkinfo").GetProperty("info_kind").GetString());
        Assert.False(_host.Has("mv-vm-a1"));
        _host.Up(s_pair);
        Assert.Equal("tun", _host.Link("vm-a1").GetProperty("linkinfo").GetProperty("info_kind").GetString());
        Assert.True(_host.Has("mv-vm-a1"));
    }

    // What a guest's driver would do: ask who has 10.9.8.1, then send it an echo request and await the reply.
    private static void Ping(int tap, byte[] mac)
    {
        byte[] us = [10, 9, 8, 2], them = [10, 9, 8, 1];
        var arp = new byte[] { 0, 1, 8, 0, 6, 4, 0, 1 }.Concat(mac).Concat(us).Concat(new byte[6]).Concat(them).ToArray();
        var answer = Exchange(tap, [255, 255, 255, 255, 255, 255, .. mac, 8, 6, .. arp], f => f[12] == 8 && f[13] == 6 && f[21] == 2 && f[28..32].SequenceEqual(them));
        var router = answer[6..12];
        byte[] icmp = [8, 0, 0, 0, 0x12, 0x34, 0, 1, .. "microvm."u8];
        BinaryPrimitives.WriteUInt16BigEndian(icmp.AsSpan(2), Checksum(icmp));
        byte[] ip = [0x45, 0, 0, (byte)(20 + icmp.Length), 0, 0, 0, 0, 64, 1, 0, 0, .. us, .. them];
        BinaryPrimitives.WriteUInt16BigEndian(ip.AsSpan(10), Checksum(ip));
        var reply = Exchange(tap, [.. router, .. mac, 8, 0, .. ip, .. icmp], f => f[12] == 8 && f[13] == 0 && f.Length >= 42 && f[23] == 1 && f[34] == 0);
        Assert.Equal(mac, reply[..6]);
        Assert.Equal("microvm."u8.ToArray(), reply[42..50]);
    }

    private static byte[] Exchange(int tap, byte[] frame, Func<byte[], bool> expected)
    {
        // struct virtio_net_hdr goes before each frame (IFF_VNET_HDR).
        const int header = 10;
        using var file = new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(tap, ownsHandle: false), FileAccess.ReadWrite, 0);
        byte[] packet = [.. new byte[header], .. frame];
        var buffer = new byte[65536];
        for (var attempt = 0; attempt < 20; attempt++)
        {
            file.Write(packet);
            // Whatever else the namespaces have to say to each other comes in too.
            for (var n = 0; n < 50 && Readable(tap); n++)
            {
                var got = file.Read(buffer);
                var received = buffer[Math.Min(header, got)..got];
                if (received.Length >= 34 && expected(received))
                {
                    return received;
                }
            }
        }
        throw new TimeoutException("no answer through the pair");
    }

    private static bool Readable(int fd)
    {
        // struct pollfd: the descriptor, and POLLIN above it.
        var entry = (ulong)(uint)fd | 1ul << 32;
        return poll(ref entry, 1, 500) > 0;
    }

    [System.Runtime.InteropServices.DllImport("libc")]
    private static extern int poll(ref ulong descriptors, nuint count, int milliseconds);

    private static ushort Checksum(byte[] bytes)
    {
        uint sum = 0;
        for (var n = 0; n < bytes.Length; n += 2)
        {
            sum += (uint)(bytes[n] << 8 | (n + 1 < bytes.Length ? bytes[n + 1] : 0));
        }
        sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)~((sum & 0xffff) + (sum >> 16));
    }
}
