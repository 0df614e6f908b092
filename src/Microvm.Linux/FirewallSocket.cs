using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>Asks the kernel for the firewall's base chains (NETLINK_NETFILTER), in the network namespace of the calling thread. It only reads.</summary>
internal static unsafe class FirewallSocket
{
    private const int AF_NETLINK = 16, SOCK_RAW = 3, SOCK_CLOEXEC = 0x80000, NETLINK_NETFILTER = 12;
    private const ushort NFT_MSG_GETCHAIN = 10 << 8 | 4, NFT_MSG_NEWCHAIN = 10 << 8 | 3, NLMSG_ERROR = 2, NLMSG_DONE = 3, NLM_F_REQUEST = 1, NLM_F_DUMP = 0x300;

    /// <summary>All base chains.</summary>
    /// <exception cref="LinuxException">The kernel has no nftables, or CAP_NET_ADMIN is missing.</exception>
    public static IReadOnlyList<FirewallChain> BaseChains()
    {
        const string What = "list the firewall's chains";
        using var socket = new FileDescriptor((int)Libc.Check(Libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), What));
        // struct nlmsghdr and struct nfgenmsg with family 0: every family.
        Span<byte> request = stackalloc byte[20];
        request.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(request, 20);
        BinaryPrimitives.WriteUInt16LittleEndian(request[4..], NFT_MSG_GETCHAIN);
        BinaryPrimitives.WriteUInt16LittleEndian(request[6..], NLM_F_REQUEST | NLM_F_DUMP);
        BinaryPrimitives.WriteUInt32LittleEndian(request[8..], 1);
        fixed (byte* p = request)
        {
            Libc.Check(Libc.send(socket.Value, p, (nuint)request.Length, 0), What);
        }
        var chains = new List<FirewallChain>();
        var buffer = new byte[64 * 1024];
        for (; ; )
        {
            nint got;
            fixed (byte* p = buffer)
            {
                got = Libc.recv(socket.Value, p, (nuint)buffer.Length, 0);
            }
            if (got < 0 && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() == Errno.EINTR)
            {
                continue;
            }
            if (Libc.Check(got, What) == 0 || Take(buffer.AsSpan(0, (int)got), chains, What))
            {
                return chains;
            }
        }
    }

    /// <summary>Whether that was the end of the dump.</summary>
    private static bool Take(ReadOnlySpan<byte> rest, List<FirewallChain> chains, string what)
    {
        while (rest.Length >= 16)
        {
            var length = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(rest), (uint)rest.Length);
            var type = BinaryPrimitives.ReadUInt16LittleEndian(rest[4..]);
            if (length < 16 || type == NLMSG_DONE)
            {
                return true;
            }
            if (type == NLMSG_ERROR)
            {
                throw new LinuxException(what, length >= 20 ? -BinaryPrimitives.ReadInt32LittleEndian(rest[16..]) : 5);
            }
            if (type == NFT_MSG_NEWCHAIN && FirewallChain.Parse(rest[16..length]) is { } chain)
            {
                chains.Add(chain);
            }
            rest = rest[Math.Min(length + 3 & ~3, rest.Length)..];
        }
        return false;
    }
}
