using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>The VLANs of a bridge's port (<c>bridge vlan</c>). A new port has the bridge's default one alone, so each that it had besides has to be
/// given again, and the default one taken away where it was: else the guest would hear a network that somebody kept it from.</summary>
/// <param name="Flags">By number: whether frames without a tag are of it (PVID), and whether those of it leave without one.</param>
internal sealed record PortVlans(IReadOnlyDictionary<ushort, ushort> Flags)
{
    internal static readonly PortVlans None = new(new Dictionary<ushort, ushort>());

    private const byte AF_BRIDGE = 7;
    private const ushort RTM_NEWLINK = 16, RTM_DELLINK = 17, RTM_GETLINK = 18, RTM_SETLINK = 19, IFLA_AF_SPEC = 26, IFLA_EXT_MASK = 29, IFLA_BRIDGE_VLAN_INFO = 2;

    // linux/rtnetlink.h, and BRIDGE_VLAN_INFO_* of linux/if_bridge.h.
    private const byte RTEXT_FILTER_BRVLAN = 2;
    private const ushort Pvid = 2, Untagged = 4, RangeBegin = 8, RangeEnd = 16;

    // The highest number: 4095 is reserved (VLAN_VID_MASK).
    private const ushort Last = 4094;
    private const int HeaderBytes = 16;

    /// <summary>Reads the VLANs of every bridge's ports with one dump, by ifindex: of each that is one now. A kernel without VLAN filtering
    /// tells of no VLANs.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal static Dictionary<int, PortVlans> Read(RouteSocket route)
    {
        var messages = new List<byte[]>();
        byte[] request = [AF_BRIDGE, .. new byte[HeaderBytes - 1], 8, 0, (byte)IFLA_EXT_MASK, 0, RTEXT_FILTER_BRVLAN, 0, 0, 0];
        try
        {
            route.Messages(RTM_GETLINK, RTM_NEWLINK, request, "list the VLANs of bridges' ports", messages);
        }
        catch (LinuxException e) when (e.Errno is Errno.EOPNOTSUPP)
        {
            // A kernel without bridges has no ports.
        }
        var found = new Dictionary<int, PortVlans>();
        foreach (var body in messages)
        {
            found[BinaryPrimitives.ReadInt32LittleEndian(body.AsSpan(4))] = new(Parse(body));
        }
        return found;
    }

    private static Dictionary<ushort, ushort> Parse(byte[] body)
    {
        var flags = new Dictionary<ushort, ushort>();
        var reader = new AttributeReader(body.AsSpan(HeaderBytes));
        while (reader.Read())
        {
            // The mark of a nested attribute (NLA_F_NESTED) may be on it.
            var inner = new AttributeReader((reader.Type & 0x3fff) == IFLA_AF_SPEC ? reader.Value : default);
            while (inner.Read())
            {
                if (inner.Type == IFLA_BRIDGE_VLAN_INFO && inner.Value.Length >= 4)
                {
                    flags[BinaryPrimitives.ReadUInt16LittleEndian(inner.Value[2..])] = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(inner.Value) & (Pvid | Untagged));
                }
            }
        }
        return flags;
    }

    /// <summary>Adds what gives a port these VLANs and no others, whatever it has. The link has to be attached.</summary>
    internal void Give(int index, string name, RouteBatch batch)
    {
        // The others first: a new port hears its bridge's default VLAN until it is taken away. One that a port is not in is taken in silence.
        batch.Add("take VLANs from", name, RTM_DELLINK, 0, Body(index, [.. Besides()]));
        if (Flags.Count > 0)
        {
            batch.Add("set the VLANs of", name, RTM_SETLINK, 0, Body(index, [.. Flags.OrderBy(v => v.Key).Select(v => (v.Key, v.Value))]));
        }
    }

    /// <summary>Whether a port with those hears and sends the same as one with these.</summary>
    internal bool SameAs(PortVlans other) => Flags.Count == other.Flags.Count && Flags.All(v => other.Flags.TryGetValue(v.Key, out var flags) && flags == v.Value);

    /// <summary>The numbers that are not in it, as the first and the last of each range.</summary>
    private IEnumerable<(ushort Number, ushort Flags)> Besides()
    {
        ushort first = 1;
        foreach (var number in Flags.Keys.Order().Append((ushort)(Last + 1)))
        {
            if (number - first > 1)
            {
                yield return (first, RangeBegin);
                yield return ((ushort)(number - 1), RangeEnd);
            }
            else if (number - first == 1)
            {
                yield return (first, 0);
            }
            first = (ushort)(number + 1);
        }
    }

    private static byte[] Body(int index, IReadOnlyList<(ushort Number, ushort Flags)> vlans)
    {
        var body = new byte[HeaderBytes + 4 + (8 * vlans.Count)];
        body[0] = AF_BRIDGE;
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(4), index);
        var at = body.AsSpan(HeaderBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(at, (ushort)at.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(at[2..], IFLA_AF_SPEC);
        at = at[4..];
        foreach (var (number, flags) in vlans)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(at, 8);
            BinaryPrimitives.WriteUInt16LittleEndian(at[2..], IFLA_BRIDGE_VLAN_INFO);
            BinaryPrimitives.WriteUInt16LittleEndian(at[4..], flags);
            BinaryPrimitives.WriteUInt16LittleEndian(at[6..], number);
            at = at[8..];
        }
        return body;
    }
}
