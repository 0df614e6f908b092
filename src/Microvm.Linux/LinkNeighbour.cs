using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Microvm.Linux;

/// <summary>A station on a link, as RTM_GETNEIGH tells it (struct ndmsg in linux/neighbour.h).</summary>
/// <param name="Link">The link's ifindex.</param>
/// <param name="Mac">Its MAC in hexadecimal, without colons; empty where it is not known.</param>
internal sealed record LinkNeighbour(int Link, IPAddress Address, string Mac)
{
    private const ushort NUD_PERMANENT = 0x80, NDA_DST = 1, NDA_LLADDR = 2, NDA_PROTOCOL = 12;

    /// <summary>Somebody set it, and it never expires.</summary>
    internal bool IsPermanent { get; init; }

    /// <summary>Who made it (<c>NDA_PROTOCOL</c>); 0 where nobody said so, or the kernel is older than 5.0.</summary>
    internal byte Protocol { get; init; }

    /// <summary>Reads one message's body; null where the bytes are no station of IPv4 or IPv6.</summary>
    internal static LinkNeighbour? Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length < 12 || body[0] is not (CarriedKinds.AF_INET or CarriedKinds.AF_INET6) || (body[10] & CarriedKinds.NTF_PROXY) != 0)
        {
            return null;
        }
        var (address, mac, protocol) = ((IPAddress?)null, "", (byte)0);
        var reader = new AttributeReader(body[12..]);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case NDA_DST when reader.Value.Length is 4 or 16: address = new(reader.Value); break;
                case NDA_LLADDR: mac = Convert.ToHexStringLower(reader.Value); break;
                case NDA_PROTOCOL: protocol = reader.Byte; break;
            }
        }
        return address is null ? null : new(BinaryPrimitives.ReadInt32LittleEndian(body[4..]), address, mac)
        {
            IsPermanent = (BinaryPrimitives.ReadUInt16LittleEndian(body[8..]) & NUD_PERMANENT) != 0,
            Protocol = protocol,
        };
    }

    /// <summary>The body of a request that makes or deletes it.</summary>
    internal void Write(NetlinkWriter writer, bool whole)
    {
        Span<byte> header = stackalloc byte[12];
        header[0] = Address.AddressFamily == AddressFamily.InterNetworkV6 ? CarriedKinds.AF_INET6 : CarriedKinds.AF_INET;
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], Link);
        BinaryPrimitives.WriteUInt16LittleEndian(header[8..], NUD_PERMANENT);
        writer.Bytes(header).Attribute(NDA_DST, Address.GetAddressBytes());
        if (whole)
        {
            writer.Attribute(NDA_LLADDR, Convert.FromHexString(Mac)).Attribute(NDA_PROTOCOL, [Protocol]);
        }
    }
}
