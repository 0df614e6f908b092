using System.Buffers.Binary;
using System.Text;

namespace Microvm.Linux;

/// <summary>A condition of iptables, as a rule of iptables-nft or iptables-legacy has it: its name and its struct.</summary>
internal sealed record XtMatch(string Name, uint Revision, byte[] Data) : IFirewallExpression
{
    public Match Run(FirewallMachine machine) => Name switch
    {
        "comment" => Match.Yes,
        "conntrack" when Revision is >= 1 and <= 3 && Data.Length >= (Revision == 1 ? 152 : 154) => Connection(machine.Frame),
        "state" when Data.Length >= 4 => State(BinaryPrimitives.ReadUInt32LittleEndian(Data), false, machine.Frame),
        "physdev" when Data.Length >= 66 => Ports(machine.Frame),
        _ => Match.Perhaps,
    };

    /// <summary>struct xt_conntrack_mtinfo1 to 3 (linux/netfilter/xt_conntrack.h).</summary>
    private Match Connection(FirewallFrame frame)
    {
        const int FlagsAt = 146, InvertAt = 148, StatesAt = 150;
        // The alias only says that it was written as -m state.
        const ushort XT_CONNTRACK_STATE = 1, XT_CONNTRACK_STATE_ALIAS = 1 << 13;
        var flags = BinaryPrimitives.ReadUInt16LittleEndian(Data.AsSpan(FlagsAt)) & ~XT_CONNTRACK_STATE_ALIAS;
        if ((flags & XT_CONNTRACK_STATE) == 0)
        {
            return Match.Perhaps;
        }
        var states = Revision == 1 ? Data[StatesAt] : BinaryPrimitives.ReadUInt16LittleEndian(Data.AsSpan(StatesAt));
        var met = State(states, (BinaryPrimitives.ReadUInt16LittleEndian(Data.AsSpan(InvertAt)) & XT_CONNTRACK_STATE) != 0, frame);
        return flags == XT_CONNTRACK_STATE || met == Match.No ? met : Match.Perhaps;
    }

    private static Match State(uint states, bool not, FirewallFrame frame)
    {
        // XT_CONNTRACK_STATE_SNAT and _DNAT: whether its addresses are translated is not known.
        const uint Translated = 1 << 6 | 1 << 7;
        var has = (states & (frame.IsReply ? LoadConnection.Established : LoadConnection.New)) != 0;
        return !has && (states & Translated) != 0 ? Match.Perhaps : has != not ? Match.Yes : Match.No;
    }

    /// <summary>struct xt_physdev_info (linux/netfilter/xt_physdev.h), judged as physdev_mt() in net/netfilter/xt_physdev.c does.</summary>
    private Match Ports(FirewallFrame frame)
    {
        const byte In = 1, Out = 2, Bridged = 4, IsIn = 8, IsOut = 16;
        var (invert, asked) = (Data[64], Data[65]);
        if (!frame.IsBridged)
        {
            return (asked & ~invert & (In | Out | Bridged | IsIn | IsOut)) != 0 ? Match.No : Match.Yes;
        }
        var met = Match.Yes;
        foreach (var (bit, has) in new (byte, Match)[]
        {
            (Bridged, frame.PortOut == "" ? Match.No : Match.Yes),
            (IsIn, frame.PortIn == "" ? Match.No : Match.Yes),
            (IsOut, frame.PortOut == "" ? Match.No : Match.Yes),
            (In, LinkPattern.Matches(frame.PortIn, Data.AsSpan(0, 16), Data.AsSpan(16, 16))),
            (Out, LinkPattern.Matches(frame.PortOut, Data.AsSpan(32, 16), Data.AsSpan(48, 16))),
        })
        {
            if ((asked & bit) != 0)
            {
                var one = (invert & bit) == 0 ? has : LinkPattern.Not(has);
                met = one < met ? one : met;
            }
        }
        return met;
    }
}

/// <summary>A link's name with a mask over its bytes, as iptables keeps <c>eth0</c> and <c>eth+</c>.</summary>
internal static class LinkPattern
{
    public static Match Not(Match match) => match switch { Match.Yes => Match.No, Match.No => Match.Yes, _ => match };

    /// <summary>Whether a link's name is equal under the mask; one that is not known may be.</summary>
    public static Match Matches(string? link, ReadOnlySpan<byte> name, ReadOnlySpan<byte> mask)
    {
        if (!mask.ContainsAnyExcept((byte)0))
        {
            return Match.Yes;
        }
        if (link is null)
        {
            return Match.Perhaps;
        }
        Span<byte> own = stackalloc byte[16];
        own.Clear();
        Encoding.UTF8.GetBytes(link.AsSpan(0, Math.Min(link.Length, 15)), own);
        for (var i = 0; i < 16; i++)
        {
            if (((own[i] ^ name[i]) & mask[i]) != 0)
            {
                return Match.No;
            }
        }
        return Match.Yes;
    }
}

/// <summary>What iptables does with a frame that met all conditions, where that is no plain verdict.</summary>
internal sealed record XtTarget(string Name) : IFirewallExpression
{
    public Match Run(FirewallMachine machine)
    {
        switch (Name)
        {
            case "REJECT":
                machine.Verdicts.Add(new(VerdictKind.Drop));
                return Match.Yes;
            case "DNAT" or "SNAT" or "MASQUERADE" or "REDIRECT" or "NETMAP":
                machine.Verdicts.Add(new(VerdictKind.Accept));
                return Match.Yes;
            // XT_CONTINUE.
            case "LOG" or "NFLOG" or "TRACE" or "AUDIT" or "MARK" or "CONNMARK" or "CT" or "NOTRACK" or "CHECKSUM" or "CLASSIFY" or "DSCP" or "TOS" or "TTL" or "HL" or "TCPMSS" or "TCPOPTSTRIP" or "TEE" or "SET" or "RATEEST" or "HMARK" or "SECMARK" or "CONNSECMARK" or "LED" or "IDLETIMER":
                return Match.Yes;
            default:
                // A program decides (NFQUEUE), or something that is not known here.
                machine.Verdicts.AddRange([new(VerdictKind.Accept), new(VerdictKind.Drop)]);
                return Match.Perhaps;
        }
    }
}
