namespace Microvm.Linux;

internal enum VerdictKind { Accept, Drop, Jump, Goto, Return }

/// <summary>What a rule decides of a frame that meets all its conditions.</summary>
/// <param name="Chain">Where a jump or goto leads; else null.</param>
internal readonly record struct FirewallVerdict(VerdictKind Kind, string? Chain = null)
{
    // linux/netfilter.h, linux/netfilter/nf_tables.h
    private const int NF_DROP = 0, NF_ACCEPT = 1, NFT_JUMP = -3, NFT_GOTO = -4, NFT_RETURN = -5;

    /// <summary>Null where the code decides nothing, or nothing that is known here.</summary>
    public static FirewallVerdict? Of(int code, string? chain) => code switch
    {
        NF_DROP => new(VerdictKind.Drop),
        NF_ACCEPT => new(VerdictKind.Accept),
        NFT_JUMP => new(VerdictKind.Jump, chain),
        NFT_GOTO => new(VerdictKind.Goto, chain),
        NFT_RETURN => new(VerdictKind.Return),
        _ => null,
    };
}
