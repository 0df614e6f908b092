using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>The settings of a bridge port that are unlike a new port's, whoever set them: isolated, learning, flood, cost,
/// priority, guard, hairpin and the like (<c>IFLA_BRPORT_*</c> of linux/if_link.h). The kernel forgets them when the port
/// leaves its bridge; <see cref="RouteBatch.SetPort"/> gives them back.</summary>
/// <param name="Settings">Netlink attributes, each padded to four bytes, as lower-case hexadecimal digits.</param>
public sealed record BridgePort(string Settings)
{
    private const ushort IFLA_BRPORT_PRIORITY = 2, IFLA_BRPORT_COST = 3, IFLA_BRPORT_MODE = 4, IFLA_BRPORT_PROXYARP = 10, IFLA_BRPORT_PROXYARP_WIFI = 12, IFLA_BRPORT_FLUSH = 24,
        IFLA_BRPORT_LEARNING = 8, IFLA_BRPORT_UNICAST_FLOOD = 9, IFLA_BRPORT_MULTICAST_ROUTER = 25, IFLA_BRPORT_MCAST_FLOOD = 27, IFLA_BRPORT_MCAST_TO_UCAST = 28,
        IFLA_BRPORT_BCAST_FLOOD = 30, IFLA_BRPORT_BACKUP_PORT = 34, IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT = 37, IFLA_BRPORT_LOCKED = 39, IFLA_BRPORT_MAB = 40,
        IFLA_BRPORT_MCAST_MAX_GROUPS = 42, IFLA_BRPORT_BACKUP_NHID = 44;

    private const ushort IFLA_BRPORT_ISOLATED = 33;

    /// <summary>The setting that isolates a port from other isolated ones, or ends that.</summary>
    public static BridgePort Isolation(bool isolated) => Of((IFLA_BRPORT_ISOLATED, isolated));

    /// <summary>Whether frames to and from other isolated ports are dropped.</summary>
    public bool IsIsolated => Flag(IFLA_BRPORT_ISOLATED, usual: false);

    /// <summary>The settings with which a port takes frames from those MACs alone that its bridge's forwarding database has there (locked, no learning),
    /// and what was learned before is forgotten; or those of a port like any other.</summary>
    internal static BridgePort Lock(bool locked) => locked ? Of((IFLA_BRPORT_LOCKED, true), (IFLA_BRPORT_LEARNING, false), (IFLA_BRPORT_FLUSH, null)) : Of((IFLA_BRPORT_LOCKED, false), (IFLA_BRPORT_LEARNING, true));

    /// <summary>The settings that <see cref="Lock"/> sets, as a port has them.</summary>
    internal static BridgePort LockOf(BridgePort? port) => Of((IFLA_BRPORT_LOCKED, port?.IsLocked == true), (IFLA_BRPORT_LEARNING, port?.Learns != false));

    /// <summary>Whether frames from MACs that its bridge's forwarding database has not there are dropped.</summary>
    internal bool IsLocked => Flag(IFLA_BRPORT_LOCKED, usual: false);

    /// <summary>Whether the bridge learns who is behind it.</summary>
    internal bool Learns => Flag(IFLA_BRPORT_LEARNING, usual: true);

    /// <summary>Whether the kernel knows locked ports (Linux 5.18 and later), by what it tells of any port.</summary>
    internal static bool CanLock(ReadOnlySpan<byte> data)
    {
        var reader = new AttributeReader(data);
        while (reader.Read())
        {
            if (reader.Type == IFLA_BRPORT_LOCKED)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Those of its settings that another port has otherwise; null where there are none.</summary>
    internal BridgePort? Beyond(BridgePort? other)
    {
        var has = (other?.Attributes() ?? []).Select(a => (a.Type, Convert.ToHexString(a.Value))).ToHashSet();
        NetlinkWriter? settings = null;
        foreach (var (type, value) in Attributes().Where(a => !has.Contains((a.Type, Convert.ToHexString(a.Value)))))
        {
            (settings ??= new()).Attribute(type, value);
        }
        return settings is null ? null : new(Convert.ToHexStringLower(settings.Written));
    }

    private static BridgePort Of(params ReadOnlySpan<(ushort Type, bool? On)> flags)
    {
        var writer = new NetlinkWriter();
        foreach (var (type, on) in flags)
        {
            // What is done once has no value.
            writer.Attribute(type, on is { } value ? [value ? (byte)1 : (byte)0] : []);
        }
        return new(Convert.ToHexStringLower(writer.Written));
    }

    private bool Flag(ushort type, bool usual) => Attributes().Find(a => a.Type == type).Value is [var value, ..] ? value != 0 : usual;

    private List<(ushort Type, byte[] Value)> Attributes()
    {
        var found = new List<(ushort, byte[])>();
        var reader = new AttributeReader(Convert.FromHexString(Settings));
        while (reader.Read())
        {
            found.Add((reader.Type, reader.Value.ToArray()));
        }
        return found;
    }

    /// <summary>What a new port has (new_nbp() in net/bridge/br_if.c); null for what is no setting: states, timers, counts, what the bridge
    /// works out by itself.</summary>
    private static uint? Standard(ushort attribute) => attribute switch
    {
        // 32768 >> BR_PORT_BITS, and the cost of the 10 Mbit/s that a tap says it has.
        IFLA_BRPORT_PRIORITY => 32,
        IFLA_BRPORT_COST => 100,
        IFLA_BRPORT_LEARNING or IFLA_BRPORT_UNICAST_FLOOD or IFLA_BRPORT_MCAST_FLOOD or IFLA_BRPORT_BCAST_FLOOD => 1,
        IFLA_BRPORT_MULTICAST_ROUTER => 1,
        IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT => 512,
        // Hairpin, BPDU guard, root block, fast leave; VLAN tunnel; group forwarding mask, neighbour suppression, isolated.
        >= IFLA_BRPORT_MODE and < IFLA_BRPORT_LEARNING or IFLA_BRPORT_PROXYARP or IFLA_BRPORT_PROXYARP_WIFI
            or (>= IFLA_BRPORT_MCAST_TO_UCAST and <= IFLA_BRPORT_BACKUP_PORT) or IFLA_BRPORT_LOCKED or IFLA_BRPORT_MAB
            or (>= IFLA_BRPORT_MCAST_MAX_GROUPS and <= IFLA_BRPORT_BACKUP_NHID) => 0,
        _ => null,
    };

    /// <summary>Reads IFLA_INFO_SLAVE_DATA of a bridge's port; null where all is as on a new port.</summary>
    internal static BridgePort? Parse(ReadOnlySpan<byte> data)
    {
        NetlinkWriter? settings = null;
        var reader = new AttributeReader(data);
        while (reader.Read())
        {
            if (Standard(reader.Type) is { } standard && Number(reader.Value) is { } number && number != standard)
            {
                (settings ??= new()).Attribute(reader.Type, reader.Value);
            }
        }
        return settings is null ? null : new(Convert.ToHexStringLower(settings.Written));
    }

    private static uint? Number(ReadOnlySpan<byte> value) => value.Length switch
    {
        1 => value[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(value),
        4 => BinaryPrimitives.ReadUInt32LittleEndian(value),
        _ => null,
    };
}
