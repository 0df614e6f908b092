using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>Reads the expressions of nf_tables (linux/netfilter/nf_tables.h) that the way of a frame hangs on: links, the state of a connection, what compares
/// them, and what decides. What else a rule asks for is known to be not known.</summary>
internal static class NftExpression
{
    private const ushort NFTA_EXPR_NAME = 1, NFTA_EXPR_DATA = 2, NFTA_DATA_VALUE = 1, NFTA_DATA_VERDICT = 2, NFTA_VERDICT_CODE = 1, NFTA_VERDICT_CHAIN = 2;

    /// <summary>Reads one expression of a rule.</summary>
    public static IFirewallExpression Parse(ReadOnlySpan<byte> expression)
    {
        var data = Find(expression, NFTA_EXPR_DATA);
        return Text(Find(expression, NFTA_EXPR_NAME)) switch
        {
            "counter" or "log" or "notrack" or "flow_offload" or "last" or "dup" => new Continue(),
            // Without a destination they set what they name.
            "meta" => Number(data, 1) is not 0 and var register ? new LoadMeta(register, Number(data, 2)) : new Continue(),
            "ct" => Number(data, 1) is not 0 and var register ? new LoadConnection(register, Number(data, 2)) : new Continue(),
            "payload" or "exthdr" or "fib" or "rt" or "numgen" or "osf" or "xfrm" => Number(data, 1) is not 0 and var register ? new Load(register, null) : new Continue(),
            "socket" or "hash" or "tunnel" => new Load(Number(data, 2), null),
            // NFT_BITWISE_MASK_XOR; shifts and the others are not known.
            "bitwise" => new Mask(Number(data, 1), Number(data, 2), Number(data, 6) == 0 ? (int)Number(data, 3) : 0, Value(data, 4), Value(data, 5)),
            "byteorder" => new Load(Number(data, 2), null),
            "cmp" => new Compare(Number(data, 1), Number(data, 2), Value(data, 3)),
            "range" => new Between(Number(data, 1), Number(data, 2) != 0, Value(data, 3), Value(data, 4)),
            "lookup" => new Lookup(Text(Find(data, 1)), Number(data, 2), Find(data, 3).Length > 0 ? Number(data, 3) : null, (Number(data, 5) & 1) != 0),
            "immediate" => Verdict(Find(Find(data, 2), NFTA_DATA_VERDICT)) is { } verdict ? new Decide(verdict)
                : Number(data, 1) is not 0 and var register ? new Load(register, Value(data, 2)) : new NotKnown(),
            "reject" => new Decide(new(VerdictKind.Drop)),
            "nat" or "masq" or "redir" => new Decide(new(VerdictKind.Accept)),
            "match" => new XtMatch(Text(Find(data, 1)), Number(data, 2), Find(data, 3).ToArray()),
            "target" => new XtTarget(Text(Find(data, 1))),
            _ => new NotKnown(),
        };
    }

    /// <summary>An attribute's value; empty where there is none.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> attributes, ushort type)
    {
        var reader = new AttributeReader(attributes);
        while (reader.Read())
        {
            if (reader.Type == type)
            {
                return reader.Value;
            }
        }
        return default;
    }

    /// <summary>What the attributes of a verdict say; null where they say nothing that decides.</summary>
    public static FirewallVerdict? Verdict(ReadOnlySpan<byte> verdict) => Find(verdict, NFTA_VERDICT_CODE) is { Length: >= 4 } code
        ? FirewallVerdict.Of(BinaryPrimitives.ReadInt32BigEndian(code), Text(Find(verdict, NFTA_VERDICT_CHAIN))) : null;

    private static string Text(ReadOnlySpan<byte> value) => System.Text.Encoding.UTF8.GetString(value.IndexOf((byte)0) is >= 0 and var end ? value[..end] : value);
    private static uint Number(ReadOnlySpan<byte> data, ushort type) => Find(data, type) is { Length: >= 4 } value ? BinaryPrimitives.ReadUInt32BigEndian(value) : 0;
    private static byte[] Value(ReadOnlySpan<byte> data, ushort type) => Find(Find(data, type), NFTA_DATA_VALUE).ToArray();
}

/// <summary>What changes nothing of a frame's way: a counter, a log.</summary>
internal sealed record Continue : IFirewallExpression
{
    public Match Run(FirewallMachine machine) => Match.Yes;
}

/// <summary>What is not known here: it may end the rule or go on.</summary>
internal sealed record NotKnown : IFirewallExpression
{
    public Match Run(FirewallMachine machine) => Match.Perhaps;
}

/// <summary>The verdict of the rule.</summary>
internal sealed record Decide(FirewallVerdict Verdict) : IFirewallExpression
{
    public Match Run(FirewallMachine machine)
    {
        machine.Verdicts.Add(Verdict);
        return Match.Yes;
    }
}

/// <summary>Puts a value into a register; null for one that is not known.</summary>
internal sealed record Load(uint Register, byte[]? Value) : IFirewallExpression
{
    public Match Run(FirewallMachine machine)
    {
        machine.Write(Register, Value);
        return Match.Yes;
    }
}

/// <summary>Loads what the kernel keeps beside the frame: its links, its protocol.</summary>
internal sealed record LoadMeta(uint Register, uint Key) : IFirewallExpression
{
    // enum nft_meta_keys, linux/if_ether.h
    private const uint PROTOCOL = 1, IIF = 4, OIF = 5, IIFNAME = 6, OIFNAME = 7, NFPROTO = 15, BRI_IIFNAME = 17, BRI_OIFNAME = 18;
    private static readonly byte[] s_ipv4 = [0x08, 0x00], s_ipv6 = [0x86, 0xdd];

    public Match Run(FirewallMachine machine)
    {
        var frame = machine.Frame;
        // In the bridge's own family the links are its ports; in the others it is the bridge itself.
        var ports = machine.Family == FirewallChain.Bridge;
        machine.Write(Register, Key switch
        {
            IIFNAME => FirewallMachine.Name(ports ? frame.PortIn : frame.In),
            OIFNAME => FirewallMachine.Name(ports ? frame.PortOut : frame.Out),
            IIF => machine.Index(ports ? frame.PortIn : frame.In),
            OIF => machine.Index(ports ? frame.PortOut : frame.Out),
            BRI_IIFNAME => ports ? FirewallMachine.Name(frame.In) : null,
            BRI_OIFNAME => ports ? FirewallMachine.Name(frame.Out) : null,
            NFPROTO => [ports ? FirewallChain.Bridge : frame.IsIPv6 ? FirewallChain.Ip6 : FirewallChain.Ip],
            PROTOCOL => frame.IsIPv6 ? s_ipv6 : s_ipv4,
            _ => null,
        });
        return Match.Yes;
    }
}

/// <summary>Loads what connection tracking knows.</summary>
internal sealed record LoadConnection(uint Register, uint Key) : IFirewallExpression
{
    // enum nft_ct_keys; NF_CT_STATE_BIT of linux/netfilter/nf_conntrack_common.h
    private const uint STATE = 0, DIRECTION = 1;
    public const uint Established = 2, New = 8;

    public Match Run(FirewallMachine machine)
    {
        machine.Write(Register, Key switch
        {
            STATE => FirewallMachine.Number(machine.Frame.IsReply ? Established : New),
            DIRECTION => [machine.Frame.IsReply ? (byte)1 : (byte)0],
            _ => null,
        });
        return Match.Yes;
    }
}

/// <summary>Keeps some bits of a value and turns some around.</summary>
/// <param name="Length">In bytes; 0 for an operation that is not known.</param>
internal sealed record Mask(uint Source, uint Register, int Length, byte[] And, byte[] Xor) : IFirewallExpression
{
    public Match Run(FirewallMachine machine)
    {
        var value = Length > 0 && And.Length >= Length && Xor.Length >= Length ? machine.Read(Source, Length) : null;
        machine.Write(Register, value is null ? null : [.. value.Select((b, i) => (byte)(b & And[i] ^ Xor[i]))]);
        return Match.Yes;
    }
}

/// <summary>Goes on where a value compares so with a constant.</summary>
/// <param name="Operation">enum nft_cmp_ops.</param>
internal sealed record Compare(uint Source, uint Operation, byte[] Constant) : IFirewallExpression
{
    public Match Run(FirewallMachine machine)
    {
        if (machine.Read(Source, Constant.Length) is not { } value)
        {
            return Match.Perhaps;
        }
        var order = value.AsSpan().SequenceCompareTo(Constant);
        return Operation switch { 0 => order == 0, 1 => order != 0, 2 => order < 0, 3 => order <= 0, 4 => order > 0, _ => order >= 0 } ? Match.Yes : Match.No;
    }
}

/// <summary>Goes on where a value lies between two, these included.</summary>
internal sealed record Between(uint Source, bool Not, byte[] From, byte[] To) : IFirewallExpression
{
    public Match Run(FirewallMachine machine) => machine.Read(Source, From.Length) is not { } value ? Match.Perhaps
        : (value.AsSpan().SequenceCompareTo(From) >= 0 && value.AsSpan().SequenceCompareTo(To) <= 0) != Not ? Match.Yes : Match.No;
}

/// <summary>Goes on where a set has the value, and takes over what a map has for it.</summary>
/// <param name="Register">Where a map's value goes: 0 for the verdict; null for a set.</param>
internal sealed record Lookup(string Set, uint Source, uint? Register, bool Not) : IFirewallExpression
{
    public Match Run(FirewallMachine machine)
    {
        if (Register is { } register and not 0)
        {
            machine.Write(register, null);
        }
        if (machine.Set(Set) is not { } set)
        {
            return Match.Perhaps;
        }
        if (machine.Read(Source, set.KeyLength) is not { } key)
        {
            machine.Verdicts.AddRange(Register == 0 ? set.Verdicts : []);
            return Match.Perhaps;
        }
        var (has, verdict) = set.Find(key);
        if (has && Register == 0 && verdict is { } decided)
        {
            machine.Verdicts.Add(decided);
        }
        return has != Not ? Match.Yes : Match.No;
    }
}
