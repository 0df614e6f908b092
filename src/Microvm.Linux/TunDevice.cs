using System.Buffers.Binary;
using System.Text;

namespace Microvm.Linux;

/// <summary>Makes and changes persistent taps over <c>/dev/net/tun</c> (Documentation/networking/tuntap.rst).</summary>
public static unsafe class TunDevice
{
    private const nuint TUNSETIFF = 0x400454ca, TUNSETPERSIST = 0x400454cb, TUNSETOWNER = 0x400454cc, TUNSETGROUP = 0x400454ce;
    private const ushort IFF_TAP = 0x2, IFF_MULTI_QUEUE = 0x100, IFF_NO_PI = 0x1000, IFF_VNET_HDR = 0x4000, IFF_TUN_EXCL = 0x8000;
    private const int O_RDWR = 2, O_CLOEXEC = 0x80000;

    /// <summary>Makes a new tap that lives as long as the returned handle, until <see cref="Tap.Persist"/>; so a process killed half-way leaves none behind. A link of that name is an error (EBUSY), never taken over.</summary>
    /// <param name="owner">User id that may open it, or null for CAP_NET_ADMIN only.</param>
    /// <param name="group">Group id that may open it.</param>
    public static Tap Create(string name, bool multiQueue, uint? owner, uint? group)
    {
        var tun = Attach(name, multiQueue);
        try
        {
            SetOwner(tun, name, owner, group);
            return new(tun, name);
        }
        catch
        {
            tun.Dispose();
            throw;
        }
    }

    /// <summary>A tap that this process holds open; disposing it lets go, and the kernel deletes it unless it was made to persist.</summary>
    public sealed class Tap : IDisposable
    {
        private readonly FileDescriptor _tun;
        private readonly string _name;
        internal Tap(FileDescriptor tun, string name) => (_tun, _name) = (tun, name);
        public void Persist() => Libc.Check(Libc.ioctl(_tun.Value, TUNSETPERSIST, (void*)1), $"keep tap '{_name}'");
        public void Dispose() => _tun.Dispose();
    }

    private static void SetOwner(FileDescriptor tun, string name, uint? owner, uint? group)
    {
        if (owner is { } user)
        {
            Libc.Check(Libc.ioctl(tun.Value, TUNSETOWNER, (void*)user), $"give tap '{name}' to user {user}");
        }
        if (group is { } g)
        {
            Libc.Check(Libc.ioctl(tun.Value, TUNSETGROUP, (void*)g), $"give tap '{name}' to group {g}");
        }
    }

    private static FileDescriptor Attach(string name, bool multiQueue)
    {
        var tun = new FileDescriptor((int)Libc.Check(Libc.open("/dev/net/tun", O_RDWR | O_CLOEXEC), "open /dev/net/tun"));
        Span<byte> ifreq = stackalloc byte[40];
        ifreq.Clear();
        Encoding.UTF8.GetBytes(name, ifreq[..15]);
        var flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multiQueue ? IFF_MULTI_QUEUE : 0) | IFF_TUN_EXCL;
        BinaryPrimitives.WriteUInt16LittleEndian(ifreq[16..], (ushort)flags);
        fixed (byte* p = ifreq)
        {
            if (Libc.ioctl(tun.Value, TUNSETIFF, p) < 0)
            {
                var errno = System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
                tun.Dispose();
                throw new LinuxException($"make tap '{name}'", errno);
            }
        }
        return tun;
    }
}
