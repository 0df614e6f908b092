using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>Asks the kernel for the firewall's chains and rules (NETLINK_NETFILTER), in the network namespace of the calling thread. It only reads.
/// A dump that changed under way is taken again.</summary>
internal static class FirewallSocket
{
    private const ushort NFT_MSG_GETCHAIN = 10 << 8 | 4, NFT_MSG_NEWCHAIN = 10 << 8 | 3, NFT_MSG_GETRULE = 10 << 8 | 7, NFT_MSG_NEWRULE = 10 << 8 | 6,
        NFT_MSG_GETSET = 10 << 8 | 10, NFT_MSG_NEWSET = 10 << 8 | 9, NFT_MSG_GETSETELEM = 10 << 8 | 13, NFT_MSG_NEWSETELEM = 10 << 8 | 12,
        NFTA_SET_ELEM_LIST_TABLE = 1, NFTA_SET_ELEM_LIST_SET = 2;

    /// <summary>All base chains.</summary>
    /// <exception cref="LinuxException">The kernel has no nftables, or CAP_NET_ADMIN is missing.</exception>
    public static IReadOnlyList<FirewallChain> BaseChains() => Dump(NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN, FirewallChain.Parse, "list the firewall's chains");

    /// <summary>All rules, in the order in which each chain has them.</summary>
    /// <exception cref="LinuxException">As above.</exception>
    public static IReadOnlyList<FirewallRule> Rules() => Dump(NFT_MSG_GETRULE, NFT_MSG_NEWRULE, FirewallRule.Parse, "list the firewall's rules");

    /// <summary>The rules of one table as the kernel keeps them, to be compared with what they were.</summary>
    /// <exception cref="LinuxException">As above.</exception>
    public static byte[] RulesOf(byte family, string table) => [.. Dump(NFT_MSG_GETRULE, NFT_MSG_NEWRULE, b => FirewallRule.Bytes(b, table), "list the firewall's rules", family).SelectMany(r => r)];

    /// <summary>One set; null where there is none of that name, or where its elements are not single values.</summary>
    /// <exception cref="LinuxException">As above.</exception>
    public static FirewallSet? Set(byte family, string table, string name)
    {
        var head = Dump(NFT_MSG_GETSET, NFT_MSG_NEWSET, FirewallSet.Head.Parse, "list the firewall's sets", family).FirstOrDefault(s => s.Table == table && s.Name == name);
        return head is null || head.HasRanges ? null
            : new(head, Dump(NFT_MSG_GETSETELEM, NFT_MSG_NEWSETELEM, body => body.ToArray(), $"list the firewall's set {name}", family, (NFTA_SET_ELEM_LIST_TABLE, table), (NFTA_SET_ELEM_LIST_SET, name)));
    }

    private delegate T? Parser<T>(ReadOnlySpan<byte> body);

    private static List<T> Dump<T>(ushort ask, ushort answer, Parser<T> parse, string what, byte family = 0, params ReadOnlySpan<(ushort Type, string Text)> attributes) where T : class
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Netfilter);
        // struct nlmsghdr and struct nfgenmsg, whose family 0 is every family.
        List<byte> message = [.. new byte[20]];
        message[16] = family;
        foreach (var (type, text) in attributes)
        {
            byte[] value = [.. System.Text.Encoding.UTF8.GetBytes(text), 0];
            message.AddRange([(byte)(value.Length + 4), (byte)(value.Length + 4 >> 8), (byte)type, (byte)(type >> 8), .. value, .. new byte[-value.Length & 3]]);
        }
        var request = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(message);
        BinaryPrimitives.WriteUInt32LittleEndian(request, (uint)message.Count);
        BinaryPrimitives.WriteUInt16LittleEndian(request[4..], ask);
        var found = new List<T>();
        uint sequence = 0;
        socket.Dump(request, what, found.Clear, (type, body) =>
        {
            if (type == answer && parse(body) is { } one)
            {
                found.Add(one);
            }
        }, ref sequence);
        return found;
    }
}
