using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>Asks the kernel for the firewall's chains and rules (NETLINK_NETFILTER), in the network namespace of the calling thread. It only reads.</summary>
internal static unsafe class FirewallSocket
{
    private const int AF_NETLINK = 16, SOCK_RAW = 3, SOCK_CLOEXEC = 0x80000, NETLINK_NETFILTER = 12;
    private const ushort NFT_MSG_GETCHAIN = 10 << 8 | 4, NFT_MSG_NEWCHAIN = 10 << 8 | 3, NFT_MSG_GETRULE = 10 << 8 | 7, NFT_MSG_NEWRULE = 10 << 8 | 6, NLMSG_ERROR = 2, NLMSG_DONE = 3, NLM_F_REQUEST = 1, NLM_F_DUMP = 0x300;

    /// <summary>All base chains.</summary>
    /// <exception cref="LinuxException">The kernel has no nftables, or CAP_NET_ADMIN is missing.</exception>
    public static IReadOnlyList<FirewallChain> BaseChains() => Dump(NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN, FirewallChain.Parse, "list the firewall's chains");

    /// <summary>The rules that ask for nothing but links, in the order in which each chain has them.</summary>
    /// <exception cref="LinuxException">As above.</exception>
    public static IReadOnlyList<FirewallRule> LinkRules() => Dump(NFT_MSG_GETRULE, NFT_MSG_NEWRULE, FirewallRule.Parse, "list the firewall's rules");

    private delegate T? Parser<T>(ReadOnlySpan<byte> body);

    private static List<T> Dump<T>(ushort ask, ushort answer, Parser<T> parse, string what) where T : class
    {
        using var socket = new FileDescriptor((int)Libc.Check(Libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), what));
        // struct nlmsghdr and struct nfgenmsg with family 0: every family.
        Span<byte> request = stackalloc byte[20];
        request.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(request, 20);
        BinaryPrimitives.WriteUInt16LittleEndian(request[4..], ask);
        BinaryPrimitives.WriteUInt16LittleEndian(request[6..], NLM_F_REQUEST | NLM_F_DUMP);
        BinaryPrimitives.WriteUInt32LittleEndian(request[8..], 1);
        fixed (byte* p = request)
        {
            Libc.Check(Libc.send(socket.Value, p, (nuint)request.Length, 0), what);
        }
        var found = new List<T>();
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
            if (Libc.Check(got, what) == 0 || Take(buffer.AsSpan(0, (int)got), answer, parse, found, what))
            {
                return found;
            }
        }
    }

    /// <summary>Whether that was the end of the dump.</summary>
    private static bool Take<T>(ReadOnlySpan<byte> rest, ushort answer, Parser<T> parse, List<T> found, string what) where T : class
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
            if (type == answer && parse(rest[16..length]) is { } one)
            {
                found.Add(one);
            }
            rest = rest[Math.Min(length + 3 & ~3, rest.Length)..];
        }
        return false;
    }
}
