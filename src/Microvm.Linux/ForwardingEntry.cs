using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>An entry of a bridge's forwarding database (<c>bridge fdb</c>): the MAC of a station, and the port behind which it is.</summary>
/// <param name="Port">The port's ifindex.</param>
/// <param name="Mac">Twelve lower-case hexadecimal digits.</param>
/// <param name="Vlan">Its VLAN; 0 where the bridge does not filter by them.</param>
/// <param name="IsOwn">The bridge's or the port's own MAC, whose frames are the host's.</param>
/// <param name="IsStatic">It was added, and is never forgotten; else it was learned.</param>
/// <param name="IsSticky">It stays on this port, whoever sends under that MAC elsewhere.</param>
internal sealed record ForwardingEntry(int Port, string Mac, ushort Vlan, bool IsOwn, bool IsStatic, bool IsSticky)
{
    private const byte AF_BRIDGE = 7, NTF_MASTER = 4, NTF_STICKY = 0x40;
    private const ushort RTM_NEWNEIGH = 28, RTM_DELNEIGH = 29, RTM_GETNEIGH = 30, NLM_F_REPLACE = 0x100, NLM_F_CREATE = 0x400;
    private const ushort NDA_LLADDR = 2, NDA_VLAN = 5, NDA_MASTER = 9, NUD_NOARP = 0x40, NUD_PERMANENT = 0x80;
    private const int HeaderBytes = 12;

    /// <summary>Reads the entries of all bridges with one dump, by port.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal static ILookup<int, ForwardingEntry> Read(RouteSocket route)
    {
        var messages = new List<byte[]>();
        try
        {
            route.Messages(RTM_GETNEIGH, RTM_NEWNEIGH, [AF_BRIDGE, .. new byte[HeaderBytes - 1]], "list the forwarding entries", messages);
        }
        catch (LinuxException e) when (e.Errno is Errno.EOPNOTSUPP)
        {
            // A kernel without bridges has none.
        }
        return messages.Select(m => Parse(m)).OfType<ForwardingEntry>().ToLookup(e => e.Port);
    }

    /// <summary>Reads struct ndmsg and its attributes; null where the bytes are no entry of a bridge.</summary>
    private static ForwardingEntry? Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length < HeaderBytes || body[0] != AF_BRIDGE)
        {
            return null;
        }
        string? mac = null;
        ushort vlan = 0;
        var ofBridge = false;
        var reader = new AttributeReader(body[HeaderBytes..]);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case NDA_LLADDR: mac = Convert.ToHexStringLower(reader.Value); break;
                case NDA_VLAN: vlan = BinaryPrimitives.ReadUInt16LittleEndian(reader.Value); break;
                // Without it the entry is of the link's own list of addresses.
                case NDA_MASTER: ofBridge = true; break;
            }
        }
        var state = BinaryPrimitives.ReadUInt16LittleEndian(body[8..]);
        return mac is not null && ofBridge
            ? new(BinaryPrimitives.ReadInt32LittleEndian(body[4..]), mac, vlan, (state & NUD_PERMANENT) != 0, (state & NUD_NOARP) != 0, (body[10] & NTF_STICKY) != 0) : null;
    }

    /// <summary>Adds what makes it so in the bridge of its port. Without a VLAN the kernel makes an entry in each of the port's (br_fdb_add() in net/bridge/br_fdb.c).</summary>
    /// <param name="port">The port as it is now.</param>
    internal void Give(int port, string name, RouteBatch batch) =>
        batch.Add($"keep {this} at", name, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, Body(port, NUD_NOARP, IsSticky ? NTF_STICKY : (byte)0));

    /// <summary>Adds what takes it away; without a VLAN, from every one.</summary>
    internal void Take(string name, RouteBatch batch) => batch.Add($"take {this} from", name, RTM_DELNEIGH, 0, Body(Port, NUD_NOARP, 0));

    private byte[] Body(int port, ushort state, byte flags)
    {
        var writer = new NetlinkWriter();
        Span<byte> header = stackalloc byte[HeaderBytes];
        header[0] = AF_BRIDGE;
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], port);
        BinaryPrimitives.WriteUInt16LittleEndian(header[8..], state);
        header[10] = (byte)(NTF_MASTER | flags);
        writer.Bytes(header).Attribute(NDA_LLADDR, Convert.FromHexString(Mac));
        if (Vlan != 0)
        {
            writer.Attribute(NDA_VLAN, [(byte)Vlan, (byte)(Vlan >> 8)]);
        }
        return writer.Written.ToArray();
    }

    /// <summary>The MAC as a person writes it.</summary>
    public override string ToString() => string.Join(':', Mac.Chunk(2).Select(c => new string(c)));
}
