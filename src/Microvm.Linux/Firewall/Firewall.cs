namespace Microvm.Linux;

/// <summary>All of the firewall's chains and rules in a network namespace: nftables, iptables-nft's among them, and iptables-legacy's.</summary>
/// <param name="Set">A set by family, table and name; null where it can't be read or is not of single values.</param>
internal sealed record Firewall(IReadOnlyList<FirewallChain> Chains, IReadOnlyList<FirewallRule> Rules, Func<byte, string, string, FirewallSet?> Set)
{
    /// <summary>One that lets everything through.</summary>
    public static Firewall None { get; } = new([], [], (_, _, _) => null);

    /// <summary>Asks the kernel, for the network namespace of the calling thread. It only reads.</summary>
    /// <exception cref="LinuxException">CAP_NET_ADMIN is missing, or the kernel refused.</exception>
    /// <exception cref="UnauthorizedAccessException">iptables-legacy's tables are not ours to list.</exception>
    public static Firewall Read()
    {
        var (chains, rules) = LegacyTables.Read();
        IReadOnlyList<FirewallChain> nft;
        try
        {
            nft = FirewallSocket.BaseChains();
        }
        catch (LinuxException e) when (e.Errno is Errno.EINVAL or Errno.EPROTONOSUPPORT or Errno.EOPNOTSUPP)
        {
            // This kernel has no nf_tables.
            return new(chains, rules, (_, _, _) => null);
        }
        return new([.. chains, .. nft], nft.Count == 0 ? rules : [.. rules, .. FirewallSocket.Rules()], Cached(FirewallSocket.Set));
    }

    private static Func<byte, string, string, FirewallSet?> Cached(Func<byte, string, string, FirewallSet?> read)
    {
        var known = new Dictionary<(byte, string, string), FirewallSet?>();
        return (family, table, name) => known.TryGetValue((family, table, name), out var set) ? set : known[(family, table, name)] = read(family, table, name);
    }
}
