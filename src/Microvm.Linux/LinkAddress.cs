using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Microvm.Linux;

/// <summary>An address of a link, as RTM_GETADDR tells it (struct ifaddrmsg in linux/if_addr.h).</summary>
/// <param name="Link">The link's ifindex.</param>
/// <param name="PrefixLength">How many bits of it name the network.</param>
/// <param name="Origin">Who made it (<c>IFA_PROTO</c>): 0 where nobody said so, or the kernel is older than 5.18.</param>
internal sealed record LinkAddress(int Link, IPAddress Address, int PrefixLength, byte Origin = 0)
{
    /// <summary>The mark of what microvm made. The kernel's own are 1 to 3, and no other program is known to use this one.</summary>
    internal const byte Ours = 0x6d;

    private const ushort IFA_ADDRESS = 1, IFA_LOCAL = 2, IFA_FLAGS = 8, IFA_PROTO = 11;
    private const uint IFA_F_NODAD = 2;

    private static readonly IPAddress s_none = IPAddress.None;

    internal bool IsV6 => Address.AddressFamily == AddressFamily.InterNetworkV6;

    /// <summary>The addresses that it and its prefix stand for.</summary>
    internal IPNetwork Network => Masked(Address, PrefixLength);

    /// <summary>As a person writes it: <c>10.0.0.1/24</c>.</summary>
    public override string ToString() => $"{Address}/{PrefixLength}";

    /// <summary>The network of a prefix, whatever stands behind it.</summary>
    internal static IPNetwork Masked(IPAddress address, int prefixLength)
    {
        var bytes = address.GetAddressBytes();
        for (var bit = prefixLength; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> bit % 8);
        }
        return new(new(bytes), prefixLength);
    }

    /// <summary>Reads one message's body; null where the bytes are no address.</summary>
    internal static LinkAddress? Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length < 8)
        {
            return null;
        }
        // Of a point-to-point link IFA_ADDRESS is the peer's.
        var (address, local) = (s_none, s_none);
        byte origin = 0;
        var reader = new AttributeReader(body[8..]);
        while (reader.Read())
        {
            switch (reader.Type)
            {
                case IFA_ADDRESS when reader.Value.Length is 4 or 16: address = new(reader.Value); break;
                case IFA_LOCAL when reader.Value.Length is 4 or 16: local = new(reader.Value); break;
                case IFA_PROTO: origin = reader.Byte; break;
            }
        }
        var own = local.Equals(s_none) ? address : local;
        return own.Equals(s_none) || body[1] > (own.AddressFamily == AddressFamily.InterNetwork ? 32 : 128) ? null
            : new(BinaryPrimitives.ReadInt32LittleEndian(body[4..]), own, body[1], origin);
    }

    /// <summary>The body of a request that makes or deletes it.</summary>
    /// <param name="whole">With what only a new one has: its origin, and for IPv6 that it is used at once, without a look whether another has
    /// it, which on a link without a carrier would never end.</param>
    internal void Write(NetlinkWriter writer, bool whole)
    {
        var bytes = Address.GetAddressBytes();
        Span<byte> header = stackalloc byte[8];
        (header[0], header[1]) = (IsV6 ? CarriedKinds.AF_INET6 : CarriedKinds.AF_INET, (byte)PrefixLength);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], Link);
        writer.Bytes(header).Attribute(IFA_LOCAL, bytes).Attribute(IFA_ADDRESS, bytes);
        if (whole && IsV6)
        {
            writer.Attribute(IFA_FLAGS, IFA_F_NODAD);
        }
        if (whole && Origin != 0)
        {
            writer.Attribute(IFA_PROTO, [Origin]);
        }
    }
}
