using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Microvm.Linux;

/// <summary>A route of the table main, as RTM_GETROUTE tells it (struct rtmsg in linux/rtnetlink.h).</summary>
/// <param name="Link">The ifindex that packets leave by; 0 where there is none, or several.</param>
/// <param name="Metric">The lower, the sooner it is taken.</param>
internal sealed record Route(IPNetwork Destination, int Link, uint Metric)
{
    /// <summary>The <c>rtm_protocol</c> of what microvm made, and of its neighbours: no other program is known to use this number.</summary>
    internal const byte Ours = 0x6d;

    private const ushort RTA_DST = 1, RTA_OIF = 4, RTA_GATEWAY = 5, RTA_PRIORITY = 6, RTA_MULTIPATH = 9, RTA_TABLE = 15;
    private const byte RT_TABLE_MAIN = 254, RTN_UNICAST = 1;

    /// <summary>The station that knows the way; null where the destination itself is on the link.</summary>
    internal IPAddress? Via { get; init; }

    /// <summary>Who made it (<c>rtm_protocol</c>).</summary>
    internal byte Protocol { get; init; }

    /// <summary>Whether it is the way to whatever no other route knows.</summary>
    internal bool IsDefault => Destination.PrefixLength == 0;

    /// <summary>The metric that the kernel gives a route without one (IP6_RT_PRIO_USER in net/ip6_route.h).</summary>
    internal static uint UsualMetric(bool isV6) => isV6 ? 1024u : 0;

    /// <summary>Reads one message's body; null where the bytes are no route, or one of another table.</summary>
    internal static Route? Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length < 12 || body[7] != RTN_UNICAST || body[0] is not (CarriedKinds.AF_INET or CarriedKinds.AF_INET6))
        {
            return null;
        }
        var destination = body[0] == CarriedKinds.AF_INET ? IPAddress.Any : IPAddress.IPv6Any;
        var (link, metric, table, via) = (0, 0u, (uint)body[4], (IPAddress?)null);
        var reader = new AttributeReader(body[12..]);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case RTA_DST when reader.Value.Length is 4 or 16: destination = new(reader.Value); break;
                case RTA_OIF: link = (int)reader.UInt32; break;
                case RTA_GATEWAY when reader.Value.Length is 4 or 16: via = new(reader.Value); break;
                case RTA_PRIORITY: metric = reader.UInt32; break;
                case RTA_TABLE: table = reader.UInt32; break;
                // struct rtnexthop: the first of them.
                case RTA_MULTIPATH when reader.Value.Length >= 8: link = BinaryPrimitives.ReadInt32LittleEndian(reader.Value[4..]); break;
            }
        }
        return table != RT_TABLE_MAIN || body[1] > destination.GetAddressBytes().Length * 8 ? null
            : new(LinkAddress.Masked(destination, body[1]), link, metric) { Via = via, Protocol = body[5] };
    }

    /// <summary>The body of a request that makes or deletes it.</summary>
    internal void Write(NetlinkWriter writer)
    {
        const byte RT_SCOPE_UNIVERSE = 0, RT_SCOPE_LINK = 253, RTNH_F_ONLINK = 4;
        var isV6 = Destination.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6;
        var scope = isV6 || Via is not null ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
        // The next hop is on the link, whether or not an address of the host says so.
        writer.Bytes([isV6 ? CarriedKinds.AF_INET6 : CarriedKinds.AF_INET, (byte)Destination.PrefixLength, 0, 0, RT_TABLE_MAIN, Protocol, scope, RTN_UNICAST, Via is null ? (byte)0 : RTNH_F_ONLINK, 0, 0, 0]);
        writer.Attribute(RTA_DST, Destination.BaseAddress.GetAddressBytes()).Attribute(RTA_OIF, (uint)Link);
        if (Via is not null)
        {
            writer.Attribute(RTA_GATEWAY, Via.GetAddressBytes());
        }
        if (Metric != 0)
        {
            writer.Attribute(RTA_PRIORITY, Metric);
        }
    }
}
