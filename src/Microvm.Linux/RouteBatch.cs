namespace Microvm.Linux;

/// <summary>Requests to the kernel, carried out in order by one <see cref="RouteSocket.Commit"/>. A refused request does not
/// stop those behind it (netlink_rcv_skb() in net/netlink/af_netlink.c), so after a failure look at what is there.</summary>
public sealed class RouteBatch
{
    private const ushort RTM_NEWLINK = 16, RTM_DELLINK = 17, RTM_SETLINK = 19, RTM_NEWADDR = 20, RTM_DELADDR = 21, RTM_NEWROUTE = 24, RTM_DELROUTE = 25, RTM_NEWNEIGH = 28, RTM_DELNEIGH = 29, RTM_NEWQDISC = 36, RTM_DELQDISC = 37, RTM_NEWTFILTER = 44, RTM_DELTFILTER = 45;
    private const ushort NLM_F_REQUEST = 1, NLM_F_REPLACE = 0x100, NLM_F_EXCL = 0x200, NLM_F_CREATE = 0x400;
    private const ushort IFLA_ADDRESS = 1, IFLA_IFNAME = 3, IFLA_MTU = 4, IFLA_LINK = 5, IFLA_MASTER = 10, IFLA_TXQLEN = 13, IFLA_LINKINFO = 18, IFLA_IFALIAS = 20, IFLA_GROUP = 27;
    private const ushort IFLA_INFO_KIND = 1, IFLA_INFO_DATA = 2, IFLA_INFO_SLAVE_DATA = 5, TCA_KIND = 1;
    private const ushort IFLA_MACVLAN_MODE = 1, IFLA_MACVLAN_MACADDR_MODE = 3, IFLA_MACVLAN_MACADDR = 4, IFLA_MACVLAN_MACADDR_DATA = 5;
    private const uint MACVLAN_MACADDR_SET = 3;
    private const uint TC_H_ROOT = 0xffffffff, CLSACT_HANDLE = 0xffff0000;
    internal const uint TC_H_CLSACT = 0xfffffff1, CLSACT_INGRESS = 0xfffffff2;
    private const uint IFF_UP = 1, IFF_ALLMULTI = 0x200;

    // 12 bytes each in one attribute with a length of 16 bits, which the kernel puts into two others when it reports them.
    private const int MostSources = 5440;

    private readonly List<(string Verb, string Name)> _entries = [];

    internal NetlinkWriter Writer { get; } = new();
    internal uint FirstSequence { get; set; }

    /// <summary>Requests in the batch.</summary>
    public int Count => _entries.Count;

    internal string What(int request) => $"{_entries[request].Verb} '{_entries[request].Name}'";

    /// <summary>Sets the root qdisc to noqueue. Before a multi-queue tap's first up this saves the kernel 256 qdiscs.</summary>
    public RouteBatch NoQueue(int index, string name)
    {
        Begin("set the qdisc of", name, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE).Tc(index, 0, TC_H_ROOT).Attribute(TCA_KIND, "noqueue\0"u8);
        return End();
    }

    /// <summary>Sets alias and link group, and where they are given bridge and MTU, in one request. The kernel sets the MTU before it
    /// attaches (do_setlink() in net/core/rtnetlink.c), so that the bridge doesn't take it on.</summary>
    /// <param name="master">The ifindex of the bridge; 0 for none, null leaves it as it is.</param>
    /// <param name="mtu">In bytes; null leaves it as it is.</param>
    public RouteBatch Mark(int index, string name, string alias, uint group, int? master = null, uint? mtu = null)
    {
        var w = Begin(master is null ? "mark" : "mark and attach", name, RTM_SETLINK, 0).IfInfo(index);
        w.Attribute(IFLA_IFALIAS, alias).Attribute(IFLA_GROUP, group);
        Attach(w, master, mtu);
        return End();
    }

    private static void Attach(NetlinkWriter w, int? master, uint? mtu)
    {
        if (mtu is { } bytes)
        {
            w.Attribute(IFLA_MTU, bytes);
        }
        if (master is { } m)
        {
            w.Attribute(IFLA_MASTER, (uint)m);
        }
    }

    /// <summary>Puts a link into a link group.</summary>
    public RouteBatch SetGroup(int index, string name, uint group)
    {
        Begin("set the link group of", name, RTM_SETLINK, 0).IfInfo(index).Attribute(IFLA_GROUP, group);
        return End();
    }

    /// <summary>Attaches a link to a bridge, or detaches it with 0.</summary>
    /// <param name="mtu">An MTU to be set before, so that the bridge does not take on a smaller one; null leaves it as it is.</param>
    public RouteBatch SetMaster(int index, string name, int master, uint? mtu = null)
    {
        Attach(Begin(master == 0 ? "detach" : "attach", name, RTM_SETLINK, 0).IfInfo(index), master, mtu);
        return End();
    }

    /// <summary>Gives a bridge's port settings that it, or the one in whose place it is, had before. The link has to be attached.</summary>
    public RouteBatch SetPort(int index, string name, BridgePort port)
    {
        var w = Begin("set the port settings of", name, RTM_NEWLINK, 0).IfInfo(index);
        var info = w.Open(IFLA_LINKINFO);
        w.Attribute(IFLA_INFO_SLAVE_DATA, Convert.FromHexString(port.Settings)).Close(info);
        return End();
    }

    /// <summary>Brings a link up, or down.</summary>
    public RouteBatch SetUp(int index, string name, bool up)
    {
        Begin(up ? "bring up" : "bring down", name, RTM_SETLINK, 0).IfInfo(index, up ? IFF_UP : 0, IFF_UP);
        return End();
    }

    /// <summary>Sets whether a link takes all multicast frames (IFF_ALLMULTI).</summary>
    public RouteBatch SetAllMulticast(int index, string name, bool on)
    {
        Begin("set allmulticast of", name, RTM_SETLINK, 0).IfInfo(index, on ? IFF_ALLMULTI : 0, IFF_ALLMULTI);
        return End();
    }

    /// <summary>Gives a link another name. A kernel before 6.2 refuses that while the link is up (EBUSY).</summary>
    public RouteBatch Rename(int index, string name, string to)
    {
        Begin("rename", name, RTM_SETLINK, 0).IfInfo(index).Attribute(IFLA_IFNAME, to);
        return End();
    }

    /// <summary>Sets a link's MAC: six octets.</summary>
    public RouteBatch SetAddress(int index, string name, ReadOnlySpan<byte> mac)
    {
        Begin("set the MAC of", name, RTM_SETLINK, 0).IfInfo(index).Attribute(IFLA_ADDRESS, mac);
        return End();
    }

    /// <summary>Sets a link's MTU, in bytes.</summary>
    public RouteBatch SetMtu(int index, string name, uint mtu)
    {
        Begin("set the MTU of", name, RTM_SETLINK, 0).IfInfo(index).Attribute(IFLA_MTU, mtu);
        return End();
    }

    /// <summary>Sets how many packets may wait to be sent on a link.</summary>
    public RouteBatch SetTxQueueLength(int index, string name, uint packets)
    {
        Begin("set the queue length of", name, RTM_SETLINK, 0).IfInfo(index).Attribute(IFLA_TXQLEN, packets);
        return End();
    }

    /// <summary>Makes a macvlan or macvtap, down, that takes all multicast frames. The kernel takes no alias here: <see cref="Mark"/> it in the same batch.</summary>
    /// <exception cref="LinuxException">At commit. EEXIST: the name or the index is taken; EBUSY: the lower device can't have it.</exception>
    public RouteBatch AddMacvlan(NewMacvlan link)
    {
        var w = Begin(link.Tap ? "make macvtap" : "make macvlan", link.Name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL).IfInfo(link.Index, IFF_ALLMULTI, IFF_ALLMULTI);
        w.Attribute(IFLA_IFNAME, link.Name).Attribute(IFLA_LINK, (uint)link.Lower).Attribute(IFLA_ADDRESS, link.Mac).Attribute(IFLA_GROUP, link.Group);
        Macvlan(link.Tap ? "macvtap"u8 : "macvlan"u8, link.Mode, link.Sources);
        return End();
    }

    /// <summary>Changes mode and source list of a macvlan or macvtap; to or from passthru the kernel refuses.</summary>
    public RouteBatch SetMacvlan(int index, string name, bool tap, MacvlanMode mode, IReadOnlyList<byte[]> sources)
    {
        Begin("set the mode of", name, RTM_NEWLINK, 0).IfInfo(index);
        Macvlan(tap ? "macvtap"u8 : "macvlan"u8, mode, sources);
        return End();
    }

    /// <summary>Adds the clsact qdisc and a filter that hands every frame which comes in on a link to another one's way out (tc-mirred(8)).</summary>
    public RouteBatch Redirect(int index, string name, int target)
    {
        Begin("add clsact to", name, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE).Tc(index, CLSACT_HANDLE, TC_H_CLSACT).Attribute(TCA_KIND, "clsact\0"u8);
        End();
        // Priority 1 and all protocols (ETH_P_ALL, in network order).
        var w = Begin("redirect", name, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE).Tc(index, RedirectFilter.Handle, CLSACT_INGRESS, 0x00010300);
        RedirectFilter.Write(w, target);
        return End();
    }

    /// <summary>Takes away what <see cref="Redirect"/> added; filters of others stay.</summary>
    /// <param name="withClsact">The clsact qdisc too, with all filters that it has.</param>
    public RouteBatch EndRedirect(int index, string name, bool withClsact)
    {
        if (withClsact)
        {
            Begin("take clsact from", name, RTM_DELQDISC, 0).Tc(index, CLSACT_HANDLE, TC_H_CLSACT).Attribute(TCA_KIND, "clsact\0"u8);
            return End();
        }
        Begin("end the redirect of", name, RTM_DELTFILTER, 0).Tc(index, RedirectFilter.Handle, CLSACT_INGRESS, 0x00010300).Attribute(TCA_KIND, "u32\0"u8);
        return End();
    }

    /// <summary>Makes a bridge, down, without STP and with this MAC, which it then keeps whatever its ports have. <see cref="Mark"/> it in the same batch.</summary>
    /// <param name="index">Its ifindex, free in the namespace.</param>
    /// <param name="mac">Six octets.</param>
    /// <exception cref="LinuxException">At commit. EEXIST: the name or the index is taken.</exception>
    internal RouteBatch AddBridge(int index, string name, ReadOnlySpan<byte> mac, uint group)
    {
        var w = Begin("make bridge", name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL).IfInfo(index);
        w.Attribute(IFLA_IFNAME, name).Attribute(IFLA_ADDRESS, mac).Attribute(IFLA_GROUP, group);
        var info = w.Open(IFLA_LINKINFO);
        w.Attribute(IFLA_INFO_KIND, "bridge"u8).Close(info);
        return End();
    }

    /// <summary>Gives a link an address.</summary>
    /// <exception cref="LinuxException">At commit. EEXIST: it has that one.</exception>
    internal RouteBatch AddAddress(string link, LinkAddress address)
    {
        address.Write(Begin($"give the address {address} to", link, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL), whole: true);
        return End();
    }

    /// <summary>Takes an address from a link.</summary>
    /// <exception cref="LinuxException">At commit. EADDRNOTAVAIL: it has none such.</exception>
    internal RouteBatch DeleteAddress(string link, LinkAddress address)
    {
        address.Write(Begin($"take the address {address} from", link, RTM_DELADDR, 0), whole: false);
        return End();
    }

    /// <summary>Adds a route over a link, which has to be up.</summary>
    /// <exception cref="LinuxException">At commit. EEXIST: packets to there go another way, at the same metric.</exception>
    internal RouteBatch AddRoute(string link, Route route)
    {
        route.Write(Begin($"route {route.Destination} to", link, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL));
        return End();
    }

    /// <summary>Deletes a route.</summary>
    /// <exception cref="LinuxException">At commit. ESRCH: there is none such.</exception>
    internal RouteBatch DeleteRoute(string link, Route route)
    {
        route.Write(Begin($"delete the route {route.Destination} to", link, RTM_DELROUTE, 0));
        return End();
    }

    /// <summary>Sets which MAC a station on a link has, for good. What was learned of it is forgotten.</summary>
    internal RouteBatch AddNeighbour(string link, LinkNeighbour neighbour)
    {
        neighbour.Write(Begin($"set the neighbour {neighbour.Address} on", link, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE), whole: true);
        return End();
    }

    /// <summary>Forgets which MAC a station has.</summary>
    internal RouteBatch DeleteNeighbour(string link, LinkNeighbour neighbour)
    {
        neighbour.Write(Begin($"forget the neighbour {neighbour.Address} on", link, RTM_DELNEIGH, 0), whole: false);
        return End();
    }

    /// <summary>Any request, its body written by who knows it.</summary>
    internal RouteBatch Add(string verb, string name, ushort type, ushort flags, ReadOnlySpan<byte> body)
    {
        Begin(verb, name, type, flags).Bytes(body);
        return End();
    }

    /// <summary>Sets attributes of a link.</summary>
    internal RouteBatch SetLink(string verb, Link link, Action<NetlinkWriter> attributes, uint flags = 0, uint change = 0, ushort type = RTM_SETLINK, ushort more = 0)
    {
        attributes(Begin(verb, link.Name, type, more).IfInfo(link.Index, flags, change));
        return End();
    }

    /// <summary>Deletes by index, so that a link which took over the name in between is safe.</summary>
    public RouteBatch Delete(int index, string name)
    {
        Begin("delete", name, RTM_DELLINK, 0).IfInfo(index);
        return End();
    }

    /// <summary>Deletes every link of a group in one transaction, whoever made it: look first.</summary>
    public RouteBatch DeleteGroup(uint group)
    {
        Begin("delete link group", group.ToString(System.Globalization.CultureInfo.InvariantCulture), RTM_DELLINK, 0).IfInfo(0).Attribute(IFLA_GROUP, group);
        return End();
    }

    /// <summary>Forgets all requests, for the next batch.</summary>
    public void Clear()
    {
        _entries.Clear();
        Writer.Clear();
    }

    private void Macvlan(ReadOnlySpan<byte> kind, MacvlanMode mode, IReadOnlyList<byte[]> sources)
    {
        var info = Writer.Open(IFLA_LINKINFO);
        Writer.Attribute(IFLA_INFO_KIND, kind);
        var data = Writer.Open(IFLA_INFO_DATA);
        Writer.Attribute(IFLA_MACVLAN_MODE, (uint)mode);
        if (mode == MacvlanMode.Source)
        {
            Writer.Attribute(IFLA_MACVLAN_MACADDR_MODE, MACVLAN_MACADDR_SET);
            if (sources.Count > MostSources)
            {
                var what = What(Count - 1);
                Writer.Abandon();
                _entries.RemoveAt(Count - 1);
                throw new LinuxException($"{what}: {sources.Count:N0} source MACs", Errno.EMSGSIZE, $"the kernel tells of at most {MostSources:N0}");
            }
            var list = Writer.Open(IFLA_MACVLAN_MACADDR_DATA);
            foreach (var mac in sources)
            {
                Writer.Attribute(IFLA_MACVLAN_MACADDR, mac);
            }
            Writer.Close(list);
        }
        Writer.Close(data).Close(info);
    }

    private NetlinkWriter Begin(string verb, string name, ushort type, ushort flags)
    {
        _entries.Add((verb, name));
        // The socket numbers the requests when it sends them.
        return Writer.Begin(type, (ushort)(NLM_F_REQUEST | flags), 0);
    }

    private RouteBatch End()
    {
        Writer.End();
        return this;
    }
}

/// <summary>How a macvlan filters: <c>MACVLAN_MODE_*</c> of linux/if_link.h.</summary>
public enum MacvlanMode : uint
{
    /// <summary>Those on one lower device never hear each other.</summary>
    Private = 1,

    /// <summary>Frames to each other go out, for a switch that sends them back (802.1Qbg).</summary>
    Vepa = 2,

    /// <summary>Those on one lower device reach each other directly.</summary>
    Bridge = 4,

    /// <summary>One alone has the lower device, and its MAC.</summary>
    Passthru = 8,

    /// <summary>Only frames from listed senders are let in.</summary>
    Source = 16,
}

/// <summary>A macvlan or macvtap to be made.</summary>
/// <param name="Index">Its ifindex, free in the namespace; 0 lets the kernel choose.</param>
/// <param name="Tap">A macvtap, with a character device; else a macvlan.</param>
/// <param name="Lower">The ifindex of the lower device.</param>
/// <param name="Mac">Six octets.</param>
/// <param name="Sources">The MACs that mode source lets in.</param>
public sealed record NewMacvlan(int Index, string Name, bool Tap, int Lower, byte[] Mac, uint Group, MacvlanMode Mode, IReadOnlyList<byte[]> Sources);
