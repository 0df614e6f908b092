using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>What the kernel reports of a tun/tap link (<c>IFLA_TUN_*</c>). Owner and group are null where anybody privileged only may open it.</summary>
public sealed record TunInfo(bool IsTap, bool VnetHeader, bool MultiQueue, bool Persistent, uint? Owner, uint? Group, uint Queues);

/// <summary>One link as RTM_GETLINK reports it.</summary>
public sealed record Link(int Index, string Name, bool Up, string? Kind, string? Alias, uint Group, int? Master, uint Mtu, string? Address, TunInfo? Tun)
{
    private const ushort IFLA_ADDRESS = 1, IFLA_IFNAME = 3, IFLA_MTU = 4, IFLA_MASTER = 10, IFLA_LINKINFO = 18, IFLA_IFALIAS = 20, IFLA_GROUP = 27;
    private const ushort IFLA_INFO_KIND = 1, IFLA_INFO_DATA = 2;
    private const uint IFF_UP = 1;

    /// <summary>Reads struct ifinfomsg and its attributes; null where the bytes are no link.</summary>
    public static Link? Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length < 16)
        {
            return null;
        }
        var index = BinaryPrimitives.ReadInt32LittleEndian(body[4..]);
        var up = (BinaryPrimitives.ReadUInt32LittleEndian(body[8..]) & IFF_UP) != 0;
        string? name = null, kind = null, alias = null, address = null;
        uint group = 0, mtu = 0;
        int? master = null;
        TunInfo? tun = null;
        var attributes = new AttributeReader(body[16..]);
        while (attributes.Read())
        {
            switch (attributes.Type)
            {
                case IFLA_IFNAME: name = attributes.Text; break;
                case IFLA_IFALIAS: alias = attributes.Text; break;
                case IFLA_GROUP: group = attributes.UInt32; break;
                case IFLA_MTU: mtu = attributes.UInt32; break;
                case IFLA_MASTER: master = (int)attributes.UInt32; break;
                case IFLA_ADDRESS: address = Convert.ToHexStringLower(attributes.Value); break;
                case IFLA_LINKINFO:
                    var info = new AttributeReader(attributes.Value);
                    while (info.Read())
                    {
                        switch (info.Type)
                        {
                            case IFLA_INFO_KIND: kind = info.Text; break;
                            case IFLA_INFO_DATA when kind == "tun": tun = ParseTun(info.Value); break;
                        }
                    }
                    break;
            }
        }
        return name is null ? null : new(index, name, up, kind, alias, group, master, mtu, address, tun);
    }

    private static TunInfo ParseTun(ReadOnlySpan<byte> data)
    {
        bool tap = false, header = false, multi = false, persist = false;
        uint? owner = null, group = null;
        uint queues = 0;
        var reader = new AttributeReader(data);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case 1: owner = reader.UInt32; break;
                case 2: group = reader.UInt32; break;
                case 3: tap = reader.Byte == 2; break;
                case 5: header = reader.Byte != 0; break;
                case 6: persist = reader.Byte != 0; break;
                case 7: multi = reader.Byte != 0; break;
                case 8: queues = reader.UInt32; break;
            }
        }
        return new(tap, header, multi, persist, owner, group, queues);
    }
}
