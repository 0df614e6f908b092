using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Microvm.Linux;

/// <summary>Makes and changes persistent taps over <c>/dev/net/tun</c> (Documentation/networking/tuntap.rst).</summary>
public static unsafe class TunDevice
{
    private const nuint TUNSETIFF = 0x400454ca, TUNSETPERSIST = 0x400454cb, TUNSETOWNER = 0x400454cc, TUNSETGROUP = 0x400454ce, TUNSETIFINDEX = 0x400454da, TUNGETIFF = 0x800454d2,
        SIOCSIFHWADDR = 0x8924;
    private const ushort ARPHRD_ETHER = 1;
    private const ushort IFF_TAP = 0x2, IFF_MULTI_QUEUE = 0x100, IFF_NO_PI = 0x1000, IFF_VNET_HDR = 0x4000, IFF_TUN_EXCL = 0x8000;
    private const int O_RDWR = 2, O_CLOEXEC = 0x80000, IfreqSize = 40;

    /// <summary>Makes a new tap with vnet_hdr that lives as long as the returned handle, until <see cref="Tap.Persist"/>; so a
    /// process killed half-way leaves none behind. A link of that name is an error (EBUSY), never taken over.</summary>
    /// <param name="index">The ifindex it is to have, so that it need not be looked up; 0 lets the kernel choose.</param>
    /// <param name="owner">User id that may open it, or null for CAP_NET_ADMIN only.</param>
    /// <param name="group">Group id that may open it.</param>
    /// <param name="address">The Ethernet address of the host's end, six bytes; null leaves the random one. It is set at once, since udev gives
    /// a link whose address is random (NET_ADDR_RANDOM) another one, when it comes to it.</param>
    /// <exception cref="LinuxException">EBUSY: name or index is taken; EPERM: no CAP_NET_ADMIN; EADDRNOTAVAIL: a multicast address.</exception>
    public static Tap Create(string name, bool multiQueue, uint? owner, uint? group, int index = 0, byte[]? address = null)
    {
        var tap = Attach(name, multiQueue, $"make tap '{name}'", IFF_TUN_EXCL, index: index);
        try
        {
            if (address is not null)
            {
                tap.SetAddress(address);
            }
            tap.SetOwner(owner, group);
            return tap;
        }
        catch
        {
            tap.Dispose();
            throw;
        }
    }

    /// <summary>Opens one queue of a tap that is there, as its owner or with CAP_NET_ADMIN. The caller owns the handle.</summary>
    /// <param name="index">The ifindex of the link that is meant, so that a rename meanwhile opens no other; 0 for whichever has the name.</param>
    /// <exception cref="LinuxException">EINVAL: the queue mode is another; EBUSY: it is open already and not multi-queue; EPERM: somebody else's;
    /// ENODEV: the name is another link's by now.</exception>
    public static Tap OpenQueue(string name, bool multiQueue, int index = 0)
    {
        var what = $"open tap '{name}'";
        // /dev/net/tun may open slowly. The kernel takes a name here and no index: look before, so that nothing is done to another link, and after.
        var tap = Attach(name, multiQueue, what, 0, () => ThrowUnlessNamed(index, name, what));
        try
        {
            ThrowUnlessNamed(index, tap.NameNow(what), what);
            ThrowUnlessNamed(index, name, what);
            return tap;
        }
        catch
        {
            tap.Dispose();
            throw;
        }
    }

    private static void ThrowUnlessNamed(int index, string name, string what)
    {
        if (index != 0)
        {
            LinkSetting.ThrowUnlessNamed(index, name, what);
        }
    }

    private static Tap Attach(string name, bool multiQueue, string what, ushort extra, Action? opened = null, int index = 0)
    {
        int fd;
        fixed (byte* path = "/dev/net/tun\0"u8)
        {
            fd = (int)Libc.Check(Libc.open(path, O_RDWR | O_CLOEXEC), "open /dev/net/tun");
        }
        var tun = new FileDescriptor(fd);
        try
        {
            opened?.Invoke();
            // struct ifreq: the name, then the flags.
            Span<byte> ifreq = stackalloc byte[IfreqSize];
            ifreq.Clear();
            Encoding.UTF8.GetBytes(name, ifreq[..15]);
            BinaryPrimitives.WriteUInt16LittleEndian(ifreq[16..], (ushort)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multiQueue ? IFF_MULTI_QUEUE : 0) | extra));
            if (index != 0)
            {
                Libc.Check(Libc.ioctl(fd, TUNSETIFINDEX, &index), what);
            }
            fixed (byte* p = ifreq)
            {
                Libc.Check(Libc.ioctl(fd, TUNSETIFF, p), what);
            }
            return new(tun, name);
        }
        catch
        {
            tun.Dispose();
            throw;
        }
    }

    /// <summary>A queue of a tap that this process holds open; disposing it lets go, and the kernel deletes a tap that does not persist with its last queue.</summary>
    public sealed class Tap : IDisposable
    {
        private readonly FileDescriptor _tun;
        private readonly string _name;
        internal Tap(FileDescriptor tun, string name) => (_tun, _name) = (tun, name);

        /// <summary>The descriptor, closed on exec; this handle keeps owning it.</summary>
        public int Descriptor => _tun.Value;

        /// <summary>Makes the tap outlive its descriptors.</summary>
        public void Persist() => Set(TUNSETPERSIST, 1, "keep tap");

        /// <summary>Sets who may open the tap; null leaves as it is.</summary>
        public void SetOwner(uint? owner, uint? group)
        {
            if (owner is { } user)
            {
                Set(TUNSETOWNER, user, "set the owner of tap");
            }
            if (group is { } g)
            {
                Set(TUNSETGROUP, g, "set the group of tap");
            }
        }

        /// <summary>Sets the Ethernet address of the host's end.</summary>
        internal void SetAddress(ReadOnlySpan<byte> address)
        {
            // struct ifreq: the name, which the descriptor makes needless, then a struct sockaddr.
            Span<byte> ifreq = stackalloc byte[40];
            ifreq.Clear();
            BinaryPrimitives.WriteUInt16LittleEndian(ifreq[16..], ARPHRD_ETHER);
            address[..6].CopyTo(ifreq[18..]);
            fixed (byte* p = ifreq)
            {
                if (Libc.ioctl(_tun.Value, SIOCSIFHWADDR, p) < 0)
                {
                    throw new LinuxException($"set the address of tap '{_name}'", Marshal.GetLastPInvokeError());
                }
            }
        }

        /// <summary>Closes the queue. A tap that does not persist is gone with its last one.</summary>
        public void Dispose() => _tun.Dispose();

        /// <summary>What the link is called that the descriptor stands for.</summary>
        internal string NameNow(string what)
        {
            var ifreq = stackalloc byte[IfreqSize];
            Libc.Check(Libc.ioctl(_tun.Value, TUNGETIFF, ifreq), what);
            return Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(ifreq));
        }

        private void Set(nuint request, uint value, string verb)
        {
            if (Libc.ioctl(_tun.Value, request, (void*)value) < 0)
            {
                throw new LinuxException($"{verb} '{_name}'", Marshal.GetLastPInvokeError());
            }
        }
    }
}
