using System.Buffers.Binary;
using System.Net;

namespace Microvm.Linux;

/// <summary>A route of the table main, as RTM_GETROUTE tells it (struct rtmsg in linux/rtnetlink.h).</summary>
/// <param name="Link">The ifindex that packets leave by; 0 where there is none, or several.</param>
/// <param name="Metric">The lower, the sooner it is taken.</param>
internal sealed record Route(IPNetwork Destination, int Link, uint Metric)
{
    /// <summary>Whether it is the way to whatever no other route knows.</summary>
    internal bool IsDefault => Destination.PrefixLength == 0;

    /// <summary>Reads one message's body; null where the bytes are no route, or one of another table.</summary>
    internal static Route? Parse(ReadOnlySpan<byte> body)
    {
        const ushort RTA_DST = 1, RTA_OIF = 4, RTA_PRIORITY = 6, RTA_MULTIPATH = 9, RTA_TABLE = 15;
        const byte RT_TABLE_MAIN = 254, RTN_UNICAST = 1;
        if (body.Length < 12 || body[7] != RTN_UNICAST || body[0] is not (CarriedKinds.AF_INET or CarriedKinds.AF_INET6))
        {
            return null;
        }
        var destination = body[0] == CarriedKinds.AF_INET ? IPAddress.Any : IPAddress.IPv6Any;
        var (link, metric, table) = (0, 0u, (uint)body[4]);
        var reader = new AttributeReader(body[12..]);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case RTA_DST when reader.Value.Length is 4 or 16: destination = new(reader.Value); break;
                case RTA_OIF: link = (int)reader.UInt32; break;
                case RTA_PRIORITY: metric = reader.UInt32; break;
                case RTA_TABLE: table = reader.UInt32; break;
                // struct rtnexthop: the first of them.
                case RTA_MULTIPATH when reader.Value.Length >= 8: link = BinaryPrimitives.ReadInt32LittleEndian(reader.Value[4..]); break;
            }
        }
        return table != RT_TABLE_MAIN || body[1] > destination.GetAddressBytes().Length * 8 ? null : new(LinkAddress.Masked(destination, body[1]), link, metric);
    }
}
