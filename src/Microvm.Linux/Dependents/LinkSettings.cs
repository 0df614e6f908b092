using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>A link's own settings that a link made anew does not have: MTU, queue length, flags, other names, those of a bridge's port and its VLANs, and sysctls.</summary>
internal sealed record LinkSettings(int Index, string Name, uint Mtu, uint QueueLength, uint Flags, int Master, IReadOnlyList<string> OtherNames, BridgePort? Port, string? Stuck)
{
    private const ushort RTM_NEWLINK = 16, RTM_GETLINK = 18, RTM_SETLINK = 19, RTM_NEWLINKPROP = 108, NLM_F_EXCL = 0x200, NLM_F_CREATE = 0x400, NLM_F_APPEND = 0x800;
    private const ushort IFLA_IFNAME = 3, IFLA_MTU = 4, IFLA_MASTER = 10, IFLA_TXQLEN = 13, IFLA_LINKINFO = 18, IFLA_EXT_MASK = 29, IFLA_XDP = 43, IFLA_PROP_LIST = 52, IFLA_ALT_IFNAME = 53;
    private const ushort IFLA_INFO_SLAVE_KIND = 4, IFLA_INFO_SLAVE_DATA = 5, IFLA_XDP_ATTACHED = 2;
    private const uint RTEXT_FILTER_SKIP_STATS = 8;

    // IFF_NOARP, IFF_PROMISC, IFF_ALLMULTI, IFF_MULTICAST: what ip-link(8) sets.
    private const uint AllMulticast = 0x200, SetByHand = 0x80 | 0x100 | AllMulticast | 0x1000;

    /// <summary>Sysctls of the link that differ from those of a link made anew, by path below <c>/proc/sys/net</c> with NAME for the link's name.</summary>
    private IReadOnlyDictionary<string, string> Sysctls { get; init; } = new Dictionary<string, string>();

    /// <summary>The VLANs that it is a member of as a bridge's port.</summary>
    private PortVlans Vlans { get; init; } = PortVlans.None;

    /// <summary>Reads the settings of some links with one dump, and one more where one of them is attached.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal static IEnumerable<LinkSettings> Read(RouteSocket route, IEnumerable<int> indexes)
    {
        var wanted = indexes.ToHashSet();
        var messages = new List<byte[]>();
        // struct ifinfomsg and IFLA_EXT_MASK.
        byte[] request = [.. new byte[16], 8, 0, (byte)IFLA_EXT_MASK, 0, .. BitConverter.GetBytes(RTEXT_FILTER_SKIP_STATS)];
        route.Messages(RTM_GETLINK, RTM_NEWLINK, request, "list the links' settings", messages);
        var sysctls = new LinkSysctls(route);
        List<LinkSettings> found = [.. messages.Where(m => wanted.Contains(BinaryPrimitives.ReadInt32LittleEndian(m.AsSpan(4)))).Select(m => Parse(m) is var settings ? settings with { Sysctls = sysctls.Read(settings.Name, settings.Index, m) } : settings)];
        var vlans = found.Exists(s => s.Master != 0) ? PortVlans.Read(route) : [];
        return found.Select(s => vlans.TryGetValue(s.Index, out var its) ? s with { Vlans = its } : s);
    }

    private static LinkSettings Parse(byte[] body)
    {
        uint mtu = 0, length = 0;
        var master = 0;
        string name = "", masterKind = "";
        string? stuck = null;
        var names = new List<string>();
        BridgePort? port = null;
        var reader = new AttributeReader(body.AsSpan(16));
        while (reader.Read())
        {
            var inner = new AttributeReader(reader.Value);
            switch (reader.Type)
            {
                case IFLA_IFNAME: name = reader.Text; break;
                case IFLA_MTU: mtu = reader.UInt32; break;
                case IFLA_TXQLEN: length = reader.UInt32; break;
                case IFLA_MASTER: master = (int)reader.UInt32; break;
                case IFLA_PROP_LIST:
                    while (inner.Read())
                    {
                        names.Add(inner.Text);
                    }
                    break;
                case IFLA_XDP:
                    while (inner.Read())
                    {
                        stuck = inner.Type == IFLA_XDP_ATTACHED && inner.Byte != 0 ? "an XDP program" : stuck;
                    }
                    break;
                case IFLA_LINKINFO:
                    while (inner.Read())
                    {
                        masterKind = inner.Type == IFLA_INFO_SLAVE_KIND ? inner.Text : masterKind;
                        port = inner.Type == IFLA_INFO_SLAVE_DATA && masterKind == "bridge" ? BridgePort.Parse(inner.Value) : port;
                    }
                    break;
            }
        }
        stuck ??= masterKind is "bond" or "team" ? $"its place in a {masterKind}" : null;
        return new(BinaryPrimitives.ReadInt32LittleEndian(body.AsSpan(4)), name, mtu, length, BinaryPrimitives.ReadUInt32LittleEndian(body.AsSpan(8)) & SetByHand, master, names, port, stuck);
    }

    /// <summary>Gives the links that are there now what those had that they took the place of.</summary>
    /// <param name="samePort">Those, by their former index, that are ports of the same bridge as before, where their settings as a port still mean something.</param>
    internal static IReadOnlyList<LinuxException> Restore(RouteSocket route, IReadOnlyList<(LinkSettings Was, Link Now)> links, IReadOnlySet<int> samePort)
    {
        var failures = new List<LinuxException>();
        if (links.Count == 0)
        {
            return failures;
        }
        var now = Read(route, links.Select(l => l.Now.Index)).ToDictionary(s => s.Index);
        var batch = new RouteBatch();
        foreach (var (was, link) in links)
        {
            if (!now.TryGetValue(link.Index, out var has))
            {
                failures.Add(new($"look at '{link.Name}'", Errno.ENODEV));
                continue;
            }
            if (was.QueueLength != has.QueueLength)
            {
                batch.SetLink("set the queue length of", link, w => w.Attribute(IFLA_TXQLEN, was.QueueLength));
            }
            // A port's is its bridge's, and a macvlan's at most its lower device's, which may be another one now.
            if (was.Mtu != has.Mtu && link.Master is null && (link.Macvlan is null || was.Mtu < has.Mtu))
            {
                batch.SetMtu(link.Index, link.Name, was.Mtu);
            }
            // A macvlan is made with all multicast, which the guest needs.
            var flags = (was.Flags ^ has.Flags) & (link.Macvlan is null ? SetByHand : SetByHand & ~AllMulticast);
            if (flags != 0)
            {
                batch.SetLink("set the flags of", link, _ => { }, was.Flags, flags);
            }
            foreach (var name in was.OtherNames.Except(has.OtherNames))
            {
                batch.SetLink($"give the other name '{name}' to", link, w =>
                {
                    // The kernel asks for the mark of a nested attribute here (NLA_F_NESTED).
                    var list = w.Open(IFLA_PROP_LIST | 0x8000);
                    w.Attribute(IFLA_ALT_IFNAME, name).Close(list);
                }, type: RTM_NEWLINKPROP, more: NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND);
            }
            if (samePort.Contains(was.Index) && was.Port?.Beyond(has.Port) is { } port)
            {
                batch.SetPort(link.Index, link.Name, port);
            }
            if (samePort.Contains(was.Index) && !was.Vlans.SameAs(has.Vlans))
            {
                was.Vlans.Give(link.Index, link.Name, batch);
            }
            failures.AddRange(LinkSysctls.Write(link.Index, link.Name, was.Sysctls, has.Sysctls));
        }
        failures.AddRange(route.Try(batch));
        return failures;
    }
}
